/**
 * Walks and writes TLVs in place, without allocating.
 *
 *   | tag 2 | length 2 | value … | tag 2 | length 2 | value … |      length counts the value alone
 *             ^ findTlv returns the offset of the value; its length stands two octets before it
 *
 * Every step is bounded by the range's end. Pure; any thread may call it.
 */
import { readUint16, writeUint16 } from "./frame.ts";
import { FIELD_TOO_LONG, NO_ROOM } from "./sentinels.ts";

/** Octets before each value. */
export const TLV_HEADER_LENGTH = 4;

/**
 * Where the last whole TLV in [start, end) ends; equals `end` if and only if the stream is sound.
 */
export function tlvStreamEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at + TLV_HEADER_LENGTH <= end) {
    const next = at + TLV_HEADER_LENGTH + readUint16(bytes, at + 2);
    if (next > end) return at;
    at = next;
  }
  return at;
}

/**
 * The offset of the value of the first TLV with this tag in [start, end), or -1. Its length is
 * `tlvLengthAt(bytes, offset)` and reaches no further than `end`. Use the value's end as `start` to
 * find the next one of the same tag.
 */
export function findTlv(bytes: Uint8Array, start: number, end: number, tag: number): number {
  let at = start;
  while (at + TLV_HEADER_LENGTH <= end) {
    const value = at + TLV_HEADER_LENGTH;
    const next = value + readUint16(bytes, at + 2);
    if (next > end) return -1;
    if (readUint16(bytes, at) === tag) return value;
    at = next;
  }
  return -1;
}

/** The tag of the TLV whose value starts at `value`. */
export function tlvTagAt(bytes: Uint8Array, value: number): number {
  return readUint16(bytes, value - 4);
}

/** The length of the TLV whose value starts at `value`. */
export function tlvLengthAt(bytes: Uint8Array, value: number): number {
  return readUint16(bytes, value - 2);
}

/**
 * Iterates: the offset of the first value at or after the TLV header at `at`, or -1 at the end.
 *
 *   for (let v = firstTlv(b, s, e); v >= 0; v = nextTlv(b, v, e)) … tlvTagAt(b, v) …
 */
export function firstTlv(bytes: Uint8Array, at: number, end: number): number {
  const value = at + TLV_HEADER_LENGTH;
  if (value > end || value + readUint16(bytes, at + 2) > end) return -1;
  return value;
}

/** The offset of the value after the one at `value`, or -1 at the end. */
export function nextTlv(bytes: Uint8Array, value: number, end: number): number {
  return firstTlv(bytes, value + readUint16(bytes, value - 2), end);
}

/**
 * The unsigned integer value of a 1, 2 or 4-octet TLV, whatever size the peer chose; 0 if it is
 * empty.
 */
export function readTlvInteger(bytes: Uint8Array, value: number): number {
  const length = tlvLengthAt(bytes, value);
  let result = 0;
  for (let i = 0; i < length && i < 4; i++) result = ((result << 8) | bytes[value + i]!) >>> 0;
  return result;
}

/**
 * The end of a TLV's C-octet string: its NUL, or the value's end where the peer left the NUL out.
 */
export function tlvCStringEnd(bytes: Uint8Array, value: number): number {
  const end = value + tlvLengthAt(bytes, value);
  let at = value;
  while (at < end && bytes[at] !== 0) at++;
  return at;
}

/**
 * Writes a TLV with an integer value of 1, 2 or 4 octets; returns the offset after it, or NO_ROOM.
 */
export function writeTlvInteger(
  out: Uint8Array,
  at: number,
  tag: number,
  value: number,
  length: number,
): number {
  if (at + TLV_HEADER_LENGTH + length > out.length) return NO_ROOM;
  writeUint16(out, at, tag);
  writeUint16(out, at + 2, length);
  for (let i = 0; i < length; i++) out[at + 4 + i] = value >>> ((length - 1 - i) * 8);
  return at + TLV_HEADER_LENGTH + length;
}

/** Writes a TLV whose value is bytes [start, end); returns the offset after it, or a sentinel. */
export function writeTlvBytes(
  out: Uint8Array,
  at: number,
  tag: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  if (length > 0xffff) return FIELD_TOO_LONG;
  if (at + TLV_HEADER_LENGTH + length > out.length) return NO_ROOM;
  writeUint16(out, at, tag);
  writeUint16(out, at + 2, length);
  for (let i = 0; i < length; i++) out[at + 4 + i] = bytes[start + i]!;
  return at + TLV_HEADER_LENGTH + length;
}
