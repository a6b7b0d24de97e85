/**
 * RESOLVED: somebody decided about a held message.
 *
 *   0 header   8 sequence f64   16 origin u32   20 decision u8  21 reserved   24 at f64 (wall ms)
 */
import { RecordType } from "./types.ts";

export const Resolved = { SEQUENCE: 8, ORIGIN: 16, DECISION: 20, AT: 24 } as const;
export const RESOLVED_BYTES = 32;
export const RESOLVED_TYPE = RecordType.RESOLVED;

/** What is done with its held parts. */
export const Decision = {
  /** They are sent once more, flagged `maybe_dup`. */
  RESEND: 0,
  /** They are given up. */
  FAIL: 1,
} as const;
