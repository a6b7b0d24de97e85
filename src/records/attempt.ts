/**
 * Records about one attempt at one part of a message; they share their first 48 bytes.
 *
 *   0  header        8  sequence f64    16 origin u32     20 link_id u32
 *   24 at f64 (wall ms)                 32 part u8 (0-based)  33 attempt u8 (1-based)
 *   34 flags u8      35 session u8      36 command_status u32
 *   40 outcome u8 (ANSWER) or cause u8 (AMBIGUOUS)            41 smsc_id length u8
 *   42 concat_reference u16 (SENDING; 0: one part is all)  44 retry_after_ms u32
 *   48 smsc_id, as the SMSC sent it     (ANSWER only)
 *
 * SENDING is committed before the attempt's bytes go to a socket. The parts of a message find each
 * other at the handset by the reference in their SENDINGs, drawn for the first of them. ANSWER and
 * AMBIGUOUS end the attempt; a late ANSWER may follow an AMBIGUOUS.
 */
import { RecordType } from "./types.ts";

/** Offsets from the record's start. */
export const Attempt = {
  SEQUENCE: 8,
  ORIGIN: 16,
  LINK_ID: 20,
  AT: 24,
  PART: 32,
  ATTEMPT: 33,
  FLAGS: 34,
  SESSION: 35,
  COMMAND_STATUS: 36,
  OUTCOME: 40,
  SMSC_ID_LENGTH: 41,
  CONCAT_REFERENCE: 42,
  RETRY_AFTER_MS: 44,
  SMSC_ID: 48,
} as const;

export const ATTEMPT_BYTES = 48;
export const SENDING_TYPE = RecordType.SENDING;
export const ANSWER_TYPE = RecordType.ANSWER;
export const AMBIGUOUS_TYPE = RecordType.AMBIGUOUS;

/**
 * Flag of SENDING, ANSWER, AMBIGUOUS: an earlier attempt at this part may have reached the SMSC.
 */
export const FLAG_MAYBE_DUP = 1;

/** What an answer means for the part. */
export const Outcome = {
  /** The SMSC took it. */
  ACCEPTED: 0,
  /** Refused for good. */
  REJECTED: 1,
  /** Refused for now: the ledger sends it again after `retry_after_ms`. */
  RETRY: 2,
  /**
   * Throttled: the worker keeps its place and sends it again on the same link; the ledger only
   * notes it.
   */
  KEPT: 3,
  /** Refused for now, but this was the last attempt: as final as REJECTED. */
  EXHAUSTED: 4,
} as const;

/** Why it is not known whether the SMSC has the part. */
export const AmbiguousCause = { SESSION_LOST: 0, RESPONSE_TIMEOUT: 1 } as const;

/**
 * command_status of an ANSWER that no SMSC gave: the attempt's bytes were never written to a socket
 * (its session was lost first: KEPT), or cannot be (the PDU does not encode: REJECTED). The attempt
 * surely had no effect. RETRY with it, without a SENDING: the attempt was put off, since no
 * concatenation reference was free; the next one has the same number.
 */
export const NOT_WRITTEN = 0xffffffff;

/** Longest SMSC id that is kept, in bytes (C-Octet String of 65 without its NUL). */
export const SMSC_ID_BYTES_MAX = 64;
