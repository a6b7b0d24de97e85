/**
 * ISO 8859-1 and IA5 (ASCII): one octet a character.
 *
 * Pure; any thread may call it.
 */
import { NO_ROOM, NOT_ENCODABLE } from "../pdu/sentinels.ts";

function encodeBelow(text: string, out: Uint8Array, at: number, limit: number): number {
  const length = text.length;
  if (at + length > out.length) return NO_ROOM;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= limit) return NOT_ENCODABLE;
    out[at + i] = unit;
  }
  return length;
}

/** Encodes Latin-1 text; returns the octets written, NOT_ENCODABLE or NO_ROOM. */
export function encodeLatin1(text: string, out: Uint8Array, at: number): number {
  return encodeBelow(text, out, at, 0x100);
}

/** Encodes ASCII text; returns the octets written, NOT_ENCODABLE or NO_ROOM. */
export function encodeAscii(text: string, out: Uint8Array, at: number): number {
  return encodeBelow(text, out, at, 0x80);
}

/** Decodes bytes [start, end) as Latin-1, of which ASCII is a part. */
export function decodeLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
