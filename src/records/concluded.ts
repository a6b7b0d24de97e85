/**
 * CONCLUDED: the gateway itself ends a message, or the parts of it that were never sent.
 *
 *   0 header   8 sequence f64   16 origin u32   20 verdict u8  21 reserved   24 at f64 (wall ms)
 */
import { RecordType } from "./types.ts";

export const Concluded = { SEQUENCE: 8, ORIGIN: 16, VERDICT: 20, AT: 24 } as const;
export const CONCLUDED_BYTES = 32;
export const CONCLUDED_TYPE = RecordType.CONCLUDED;

/** Why the gateway gave the message up. */
export const Verdict = {
  /** Its validity ended before it could be sent. */
  EXPIRED: 0,
  /** It cannot be encoded or its pool no longer exists. */
  UNSENDABLE: 1,
  /** Its record was in hand at two crashes. */
  QUARANTINED: 2,
  /** Its sender took it back before any part was handed over. */
  CANCELED: 3,
} as const;
