/**
 * Packed GSM 7-bit (3GPP TS 23.038, 6.1.2.1): eight septets in seven octets, least significant bit
 * first.
 *
 *   octet 0 = s1[0] s0[6..0]   octet 1 = s2[1..0] s1[6..1]   …
 *
 * SMPP carries septets unpacked; this is for SMSCs that ask for packed octets in data_coding 0.
 * After a user data header the text starts on a septet boundary: `packedFillBits` zeros come first.
 * Where seven bits are left over at the end, a CR fills them (6.1.2.3.1), since SMPP gives no
 * length in septets. Pure; any thread may call it.
 */
import { NO_ROOM } from "../pdu/sentinels.ts";

const CARRIAGE_RETURN = 0x0d;

/**
 * Zero bits between a header of `udhLength` octets and the first septet: 1 for 6 octets, 0 for 7.
 */
export function packedFillBits(udhLength: number): number {
  return (7 - ((udhLength * 8) % 7)) % 7;
}

/** Octets that `septets` septets take behind `fillBits` zero bits. */
export function packedLength(septets: number, fillBits: number): number {
  return Math.ceil((fillBits + septets * 7) / 8);
}

/**
 * Packs the septets in bytes [start, end) into `out` at `at`, behind `fillBits` zero bits. Returns
 * the number of octets written, or NO_ROOM. Bit 7 of each septet is ignored.
 */
export function packSeptets(
  bytes: Uint8Array,
  start: number,
  end: number,
  fillBits: number,
  out: Uint8Array,
  at: number,
): number {
  const length = packedLength(end - start, fillBits);
  if (at + length > out.length) return NO_ROOM;
  let bits = fillBits;
  let held = 0;
  let p = at;
  for (let i = start; i < end; i++) {
    held |= (bytes[i]! & 0x7f) << bits;
    bits += 7;
    if (bits >= 8) {
      out[p++] = held;
      held >>>= 8;
      bits -= 8;
    }
  }
  if (bits === 1) held |= CARRIAGE_RETURN << 1;
  if (bits > 0) out[p++] = held;
  return p - at;
}

/**
 * Unpacks the octets in bytes [start, end) behind `fillBits` zero bits into septets at `out[at]`.
 * Returns the number of septets, or NO_ROOM. A CR in a last place that was only padding is dropped.
 */
export function unpackSeptets(
  bytes: Uint8Array,
  start: number,
  end: number,
  fillBits: number,
  out: Uint8Array,
  at: number,
): number {
  const total = (end - start) * 8 - fillBits;
  let count = total < 0 ? 0 : Math.floor(total / 7);
  if (at + count > out.length) return NO_ROOM;
  let held = 0;
  let bits = 0;
  let p = at;
  let skip = fillBits;
  for (let i = start; i < end; i++) {
    held |= (bytes[i]! >>> skip) << bits;
    bits += 8 - skip;
    skip = 0;
    while (bits >= 7 && p < at + count) {
      out[p++] = held & 0x7f;
      held >>>= 7;
      bits -= 7;
    }
  }
  if (count > 0 && total === count * 7 && out[at + count - 1] === CARRIAGE_RETURN) count--;
  return count;
}
