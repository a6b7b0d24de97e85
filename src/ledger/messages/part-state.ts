/**
 * What is known of one part of a message, and how each record changes it.
 *
 *   rank:  WAITING, SCHEDULED 0 < SENDING 1 < AMBIGUOUS, HELD 2 < KEPT, RETRYING 3 < SENT, final 4
 *
 * Facts are merged by (attempt, rank): what is older or lower than what is known changes nothing,
 * so records may come twice or in another order and fold to the same state. SENT (the SMSC has it)
 * outranks every attempt; a final state is never left. Times are whole milliseconds of wall time.
 * The ledger's thread only.
 */
import { NOT_WRITTEN, Outcome } from "../../records/attempt.ts";
import { FLAG_EXHAUSTED, FLAG_MAYBE_DUP, getUint48, RowPart, setUint48 } from "./row-layout.ts";

export const PartState = {
  /** Never written; its owner may send it. */
  WAITING: 0,
  /** About to be written or written; no answer yet. */
  SENDING: 1,
  /** Throttled or never written after all; the worker keeps it. */
  KEPT: 2,
  /** Refused for now; sent again at `dueAt`. */
  RETRYING: 3,
  /** May have been written, never answered; sent again at `dueAt`. */
  AMBIGUOUS: 4,
  /** The same, but nobody sends it again; `unknown` when the validity ends. */
  HELD: 5,
  /** Not before `dueAt`, the time its sender asked for. */
  SCHEDULED: 6,
  /** Accepted by the SMSC, receipt awaited. */
  SENT: 7,
  /** Accepted by the SMSC, no receipt asked for. Final, as all below. */
  SENT_FINAL: 8,
  DELIVERED: 9,
  UNDELIVERED: 10,
  EXPIRED: 11,
  REJECTED: 12,
  FAILED: 13,
  UNKNOWN: 14,
  CANCELED: 15,
} as const;

export const PART_STATE_COUNT = 16;

/** Words of the API, by PartState. */
export const PART_STATUS = [
  "accepted",
  "submitted",
  "queued",
  "retrying",
  "ambiguous",
  "held",
  "scheduled",
  "sent",
  "sent",
  "delivered",
  "undelivered",
  "expired",
  "rejected",
  "failed",
  "unknown",
  "canceled",
] as const;

const RANK = [0, 1, 3, 3, 2, 2, 0, 4, 4, 4, 4, 4, 4, 4, 4, 4] as const;
/** Value of `receiptState` without a receipt. */
export const NO_RECEIPT = 255;

/** SMPP message_state values (spec 5.2.28) as receipts carry them. */
const RECEIPT_RESULT: readonly number[] = [
  -1, // SCHEDULED
  -1, // ENROUTE
  PartState.DELIVERED,
  PartState.EXPIRED,
  PartState.UNDELIVERED, // DELETED
  PartState.UNDELIVERED,
  -1, // ACCEPTED
  PartState.UNKNOWN,
  PartState.REJECTED,
  PartState.UNDELIVERED, // SKIPPED
];

/**
 * An id that an SMSC gave a part; a part has a second one only if it was sent twice and accepted
 * twice.
 */
export interface SmscId {
  readonly linkId: number;
  /** As received, one character a byte. */
  readonly id: string;
}

/**
 * One part, as bytes of its message's row (row-layout.ts): they are what the store gets. Only what
 * is of any length, or not stored, is kept beside them.
 */
export class PartRecord {
  /** The row, and where the part's fixed fields start in it. */
  readonly view: DataView;
  at: number;
  receiptError = "";
  ids: SmscId[] | null = null;
  /** The `dueAt` that stands in the store. */
  storedDueAt = 0;
  /** Whether the consequences of its end have been drawn. */
  isSettled = false;

  /** A part of which nothing is known; without arguments, of no message. */
  constructor(view: DataView = new DataView(new ArrayBuffer(RowPart.FIXED)), at = 0) {
    this.view = view;
    this.at = at;
    forgetAll(view, at);
  }

  /** Makes it a part of which nothing is known, at `at` of its row. */
  begin(at: number): void {
    this.at = at;
    forgetAll(this.view, at);
    this.receiptError = "";
    this.ids = null;
    this.storedDueAt = 0;
    this.isSettled = false;
  }

  get state(): number {
    return this.view.getUint8(this.at);
  }
  set state(state: number) {
    this.view.setUint8(this.at, state);
  }

  /** Highest attempt on record, 0 before the first. */
  get attempt(): number {
    return this.view.getUint8(this.at + RowPart.ATTEMPT);
  }
  set attempt(attempt: number) {
    this.view.setUint8(this.at + RowPart.ATTEMPT, attempt);
  }

  /** Link and session of that attempt. */
  get linkId(): number {
    return this.view.getUint32(this.at + RowPart.LINK_ID);
  }
  set linkId(linkId: number) {
    this.view.setUint32(this.at + RowPart.LINK_ID, linkId);
  }
  get session(): number {
    return this.view.getUint8(this.at + RowPart.SESSION);
  }
  set session(session: number) {
    this.view.setUint8(this.at + RowPart.SESSION, session);
  }

  /** Sent again after an attempt that may have reached the SMSC. */
  get maybeDup(): boolean {
    return this.#hasFlag(FLAG_MAYBE_DUP);
  }
  set maybeDup(isSet: boolean) {
    this.#setFlag(FLAG_MAYBE_DUP, isSet);
  }

  /** Whether it is rejected for want of further attempts. */
  get isExhausted(): boolean {
    return this.#hasFlag(FLAG_EXHAUSTED);
  }
  set isExhausted(isSet: boolean) {
    this.#setFlag(FLAG_EXHAUSTED, isSet);
  }

  /** Lowest and highest attempt that is ambiguous, 0 for none. */
  get firstAmbiguous(): number {
    return this.view.getUint8(this.at + RowPart.FIRST_AMBIGUOUS);
  }
  set firstAmbiguous(attempt: number) {
    this.view.setUint8(this.at + RowPart.FIRST_AMBIGUOUS, attempt);
  }
  get lastAmbiguous(): number {
    return this.view.getUint8(this.at + RowPart.LAST_AMBIGUOUS);
  }
  set lastAmbiguous(attempt: number) {
    this.view.setUint8(this.at + RowPart.LAST_AMBIGUOUS, attempt);
  }

  get commandStatus(): number {
    return this.view.getUint32(this.at + RowPart.COMMAND_STATUS);
  }
  set commandStatus(status: number) {
    this.view.setUint32(this.at + RowPart.COMMAND_STATUS, status);
  }

  get sendingAt(): number {
    return getUint48(this.view, this.at + RowPart.SENDING_AT);
  }
  set sendingAt(wallMs: number) {
    setUint48(this.view, this.at + RowPart.SENDING_AT, wallMs);
  }
  get answeredAt(): number {
    return getUint48(this.view, this.at + RowPart.ANSWERED_AT);
  }
  set answeredAt(wallMs: number) {
    setUint48(this.view, this.at + RowPart.ANSWERED_AT, wallMs);
  }

  /** When the ledger is to send it, 0 = not. */
  get dueAt(): number {
    return getUint48(this.view, this.at + RowPart.DUE_AT);
  }
  set dueAt(wallMs: number) {
    setUint48(this.view, this.at + RowPart.DUE_AT, wallMs);
  }
  get finalAt(): number {
    return getUint48(this.view, this.at + RowPart.FINAL_AT);
  }
  set finalAt(wallMs: number) {
    setUint48(this.view, this.at + RowPart.FINAL_AT, wallMs);
  }

  get receiptState(): number {
    return this.view.getUint8(this.at + RowPart.RECEIPT_STATE);
  }
  set receiptState(state: number) {
    this.view.setUint8(this.at + RowPart.RECEIPT_STATE, state);
  }
  get receiptAt(): number {
    return getUint48(this.view, this.at + RowPart.RECEIPT_AT);
  }
  set receiptAt(wallMs: number) {
    setUint48(this.view, this.at + RowPart.RECEIPT_AT, wallMs);
  }

  #hasFlag(flag: number): boolean {
    return (this.view.getUint8(this.at + RowPart.FLAGS) & flag) !== 0;
  }

  #setFlag(flag: number, isSet: boolean): void {
    const flags = this.view.getUint8(this.at + RowPart.FLAGS);
    this.view.setUint8(this.at + RowPart.FLAGS, isSet ? flags | flag : flags & ~flag);
  }
}

/** Makes the fixed fields at `at` those of a part of which nothing is known. */
function forgetAll(view: DataView, at: number): void {
  let i = 0;
  for (; i <= RowPart.FIXED - 8; i += 8) view.setFloat64(at + i, 0);
  for (; i < RowPart.FIXED; i++) view.setUint8(at + i, 0);
  view.setUint8(at + RowPart.RECEIPT_STATE, NO_RECEIPT);
}

export function isFinal(state: number): boolean {
  return state >= PartState.SENT_FINAL;
}

/** Whether the SMSC has not taken the part yet, so that its body may still be wanted. */
export function needsBody(state: number): boolean {
  return state < PartState.SENT;
}

/** Puts off parts that nobody has begun until `dueAt` (wall ms). */
export function schedule(parts: readonly PartRecord[], dueAt: number): void {
  for (const part of parts) {
    part.state = PartState.SCHEDULED;
    part.dueAt = dueAt;
  }
}

/** The time of scheduled parts has come: they wait like any others. */
export function unschedule(parts: readonly PartRecord[]): void {
  for (const part of parts) {
    if (part.state !== PartState.SCHEDULED) continue;
    part.state = PartState.WAITING;
    part.dueAt = 0;
  }
}

/** Keeps a part back that may be out, until it is settled or somebody decides about it. */
export function hold(part: PartRecord): void {
  part.state = PartState.HELD;
  part.dueAt = 0;
}

/** Ends the part; the first end stays. */
export function finish(part: PartRecord, state: number, at: number): void {
  if (isFinal(part.state)) return;
  part.state = state;
  part.finalAt = at;
  part.dueAt = 0;
}

/**
 * SENDING: returns whether anything is new. That a part was sent a second time stays true whatever
 * else is known: a late answer may have ended it while the resend was under way.
 */
export function mergeSending(
  part: PartRecord,
  attempt: number,
  at: number,
  linkId: number,
  session: number,
  maybeDup: boolean,
): boolean {
  const isFlagNew = maybeDup && !part.maybeDup;
  part.maybeDup ||= maybeDup;
  if (isFinal(part.state) || attempt < part.attempt) return isFlagNew;
  if (attempt === part.attempt && RANK[part.state] !== 0) {
    // The same number again, later than the refusal it follows: a new sending all the same.
    if (RANK[part.state] !== 3 || at <= part.answeredAt) return isFlagNew;
  }
  if (part.state === PartState.SENT) return true;
  part.state = PartState.SENDING;
  part.attempt = attempt;
  part.sendingAt = at;
  part.linkId = linkId;
  part.session = session;
  part.dueAt = 0;
  return true;
}

/**
 * ANSWER accepted; `account` is the link that its receipts are matched under. `isLast`: no receipt
 * was asked for, so this is the end. Returns whether anything is new.
 */
export function mergeAccepted(
  part: PartRecord,
  attempt: number,
  at: number,
  linkId: number,
  session: number,
  account: number,
  id: string,
  isLast: boolean,
): boolean {
  if (isFinal(part.state)) return false;
  if (part.state === PartState.SENT) return rememberId(part, account, id);
  part.state = PartState.SENT;
  part.attempt = Math.max(part.attempt, attempt);
  part.answeredAt = at;
  part.linkId = linkId;
  part.session = session;
  part.commandStatus = 0;
  part.dueAt = 0;
  rememberId(part, account, id);
  if (isLast) finish(part, PartState.SENT_FINAL, at);
  return true;
}

/**
 * ANSWER rejected, retry or kept; `dueAt` counts for retry only. Returns whether anything is new.
 */
export function mergeRefused(
  part: PartRecord,
  outcome: number,
  attempt: number,
  at: number,
  linkId: number,
  session: number,
  commandStatus: number,
  dueAt: number,
): boolean {
  if (isFinal(part.state) || part.state === PartState.SENT || attempt < part.attempt) return false;
  if (attempt === part.attempt && (RANK[part.state] as number) >= 3) return false;
  forgetAmbiguity(part, attempt);
  part.attempt = attempt;
  part.answeredAt = at;
  part.linkId = linkId;
  part.session = session;
  part.commandStatus = commandStatus;
  part.dueAt = 0;
  if (outcome === Outcome.REJECTED || outcome === Outcome.EXHAUSTED) {
    part.isExhausted = outcome === Outcome.EXHAUSTED;
    finish(part, PartState.REJECTED, at);
  } else if (outcome === Outcome.RETRY) {
    part.state = PartState.RETRYING;
    part.dueAt = dueAt;
  } else {
    part.state = PartState.KEPT;
  }
  return true;
}

/**
 * ANSWER retry of an attempt that was not begun: it goes on as it was before that attempt, at
 * `dueAt`. Returns whether anything is new.
 */
export function mergePutOff(part: PartRecord, attempt: number, at: number, dueAt: number): boolean {
  if (isFinal(part.state) || part.state === PartState.SENT || attempt < part.attempt) return false;
  if (attempt === part.attempt && (RANK[part.state] !== 3 || at < part.answeredAt)) return false;
  part.state = PartState.RETRYING;
  if (part.attempt !== 0) part.attempt = Math.max(part.attempt, attempt - 1);
  part.answeredAt = at;
  part.commandStatus = NOT_WRITTEN;
  part.dueAt = dueAt;
  return true;
}

/** Whether the part waits since the gateway could not send it, not since an operator refused it. */
export function isPutOff(part: PartRecord): boolean {
  return part.state === PartState.RETRYING && part.commandStatus === NOT_WRITTEN;
}

/**
 * Notes that `attempt` may have reached the SMSC. Returns whether it has to be decided what happens
 * now: that attempt is the last one, and nothing of higher rank is known of it.
 */
export function mergeAmbiguous(part: PartRecord, attempt: number): boolean {
  if (isFinal(part.state) || part.state === PartState.SENT) return false;
  const isLast =
    attempt > part.attempt || (attempt === part.attempt && (RANK[part.state] as number) < 3);
  if (attempt === part.attempt && !isLast) return false;
  const known = attempt === part.firstAmbiguous || attempt === part.lastAmbiguous;
  if (known && !(isLast && (RANK[part.state] as number) < 2)) return false;
  if (part.firstAmbiguous === 0 || attempt < part.firstAmbiguous) part.firstAmbiguous = attempt;
  if (attempt > part.lastAmbiguous) part.lastAmbiguous = attempt;
  if (attempt > part.attempt) part.attempt = attempt;
  return isLast || part.state === PartState.AMBIGUOUS;
}

/**
 * RECEIPT: the first final one ends the part, intermediate ones are noted. Returns whether anything
 * is new.
 */
export function mergeReceipt(
  part: PartRecord,
  messageState: number,
  error: string,
  at: number,
): boolean {
  if (isFinal(part.state)) return false;
  const result = RECEIPT_RESULT[messageState] ?? PartState.UNKNOWN;
  if (result < 0 && part.receiptState !== NO_RECEIPT && at <= part.receiptAt) return false;
  part.receiptState = messageState;
  part.receiptAt = at;
  part.receiptError = error;
  if (result >= 0) finish(part, result, at);
  return true;
}

/**
 * Whether an earlier or the last attempt may have put the part into the SMSC's hands without our
 * knowing.
 */
export function mayBeWritten(part: PartRecord): boolean {
  return part.state === PartState.AMBIGUOUS || part.firstAmbiguous !== 0;
}

function rememberId(part: PartRecord, linkId: number, id: string): boolean {
  if (id === "") return false;
  if (part.ids === null) {
    part.ids = [{ linkId, id }];
    return true;
  }
  for (const known of part.ids) if (known.linkId === linkId && known.id === id) return false;
  if (part.ids.length >= SMSC_IDS_MAX) return false;
  part.ids.push({ linkId, id });
  return true;
}

const SMSC_IDS_MAX = 4;

function forgetAmbiguity(part: PartRecord, attempt: number): void {
  if (part.firstAmbiguous === attempt && part.lastAmbiguous === attempt) {
    part.firstAmbiguous = 0;
    part.lastAmbiguous = 0;
  } else if (part.firstAmbiguous === attempt) {
    part.firstAmbiguous = part.lastAmbiguous;
  } else if (part.lastAmbiguous === attempt) {
    part.lastAmbiguous = part.firstAmbiguous;
  }
}
