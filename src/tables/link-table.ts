/**
 * What threads share about links and their sessions: 16 Int32 words each, a cache line.
 *
 *   link     PACE_DUE        when the next segment is due (smpp/pace/pace.ts); any worker,
 *                            compare-and-exchange
 *            PACE_MILLI      adaptive pace, 1/1000 segment/s, 0 = at the contract; likewise
 *            PREPARED        segments with a SENDING, not yet written; any worker, atomic add
 *            PACE_CUT_MS     monotonic ms (wraps) of the last cut of the pace; compare-and-exchange
 *            PACE_HOLD_MS    … until which it is not raised; written by who cut
 *            PACE_RAISE_MS   … of its last raise; compare-and-exchange
 *            WRITTEN         segments written since start (wraps); any worker, atomic add
 *            STALLS          times it could send and did not, since start; any worker, atomic add
 *            ID_BASE         how ids in its receipts are read: index into ID_BASE_NAMES plus 1, 0:
 *                            not pinned; the ledger
 *            ID_MATCHES      … and the four words behind: receipts by ID_TRANSFORM_NAMES (wrap);
 *                            the ledger
 *   session  STATE           SessionState of its main connection; its worker
 *            WINDOW_USED     submits without an answer; its worker
 *            BINDS           successful binds since start; its worker
 *            PROGRESS_MS     monotonic ms (wraps) of the last answer; its worker
 *            RECEIVER_STATE  SessionState of a pair's receiver; its worker
 *            SENT … LOST     since start (wrap): segments written, accepted, refused, throttled,
 *                            ambiguous; receipts; connections lost; its worker
 */
export const LinkWord = {
  PACE_DUE: 0,
  PACE_MILLI: 1,
  PREPARED: 2,
  PACE_CUT_MS: 3,
  PACE_HOLD_MS: 4,
  PACE_RAISE_MS: 5,
  WRITTEN: 6,
  STALLS: 7,
  ID_BASE: 8,
  ID_MATCHES: 9,
} as const;
/** How an id in a receipt is read to be the one in the answer. */
export const ID_BASE_NAMES = ["same", "decimal_of_hex", "hex_of_decimal"] as const;
/** What had to be done to an id in a receipt to find its message. */
export const ID_TRANSFORM_NAMES = [
  "exact",
  "letter_case",
  "leading_zeros",
  "decimal_of_hex",
  "hex_of_decimal",
] as const;
export const SessionWord = {
  STATE: 0,
  WINDOW_USED: 1,
  BINDS: 2,
  PROGRESS_MS: 3,
  RECEIVER_STATE: 4,
  SENT: 5,
  ACCEPTED: 6,
  REFUSED: 7,
  THROTTLED: 8,
  AMBIGUOUS: 9,
  RECEIPTS: 10,
  LOST: 11,
} as const;
export const WORDS_PER_ROW = 16;

export const SessionState = {
  CLOSED: 0,
  CONNECTING: 1,
  BINDING: 2,
  BOUND: 3,
  UNBINDING: 4,
  BACKOFF: 5,
} as const;
export const SESSION_STATE_NAMES = [
  "closed",
  "connecting",
  "binding",
  "bound",
  "unbinding",
  "backoff",
] as const;

/** Words of the dial table: one bucket for each host (smpp/session/dial-limiter.ts). */
export const DIAL_WORDS = 256;

/** Memory of the dial table. */
export function allocateDials(): SharedArrayBuffer {
  return new SharedArrayBuffer(DIAL_WORDS * 4);
}

/** Memory for `rows` rows: one table of links, one of sessions. */
export function allocateRows(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, rows) * WORDS_PER_ROW * 4);
}

/** Index of `word` of row `row` in the table's Int32Array. */
export function rowWord(row: number, word: number): number {
  return row * WORDS_PER_ROW + word;
}
