/**
 * The three sar_* TLVs that let an SMSC build the concatenation header (spec 5.3.2.22 to 24).
 *
 *   020C 0002 ref ref | 020E 0001 total | 020F 0001 seq       all three or none count
 *
 * Not to be used together with a user data header. Pure; any thread may call it.
 */
import { NO_ROOM } from "./sentinels.ts";
import { writeTlvInteger } from "./tlv.ts";
import { TLV_TAG } from "./tlv-tag.ts";

/** Octets of the three TLVs. */
export const SAR_TLVS_LENGTH = 16;

/**
 * Writes the TLVs of part `sequence` (from 1) of `total` to `out` at `at`; returns the offset after
 * them, or NO_ROOM. Keep references at 255 at most where the SMSC may build an 8-bit header of
 * them.
 */
export function writeSarTlvs(
  out: Uint8Array,
  at: number,
  reference: number,
  total: number,
  sequence: number,
): number {
  if (at + SAR_TLVS_LENGTH > out.length) return NO_ROOM;
  let p = writeTlvInteger(out, at, TLV_TAG.sar_msg_ref_num, reference, 2);
  p = writeTlvInteger(out, p, TLV_TAG.sar_total_segments, total, 1);
  return writeTlvInteger(out, p, TLV_TAG.sar_segment_seqnum, sequence, 1);
}
