/**
 * Records between a producer and an SMPP worker; they live on rings only.
 *
 * SUBMIT and SUBMIT_REFERENCE (producer → worker, submit ring):
 *   0  header   8 log_offset f64 (of the ACCEPT)   16 pool_index u16   18 priority u8
 *   19 attempt u8 (of its next sending)
 *   20 parts u16: bit i set = part i is to be sent, PARTS_ALL = every part it has
 *   22 flags u8 (FLAG_MAYBE_DUP)   23 reserved u8
 *   24 link_id u32: only this link may send it, 0 = any of the pool    28 app_index u32
 *   32 concat_reference u16 of the parts that were sent, 0 = none was   34 reserved u8 × 6
 *   40 the ACCEPT record, whole (SUBMIT only; a SUBMIT_REFERENCE's is read from the log)
 *
 * RETURN (worker → producer, return ring): the first 40 bytes again, for what the worker could not
 * place.
 *
 * CANCEL (producer → worker, submit ring): the first 16 bytes; give this message back if no part of
 * it was begun. The worker answers with its RETURN, or with CANCEL_REFUSED (return ring): the first
 * 16 bytes; it has not got the message, or has begun it.
 */
import { RecordType } from "./types.ts";

export const HandOver = {
  LOG_OFFSET: 8,
  POOL_INDEX: 16,
  PRIORITY: 18,
  ATTEMPT: 19,
  PARTS: 20,
  FLAGS: 22,
  LINK_ID: 24,
  APP_INDEX: 28,
  CONCAT_REFERENCE: 32,
  ACCEPT: 40,
} as const;
export const HAND_OVER_BYTES = 40;
export const SUBMIT_TYPE = RecordType.SUBMIT;
export const SUBMIT_REFERENCE_TYPE = RecordType.SUBMIT_REFERENCE;
export const RETURN_TYPE = RecordType.RETURN;

export const CANCEL_TYPE = RecordType.CANCEL;
export const CANCEL_REFUSED_TYPE = RecordType.CANCEL_REFUSED;
/** A CANCEL or CANCEL_REFUSED: header and log offset. */
export const CANCEL_BYTES = 16;

/** Every part, written by who does not know how many there are. */
export const PARTS_ALL = 0xffff;

/** Bit set of all parts of a message with `partCount` parts. */
export function allParts(partCount: number): number {
  return (1 << partCount) - 1;
}
