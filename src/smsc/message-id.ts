/**
 * SMSC ids: one growing number, written the way different operators write it in answers and in
 * receipts.
 *
 *   format                    submit_sm_resp      receipt
 *   decimal                   1000000001          1000000001
 *   hex                       3b9aca01            3b9aca01
 *   uuid                      8 4 4 4 12 hex digits that depend on the number alone
 *   hex-resp-decimal-receipt  3b9aca01            1000000001
 *   zero-padded               001000000001        1000000001
 *
 * Written straight into the caller's bytes; nothing allocates. Pure; any thread may call it.
 */
import { drawOf } from "./random.ts";

export const ID_FORMATS = [
  "decimal",
  "hex",
  "uuid",
  "hex-resp-decimal-receipt",
  "zero-padded",
] as const;

export type IdFormat = (typeof ID_FORMATS)[number];

/** Longest id of any format, in octets. */
export const ID_LENGTH_MAX = 36;
/** Digits of a zero-padded id. */
const PADDED_DIGITS = 12;

const WRITE_DECIMAL = 0;
const WRITE_HEX = 1;
const WRITE_UUID = 2;
const WRITE_PADDED = 3;

/** How a format writes an id: in the answer, and in the receipt. */
export interface IdWriting {
  readonly answer: number;
  readonly receipt: number;
}

const WRITINGS: Readonly<Record<IdFormat, IdWriting>> = {
  decimal: { answer: WRITE_DECIMAL, receipt: WRITE_DECIMAL },
  hex: { answer: WRITE_HEX, receipt: WRITE_HEX },
  uuid: { answer: WRITE_UUID, receipt: WRITE_UUID },
  "hex-resp-decimal-receipt": { answer: WRITE_HEX, receipt: WRITE_DECIMAL },
  "zero-padded": { answer: WRITE_PADDED, receipt: WRITE_DECIMAL },
};

export function idWritingOf(format: IdFormat): IdWriting {
  return WRITINGS[format];
}

const HALF = 100_000_000;

/**
 * Writes the digits of an integer below 10^8, at least `digits` of them; returns the offset after
 * them.
 */
function writeDigits(out: Uint8Array, at: number, value: number, digits: number): number {
  let length = digits;
  for (let rest = value, i = 0; rest > 0; i++) {
    rest = (rest / 10) | 0;
    if (i >= length) length = i + 1;
  }
  let left = value | 0;
  for (let i = at + length - 1; i >= at; i--) {
    const tenth = (left / 10) | 0;
    out[i] = 0x30 + left - tenth * 10;
    left = tenth;
  }
  return at + length;
}

/**
 * Writes a whole number below 2^53 in decimal, with leading zeros up to `digits`; returns the
 * offset after it.
 */
export function writeDecimal(out: Uint8Array, at: number, value: number, digits = 1): number {
  if (value < HALF) return writeDigits(out, at, value, digits);
  const high = Math.floor(value / HALF);
  const low = value - high * HALF;
  const after = writeDigits(out, at, high, digits > 8 ? digits - 8 : 1);
  return writeDigits(out, after, low, 8);
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value;
}

/** Writes `digits` hexadecimal digits of a 32-bit word. */
function writeHexWord(out: Uint8Array, at: number, word: number, digits: number): number {
  for (let i = 0; i < digits; i++) {
    out[at + i] = hexDigit((word >>> ((digits - 1 - i) * 4)) & 0xf);
  }
  return at + digits;
}

function hexDigitsOf(word: number): number {
  return word === 0 ? 1 : 8 - (Math.clz32(word) >> 2);
}

function writeHex(out: Uint8Array, at: number, value: number): number {
  const high = Math.floor(value / 0x1_0000_0000);
  const low = value >>> 0;
  if (high === 0) return writeHexWord(out, at, low, hexDigitsOf(low));
  return writeHexWord(out, writeHexWord(out, at, high, hexDigitsOf(high)), low, 8);
}

function writeUuid(out: Uint8Array, at: number, value: number): number {
  const low = value >>> 0;
  const high = Math.floor(value / 0x1_0000_0000);
  const second = drawOf(low ^ Math.imul(high, 0x9e37_79b1));
  const third = drawOf(second ^ low);
  let p = writeHexWord(out, at, low, 8);
  out[p] = 0x2d;
  p = writeHexWord(out, p + 1, high & 0xffff, 4);
  out[p] = 0x2d;
  // Version 8 (RFC 9562): the content is the maker's own.
  p = writeHexWord(out, p + 1, 0x8000 | (second & 0xfff), 4);
  out[p] = 0x2d;
  p = writeHexWord(out, p + 1, 0x8000 | ((second >>> 12) & 0x3fff), 4);
  out[p] = 0x2d;
  p = writeHexWord(out, p + 1, third >>> 16, 4);
  return writeHexWord(out, p, Math.imul(third, 0x85eb_ca6b), 8);
}

/**
 * Writes an id in one writing of `IdWriting`; returns the offset after it. Needs ID_LENGTH_MAX
 * octets of room.
 */
export function writeMessageId(
  out: Uint8Array,
  at: number,
  writing: number,
  value: number,
): number {
  if (writing === WRITE_DECIMAL) return writeDecimal(out, at, value);
  if (writing === WRITE_HEX) return writeHex(out, at, value);
  if (writing === WRITE_PADDED) return writeDecimal(out, at, value, PADDED_DIGITS);
  return writeUuid(out, at, value);
}
