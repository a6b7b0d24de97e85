/**
 * UCS-2 as handsets understand it: UTF-16, big-endian, no byte order mark. Two octets a unit.
 *
 * Pure; any thread may call it.
 */
import { NO_ROOM } from "../pdu/sentinels.ts";

const REPLACEMENT = 0xfffd;

/** True for the first unit of a surrogate pair. */
export function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

/** True for the second unit of a surrogate pair. */
export function isLowSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}

/**
 * Encodes `text` into `out` at `at` and returns the octets written (2 × text.length), or NO_ROOM. A
 * lone surrogate is written as U+FFFD; callers that would rather refuse it ask
 * `text.isWellFormed()`.
 */
export function encodeUcs2(text: string, out: Uint8Array, at: number): number {
  const length = text.length;
  if (at + length * 2 > out.length) return NO_ROOM;
  let p = at;
  for (let i = 0; i < length; i++) {
    let unit = text.charCodeAt(i);
    if ((unit & 0xf800) === 0xd800) {
      const low = i + 1 < length ? text.charCodeAt(i + 1) : 0;
      if (isHighSurrogate(unit) && isLowSurrogate(low)) {
        out[p] = unit >>> 8;
        out[p + 1] = unit;
        p += 2;
        i++;
        unit = low;
      } else {
        unit = REPLACEMENT;
      }
    }
    out[p] = unit >>> 8;
    out[p + 1] = unit;
    p += 2;
  }
  return p - at;
}

/**
 * Decodes UTF-16BE in bytes [start, end); an odd last octet is dropped, lone surrogates become
 * U+FFFD.
 */
export function decodeUcs2(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i + 1 < end; i += 2) {
    let unit = (bytes[i]! << 8) | bytes[i + 1]!;
    if ((unit & 0xf800) === 0xd800) {
      const low = i + 3 < end ? (bytes[i + 2]! << 8) | bytes[i + 3]! : 0;
      if (isHighSurrogate(unit) && isLowSurrogate(low)) {
        text += String.fromCharCode(unit, low);
        i += 2;
        continue;
      }
      unit = REPLACEMENT;
    }
    text += String.fromCharCode(unit);
  }
  return text;
}
