/**
 * GSM 7-bit text as SMPP carries it: unpacked, one septet an octet, bit 7 zero.
 *
 * A character of the extension takes two octets, 1B and its septet. Pure; any thread may call it.
 */
import { NO_ROOM, NOT_ENCODABLE } from "../pdu/sentinels.ts";
import {
  ASCII_TEXT_LENGTH_MAX,
  ASCII_TEXT_LENGTH_MIN,
  copyScratch,
  fillScratch,
  isSameInGsm7,
  scratch,
} from "./gsm7-ascii.ts";
import { ESCAPE, GSM7_DEFAULT, NO_SEPTET, type Gsm7Alphabet } from "./gsm7-alphabet.ts";

/** Encodes by code units: any text, any alphabet. */
function encodeUnits(text: string, out: Uint8Array, at: number, table: Uint16Array): number {
  const textLength = text.length;
  const room = out.length;
  let p = at;
  for (let i = 0; i < textLength; i++) {
    const unit = text.charCodeAt(i);
    const septet = unit < table.length ? table[unit]! : NO_SEPTET;
    if (septet < 0x80) {
      if (p >= room) return NO_ROOM;
      out[p++] = septet;
    } else {
      if (septet === NO_SEPTET) return NOT_ENCODABLE;
      if (p + 2 > room) return NO_ROOM;
      out[p] = ESCAPE;
      out[p + 1] = septet;
      p += 2;
    }
  }
  return p - at;
}

/**
 * Encodes the ASCII octets in the scratch by the table as if none were escaped; the caller has
 * checked the room. Returns false, with `out` half written, if one is escaped or missing.
 */
function encodeScratch(length: number, out: Uint8Array, at: number, table: Uint16Array): boolean {
  // A local name: an imported binding would be looked up and checked for every octet.
  const octets = scratch;
  let seen = 0;
  for (let i = 0; i < length; i++) {
    const septet = table[octets[i]!]!;
    seen |= septet;
    out[at + i] = septet;
  }
  return seen < 0x80;
}

/** True if the fast way is open to `text`, whose octets are then in the scratch. */
function isAsciiInScratch(text: string, alphabet: Gsm7Alphabet): boolean {
  return (
    alphabet === GSM7_DEFAULT &&
    text.length >= ASCII_TEXT_LENGTH_MIN &&
    text.length <= ASCII_TEXT_LENGTH_MAX &&
    fillScratch(text)
  );
}

/**
 * Encodes `text` into `out` at `at`, one septet an octet. Returns the number of octets written,
 * NOT_ENCODABLE if a character is missing from the alphabet, or NO_ROOM. Callers that would choose
 * UCS-2 otherwise need not ask `chooseEncoding` first: NOT_ENCODABLE says so.
 */
export function encodeGsm7(
  text: string,
  out: Uint8Array,
  at: number,
  alphabet: Gsm7Alphabet = GSM7_DEFAULT,
): number {
  const table = alphabet.encode;
  if (!isAsciiInScratch(text, alphabet)) return encodeUnits(text, out, at, table);
  const length = text.length;
  if (at + length > out.length) return encodeUnits(text, out, at, table);
  if (isSameInGsm7(length)) {
    copyScratch(length, out, at);
    return length;
  }
  return encodeScratch(length, out, at, table) ? length : encodeUnits(text, out, at, table);
}

/** The number of septets that `text` takes, or NOT_ENCODABLE. */
export function gsm7Length(text: string, alphabet: Gsm7Alphabet = GSM7_DEFAULT): number {
  const table = alphabet.encode;
  let septets = text.length;
  if (isAsciiInScratch(text, alphabet) && isSameInGsm7(septets)) return septets;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    const septet = unit < table.length ? table[unit]! : NO_SEPTET;
    if (septet >= 0x80) {
      if (septet === NO_SEPTET) return NOT_ENCODABLE;
      septets++;
    }
  }
  return septets;
}

/**
 * Decodes unpacked septets in bytes [start, end). Bit 7 is ignored; an escape before a septet that
 * the extension lacks yields the base character of that septet, and 1B 1B or a last 1B yields a
 * space (TS 23.038, 6.2.1.1).
 */
export function decodeGsm7(
  bytes: Uint8Array,
  start: number,
  end: number,
  alphabet: Gsm7Alphabet = GSM7_DEFAULT,
): string {
  const base = alphabet.base;
  let text = "";
  for (let i = start; i < end; i++) {
    const septet = bytes[i]! & 0x7f;
    if (septet !== ESCAPE) {
      text += base[septet]!;
      continue;
    }
    i++;
    const second = i < end ? bytes[i]! & 0x7f : ESCAPE;
    text += second === ESCAPE ? " " : (alphabet.extension.get(second) ?? base[second]!);
  }
  return text;
}
