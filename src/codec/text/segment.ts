/**
 * Cuts an encoded text into segments without breaking a character.
 *
 *   one SMS holds 140 octets; a header of h octets takes its own out of them, which leaves
 *   gsm7: ⌊(140 − h) × 8 / 7⌋ septets   ucs2: ⌊(140 − h) / 2⌋ units   latin1, binary: 140 − h
 *
 * A cut never falls inside 1B xx or a surrogate pair. Where it costs no further segment, it does
 * not fall inside a grapheme either (joined emoji, variation selectors, combining marks, skin
 * tones, flags). Pure; any thread may call it.
 */
import { SEGMENT_TOO_SMALL, TOO_MANY_SEGMENTS } from "../pdu/sentinels.ts";
import { ENCODING } from "./encoding.ts";
import { ESCAPE } from "./gsm7-alphabet.ts";
import { unitJoinsBefore } from "./grapheme.ts";
import { CONCAT_UDH16_LENGTH, CONCAT_UDH8_LENGTH } from "./udh.ts";

/**
 * How the parts of a long message find each other; small integers, so that records can hold them.
 */
export const CONCAT_METHOD = {
  udh8: 0,
  udh16: 1,
  /** sar_* TLVs, of which the SMSC builds a header with 8 bits. */
  sar: 2,
  payload: 3,
  /** sar_* TLVs, of which the SMSC builds a header with 16 bits. */
  sar16: 4,
} as const;

/** The most segments that any method can number. */
export const SEGMENTS_MAX = 255;
/** Octets of user data in one SMS (TS 23.040, 9.2.3.16). */
export const USER_DATA_LENGTH_MAX = 140;

/** True if the text is planned in septets; packing does not change how many fit. */
function isSeptets(encoding: number): boolean {
  return encoding === ENCODING.gsm7 || encoding === ENCODING.gsm7_packed;
}

/** The octets of text that fit one SMS beside a header of `udhLength` octets, unpacked for gsm7. */
export function segmentCapacity(encoding: number, udhLength: number): number {
  const octets = USER_DATA_LENGTH_MAX - udhLength;
  if (octets <= 0) return 0;
  if (isSeptets(encoding)) return Math.floor((octets * 8) / 7);
  if (encoding === ENCODING.ucs2) return octets & ~1;
  return octets;
}

/** Bits of a method's references: 8, 16, or 0 where the SMSC chooses them. */
export function referenceBits(method: number): 0 | 8 | 16 {
  if (method === CONCAT_METHOD.payload) return 0;
  return method === CONCAT_METHOD.udh16 || method === CONCAT_METHOD.sar16 ? 16 : 8;
}

/** The method that does the same with references of 16 bits. */
export function widened(method: number): number {
  if (method === CONCAT_METHOD.udh8) return CONCAT_METHOD.udh16;
  return method === CONCAT_METHOD.sar ? CONCAT_METHOD.sar16 : method;
}

/** Whether the method numbers parts by sar_* TLVs. */
export function isSar(method: number): boolean {
  return method === CONCAT_METHOD.sar || method === CONCAT_METHOD.sar16;
}

/**
 * The octets that a concatenation method takes from each part, at the latest when the SMSC turns
 * sar_* TLVs into a header.
 */
export function concatHeaderLength(method: number): number {
  if (method === CONCAT_METHOD.payload) return 0;
  return referenceBits(method) === 16 ? CONCAT_UDH16_LENGTH : CONCAT_UDH8_LENGTH;
}

/** True if the octet before `at` is an escape whose second septet would be cut off at `at`. */
function splitsEscape(bytes: Uint8Array, start: number, at: number): boolean {
  let run = 0;
  while (at - 1 - run >= start && bytes[at - 1 - run] === ESCAPE) run++;
  return (run & 1) === 1;
}

/**
 * The last offset ≤ `at` that breaks no escape and no surrogate pair; `at` lies inside the text.
 */
function characterCut(encoding: number, bytes: Uint8Array, start: number, at: number): number {
  if (isSeptets(encoding)) return splitsEscape(bytes, start, at) ? at - 1 : at;
  if (encoding === ENCODING.ucs2) {
    const splitsPair = (bytes[at - 2]! & 0xfc) === 0xd8 && (bytes[at]! & 0xfc) === 0xdc;
    return splitsPair ? at - 2 : at;
  }
  return at;
}

/** Counts segments from `from` with character cuts alone: the fewest possible. */
function countFrom(
  encoding: number,
  bytes: Uint8Array,
  from: number,
  end: number,
  capacity: number,
): number {
  let count = 1;
  while (end - from > capacity) {
    const cut = characterCut(encoding, bytes, from, from + capacity);
    if (cut <= from) return SEGMENT_TOO_SMALL;
    from = cut;
    count++;
  }
  return count;
}

/** The last offset in (from, cut] that breaks no grapheme, or `cut` if the whole segment is one. */
function graphemeCut(bytes: Uint8Array, from: number, cut: number, end: number): number {
  let at = cut;
  while (at > from && unitJoinsBefore(bytes, from, at, end)) at -= 2;
  return at > from ? at : cut;
}

/**
 * Plans the segments of the encoded text in bytes [start, end): fills `ends` with the end of each
 * one, relative to `start`, and returns their count.
 *
 * `capacitySingle` and `capacityPart` are octets of text (`segmentCapacity`), of which ucs2 needs
 * even ones. An empty text is one segment. Returns TOO_MANY_SEGMENTS beyond `segmentsMax` or the
 * size of `ends`, SEGMENT_TOO_SMALL if a character does not fit a part.
 */
export function planSegments(
  encoding: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  capacitySingle: number,
  capacityPart: number,
  segmentsMax: number,
  ends: Uint16Array,
): number {
  if (segmentsMax < 1 || ends.length < 1) return TOO_MANY_SEGMENTS;
  if (end - start <= capacitySingle) {
    ends[0] = end - start;
    return 1;
  }
  if (capacityPart < 1) return SEGMENT_TOO_SMALL;
  const limit = Math.min(segmentsMax, ends.length, SEGMENTS_MAX);
  // Every part but the last carries at least capacity - 2 octets of text, so this refuses long
  // texts early.
  if (end - start > limit * capacityPart) return TOO_MANY_SEGMENTS;
  const countMin = countFrom(encoding, bytes, start, end, capacityPart);
  if (countMin < 0) return countMin;
  if (countMin > limit) return TOO_MANY_SEGMENTS;
  let from = start;
  let count = 0;
  while (end - from > capacityPart) {
    let cut = characterCut(encoding, bytes, from, from + capacityPart);
    if (encoding === ENCODING.ucs2) {
      const soft = graphemeCut(bytes, from, cut, end);
      const total = soft === cut ? 0 : countFrom(encoding, bytes, soft, end, capacityPart);
      if (total > 0 && count + 1 + total <= countMin) cut = soft;
    }
    ends[count++] = cut - start;
    from = cut;
  }
  ends[count++] = end - start;
  return count;
}

/**
 * `planSegments` with the sizes of a concatenation method (CONCAT_METHOD): the method's header, and
 * `extraUdhLength` octets of other information elements, which every segment repeats. If there are
 * any, they bring their own length octet when no concatenation header does.
 */
export function planByMethod(
  encoding: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  method: number,
  extraUdhLength: number,
  segmentsMax: number,
  ends: Uint16Array,
): number {
  if (method === CONCAT_METHOD.payload) {
    if (end - start > 0xffff) return TOO_MANY_SEGMENTS;
    ends[0] = end - start;
    return 1;
  }
  const single = segmentCapacity(encoding, extraUdhLength === 0 ? 0 : extraUdhLength + 1);
  const part = segmentCapacity(encoding, concatHeaderLength(method) + extraUdhLength);
  return planSegments(encoding, bytes, start, end, single, part, segmentsMax, ends);
}
