/**
 * What stands where in the two lines of a message of one part. Any thread.
 */

/** What differs, in the order of a line, and where lines go on: indexes into `places`. */
export const Place = {
  ROW: 0,
  KEY: 1,
  /** Of four. */
  TEXTS: 2,
  LINK: 6,
  SESSION: 7,
  SMSC_ID: 8,
  ACCEPTED_AT: 9,
  SENT_AT: 10,
  ANSWERED_AT: 11,
  RECEIPT_AT: 12,
  FINAL_AT: 13,
  RECORDED_AT: 14,
  /** From here on the message's line is as the part's. */
  REST: 15,
  END: 16,
  ROW_AGAIN: 17,
  KEY_AGAIN: 18,
  REST_AGAIN: 19,
} as const;
export const PLACE_COUNT = 20;
