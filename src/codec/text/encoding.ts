/**
 * Choosing among encodings, and encoding or decoding by the choice.
 *
 * Pure; any thread may call it.
 */
import { DATA_CODING } from "../pdu/field-values.ts";
import { NOT_ENCODABLE } from "../pdu/sentinels.ts";
import { decodeGsm7, encodeGsm7, gsm7Length } from "./gsm7.ts";
import { decodeLatin1, encodeAscii, encodeLatin1 } from "./latin1.ts";
import { decodeUcs2, encodeUcs2 } from "./ucs2.ts";

/** How a text is laid out in octets; small integers, so that records can hold them. */
export const ENCODING = {
  gsm7: 0,
  ucs2: 1,
  latin1: 2,
  binary: 3,
  ascii: 4,
  /**
   * Septets packed into octets; `encodeText` writes them unpacked, segments are packed one by one.
   */
  gsm7_packed: 5,
  /** Announced by the peer, not understood here: Japanese, Hebrew, Cyrillic, Korean code pages. */
  unknown: 6,
} as const;

export type EncodingName = keyof typeof ENCODING;

const NAMES = Object.keys(ENCODING) as EncodingName[];

/** The name of an ENCODING value, as the HTTP interface shows it. */
export function encodingNameOf(encoding: number): EncodingName | undefined {
  return NAMES[encoding];
}

/**
 * GSM 7-bit if every character of `text` is in the default alphabet or its extension, else UCS-2.
 */
export function chooseEncoding(text: string): number {
  return gsm7Length(text) >= 0 ? ENCODING.gsm7 : ENCODING.ucs2;
}

/** The most octets that `text` can take in any encoding: size buffers by it. */
export function encodedLengthMax(text: string): number {
  return text.length * 2;
}

/** Encodes by an ENCODING value; returns octets written, or NOT_ENCODABLE or NO_ROOM. */
export function encodeText(encoding: number, text: string, out: Uint8Array, at: number): number {
  if (encoding === ENCODING.gsm7 || encoding === ENCODING.gsm7_packed) {
    return encodeGsm7(text, out, at);
  }
  if (encoding === ENCODING.ucs2) return encodeUcs2(text, out, at);
  if (encoding === ENCODING.latin1) return encodeLatin1(text, out, at);
  if (encoding === ENCODING.ascii) return encodeAscii(text, out, at);
  return NOT_ENCODABLE;
}

/** Decodes bytes [start, end) by an ENCODING value; what is no text to us reads as
 * Latin-1. Packed septets are unpacked by `unpackSeptets` first. */
export function decodeText(
  encoding: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  if (encoding === ENCODING.gsm7 || encoding === ENCODING.gsm7_packed) {
    return decodeGsm7(bytes, start, end);
  }
  if (encoding === ENCODING.ucs2) return decodeUcs2(bytes, start, end);
  return decodeLatin1(bytes, start, end);
}

/** The data_coding that announces an ENCODING value. */
export function dataCodingOf(encoding: number): number {
  if (encoding === ENCODING.gsm7 || encoding === ENCODING.gsm7_packed) {
    return DATA_CODING.smsc_default;
  }
  if (encoding === ENCODING.ascii) return DATA_CODING.ia5;
  if (encoding === ENCODING.ucs2) return DATA_CODING.ucs2;
  if (encoding === ENCODING.latin1) return DATA_CODING.latin1;
  return DATA_CODING.binary;
}
