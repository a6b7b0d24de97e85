/**
 * Every record type, on rings and in the log, with its version. docs/JOURNAL.md says what each one
 * means.
 *
 * Types below 64 are durable (staged, committed, replayed); types from 64 live on rings only.
 */
export const RecordType = {
  STARTED: 1,
  ACCEPT: 2,
  SENDING: 3,
  ANSWER: 4,
  AMBIGUOUS: 5,
  CONCLUDED: 6,
  RECEIPT: 7,
  REFUSED: 8,
  RESOLVED: 9,

  SUBMIT: 64,
  SUBMIT_REFERENCE: 65,
  RETURN: 66,
  COMMIT_NOTICE: 67,
  CANCEL: 68,
  CANCEL_REFUSED: 69,
} as const;

/** Version written in every record's header; a reader refuses a higher one. */
export const RECORD_VERSION = 1;

/**
 * Header flags, reserved for encrypted bodies: cipher (low nibble) and key id (high nibble). Always
 * 0 now.
 */
export const RECORD_FLAGS_PLAIN = 0;

/** Traffic class of a message; sets priority, validity and what an ambiguous submit leads to. */
export const MessageClass = { OTP: 0, TRANSACTIONAL: 1, PROMOTIONAL: 2 } as const;
/** Words of the API, by MessageClass value. */
export const MESSAGE_CLASS_NAMES = ["otp", "transactional", "promotional"] as const;

/** Which receipts the sender asked for. */
export const DlrMode = { NONE: 0, FINAL: 1, ALL: 2 } as const;
export const DLR_MODE_NAMES = ["none", "final", "all"] as const;

/** How the body of a message is encoded. */
export const BodyEncoding = {
  GSM7: 0,
  UCS2: 1,
  LATIN1: 2,
  BINARY: 3,
  ASCII: 4,
  GSM7_PACKED: 5,
} as const;

/** How the segments of a message are counted, in words of the API, by BodyEncoding. */
export const BODY_ENCODING_NAMES = ["gsm7", "ucs2", "latin1", "binary", "gsm7", "gsm7"] as const;

/**
 * The word for a body of this layout. What goes out as data_coding 0 in Latin-1 is turned into GSM
 * 7-bit by the SMSC and was counted so.
 */
export function bodyEncodingName(encoding: number, dataCoding: number): string {
  if (encoding === BodyEncoding.LATIN1 && dataCoding === 0) return "gsm7";
  return BODY_ENCODING_NAMES[encoding as 0] ?? "binary";
}

/** Why a message is a dead letter: words of the API, by the code that the ledger stores. */
export const DEAD_REASONS = [
  "attempts_over",
  "validity_over",
  "unsendable",
  "quarantined",
] as const;
export type DeadReason = (typeof DEAD_REASONS)[number];

export const PRIORITY_COUNT = 4;

/** Parts that one message may have. */
export const PARTS_MAX = 10;
