/**
 * A message as the ledger knows it, and the one table that folds its parts into its state.
 *
 *   any part held                                   held
 *   else any ambiguous                              ambiguous
 *   else any retrying                               retrying
 *   else some sent, all others taken by the SMSC    sent          (receipts awaited)
 *   else all parts scheduled                        scheduled
 *   else all parts waiting or kept                  accepted      (`queued` if known why)
 *   else any part open                              submitted     (some parts handed over)
 *   all parts final                                 the worst of them: rejected, failed,
 *                                                   undelivered, expired, unknown, canceled, sent,
 *                                                   delivered
 *
 * A message is final when all its parts are; final states are never left. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import { Accept } from "../../records/accept.ts";
import type { FreshGroup } from "./fresh-messages.ts";
import { isFinal, needsBody, PartRecord, PartState } from "./part-state.ts";
import { readUint32, Row, rowOffset, RowPart } from "./row-layout.ts";

export const MessageStatus = {
  ACCEPTED: 0,
  RETRYING: 1,
  SUBMITTED: 2,
  SENT: 3,
  AMBIGUOUS: 4,
  HELD: 5,
  SCHEDULED: 6,
  /** Final without a receipt, as asked. Final, as all below. */
  SENT_FINAL: 7,
  DELIVERED: 8,
  UNDELIVERED: 9,
  EXPIRED: 10,
  REJECTED: 11,
  FAILED: 12,
  UNKNOWN: 13,
  CANCELED: 14,
} as const;

export const MESSAGE_STATUS_COUNT = 15;

/** Words of the API, by MessageStatus. */
export const MESSAGE_STATUS = [
  "accepted",
  "retrying",
  "submitted",
  "sent",
  "ambiguous",
  "held",
  "scheduled",
  "sent",
  "delivered",
  "undelivered",
  "expired",
  "rejected",
  "failed",
  "unknown",
  "canceled",
] as const;

/**
 * Rows of the fold: if a part is in a state of `any` and none is outside of `all`, the message is
 * `is`.
 */
interface FoldRow {
  readonly any: number;
  readonly all: number;
  readonly is: number;
}

function bits(...states: number[]): number {
  return states.reduce((mask, state) => mask | (1 << state), 0);
}

const P = PartState;
const EVERY = 0xffffffff;
const FINALS = bits(
  P.SENT_FINAL,
  P.DELIVERED,
  P.UNDELIVERED,
  P.EXPIRED,
  P.REJECTED,
  P.FAILED,
  P.UNKNOWN,
  P.CANCELED,
);
const WAITING = bits(P.WAITING, P.KEPT);
/** What the SMSC has answered positively. */
const TAKEN = bits(P.SENT, P.SENT_FINAL, P.DELIVERED, P.UNDELIVERED);

const FOLD: readonly FoldRow[] = [
  { any: bits(P.HELD), all: EVERY, is: MessageStatus.HELD },
  { any: bits(P.AMBIGUOUS), all: EVERY, is: MessageStatus.AMBIGUOUS },
  { any: bits(P.RETRYING), all: EVERY, is: MessageStatus.RETRYING },
  { any: bits(P.SENT), all: TAKEN, is: MessageStatus.SENT },
  { any: bits(P.SCHEDULED), all: bits(P.SCHEDULED), is: MessageStatus.SCHEDULED },
  { any: WAITING, all: WAITING, is: MessageStatus.ACCEPTED },
  { any: WAITING | bits(P.SENDING, P.SENT, P.SCHEDULED), all: EVERY, is: MessageStatus.SUBMITTED },
  { any: bits(P.REJECTED), all: FINALS, is: MessageStatus.REJECTED },
  { any: bits(P.FAILED), all: FINALS, is: MessageStatus.FAILED },
  { any: bits(P.UNDELIVERED), all: FINALS, is: MessageStatus.UNDELIVERED },
  { any: bits(P.EXPIRED), all: FINALS, is: MessageStatus.EXPIRED },
  { any: bits(P.UNKNOWN), all: FINALS, is: MessageStatus.UNKNOWN },
  { any: bits(P.CANCELED), all: FINALS, is: MessageStatus.CANCELED },
  { any: bits(P.SENT_FINAL), all: FINALS, is: MessageStatus.SENT_FINAL },
  { any: bits(P.DELIVERED), all: FINALS, is: MessageStatus.DELIVERED },
];

/** The state of a message whose parts are in the states of `mask` (bit per PartState, not 0). */
export function foldMask(mask: number): number {
  for (let i = 0; i < FOLD.length; i++) {
    const row = FOLD[i] as FoldRow;
    if ((mask & row.any) !== 0 && (mask & ~row.all) === 0) return row.is;
  }
  return MessageStatus.SUBMITTED;
}

export function isFinalStatus(status: number): boolean {
  return status >= MessageStatus.SENT_FINAL;
}

const NO_BYTES = Buffer.alloc(0);

/** Value of `verdict` before the gateway gave the message up. */
export const NO_VERDICT = 255;

/** What a past event of a part was; only what the part's own fields do not show is kept. */
export const EventKind = {
  RETRY: 0,
  KEPT: 1,
  AMBIGUOUS: 2,
  RESEND_DECIDED: 3,
  FAIL_DECIDED: 4,
} as const;
export const EVENT_NAMES = [
  "retry",
  "kept",
  "ambiguous",
  "resend_decided",
  "fail_decided",
] as const;
/** Further events of a message are not kept. */
export const EVENTS_MAX = 16;

export interface MessageEvent {
  readonly kind: number;
  readonly part: number;
  readonly attempt: number;
  readonly at: number;
  readonly linkId: number;
  readonly commandStatus: number;
}

/** Room for a message of one part with ordinary texts. */
const MEMORY_BYTES_MIN = 240;

/**
 * Made once and used for one message after the other (message-pool.ts): so many come by that what
 * each leaves to the garbage collector is most of what it costs.
 */
export class MessageState {
  // What most records touch stands first, so that it shares few lines of the CPU's caches.
  /** The two halves of `sequence`: small numbers lie in the object itself. */
  sequenceHigh = 0;
  sequenceLow = 0;
  origin = 0;
  /** Bookkeeping of the cache (message-cache.ts). */
  nextInBucket: MessageState | null = null;
  /** Never empty; what is pushed onto an empty array has room for sixteen more. */
  readonly parts: PartRecord[] = [new PartRecord()];
  /** The last run whose STARTED is applied to it. */
  resolvedEpoch = 0;
  status: number = MessageStatus.ACCEPTED;
  verdict = NO_VERDICT;
  /** Its place among the changed ones, or in its group of fresh ones; -1 for a clean one. */
  dirtyIndex = -1;
  /** Where it stands as long as no commit has it (fresh-messages.ts). */
  fresh: FreshGroup | null = null;
  /** Whether its body is still wanted. */
  holdsBody = false;
  expiresAt = 0;
  /** Of the last part, 0 while open. */
  finalAt = 0;
  dlr = 0;
  sequence = 0;
  /** Log offset of the ACCEPT. */
  logOffset = 0;
  /**
   * As its row in the store but for the first bytes, which are written with it: at `Row.HEAD`
   * `headLength` bytes, [8, 72) and the texts but UDH and body of the ACCEPT; then the fixed fields
   * of all parts.
   */
  row: Buffer = NO_BYTES;
  headLength = 0;
  appId = 0;
  poolId = 0;
  priority = 0;
  messageClass = 0;
  acceptedAt = 0;
  /** That the parts sent last carry; 0 as long as none of several was. */
  concatReference = 0;
  events: MessageEvent[] | null = null;
  isQueued = false;
  isCached = false;
  commit = 0;
  /** Whether the open index in the store, as of the last flush, has it. */
  isInOpenIndex = false;
  /** Whether its body is in the store, and the log need not keep it. */
  isBodyMoved = false;

  /** Whether it differs from its row. */
  get isDirty(): boolean {
    return this.dirtyIndex >= 0;
  }

  /**
   * Makes it a message of which nothing but this is known; the head's bytes are to be filled in,
   * and the fields that follow from them.
   */
  begin(
    sequence: number,
    origin: number,
    logOffset: number,
    headLength: number,
    partCount: number,
  ): void {
    this.sequenceHigh = Math.floor(sequence / 0x100000000);
    this.sequenceLow = sequence | 0;
    this.sequence = sequence;
    this.origin = origin;
    this.logOffset = logOffset;
    const bytes = Row.HEAD + headLength + RowPart.FIXED * partCount;
    if (this.row.length < bytes) this.row = Buffer.allocUnsafe(Math.max(MEMORY_BYTES_MIN, bytes));
    this.headLength = headLength;
    this.#beginParts(partCount);
    this.status = MessageStatus.ACCEPTED;
    this.verdict = NO_VERDICT;
    this.finalAt = 0;
    this.resolvedEpoch = 0;
    this.concatReference = 0;
    this.events = null;
    this.nextInBucket = null;
    this.dirtyIndex = -1;
    this.fresh = null;
    this.isQueued = false;
    this.isCached = false;
    this.commit = 0;
    this.isInOpenIndex = false;
    this.holdsBody = false;
    this.isBodyMoved = false;
  }

  #beginParts(count: number): void {
    const { parts, row } = this;
    if (parts.length > count) parts.length = count;
    let at = Row.HEAD + this.headLength;
    for (let i = 0; i < parts.length; i++) {
      (parts[i] as PartRecord).begin(row, at);
      at += RowPart.FIXED;
    }
    for (; parts.length < count; at += RowPart.FIXED) parts.push(new PartRecord(row, at));
  }
}

/** Folds the parts anew and returns the state. */
export function foldParts(message: MessageState): number {
  const { parts } = message;
  let mask = 0;
  for (let i = 0; i < parts.length; i++) mask |= 1 << (parts[i] as PartRecord).state;
  const status = foldMask(mask);
  let finalAt = 0;
  if (isFinalStatus(status)) {
    for (let i = 0; i < parts.length; i++) {
      finalAt = Math.max(finalAt, (parts[i] as PartRecord).finalAt);
    }
  }
  message.finalAt = finalAt;
  return status;
}

/** When it is to be sent, as its sender asked (wall ms); null: at once. */
export function sendAtOf({ row, acceptedAt }: MessageState): number | null {
  let delayS = 0;
  for (let i = 3; i >= 0; i--) {
    delayS = delayS * 256 + (row[rowOffset(Accept.SEND_DELAY_S) + i] as number);
  }
  return delayS === 0 ? null : Math.floor(acceptedAt) + delayS * 1000;
}

/** Log bytes of the ACCEPT, padding included; what may follow the body is not counted. */
export function acceptBytes(message: MessageState): number {
  const { row, headLength, parts } = message;
  const at = (field: number): number => row[rowOffset(field)] as number;
  const body = at(Accept.BODY_LENGTH) + 256 * at(Accept.BODY_LENGTH + 1);
  const length = Accept.SEQUENCE + headLength + 2 * parts.length + at(Accept.UDH_LENGTH) + body;
  return (length + 7) & ~7;
}

/** Whether some part is neither answered positively nor final. */
export function wantsBody(message: MessageState): boolean {
  const { parts } = message;
  for (let i = 0; i < parts.length; i++) {
    if (needsBody((parts[i] as PartRecord).state)) return true;
  }
  return false;
}

/** Whether every part waits, and was never sent. */
export function isUnsent({ parts }: MessageState): boolean {
  for (let i = 0; i < parts.length; i++) {
    const { state, attempt } = parts[i] as PartRecord;
    if (state !== PartState.WAITING || attempt !== 0) return false;
  }
  return true;
}

/** The part that made the message final: the first one whose state folds to the message's. */
export function decidingPart(message: MessageState): PartRecord | null {
  for (const part of message.parts) {
    if (isFinal(part.state) && foldMask(1 << part.state) === message.status) return part;
  }
  return null;
}

/** Keeps an event unless it is known or there are too many. */
export function keepEvent(message: MessageState, event: MessageEvent): void {
  message.events ??= [];
  if (message.events.length >= EVENTS_MAX) return;
  for (const known of message.events) {
    const isSame =
      known.kind === event.kind && known.part === event.part && known.attempt === event.attempt;
    if (isSame && known.at === event.at) return;
  }
  message.events.push(event);
}

/** Writes the store's key of (sequence, origin), big-endian so that keys sort by time. */
export function writeMessageKey(
  view: DataView,
  offset: number,
  sequence: number,
  origin: number,
): void {
  view.setUint32(offset, Math.floor(sequence / 0x100000000));
  view.setUint32(offset + 4, sequence >>> 0);
  view.setUint32(offset + MESSAGE_KEY_BYTES - 4, origin);
}

export function readKeySequence(key: Uint8Array, offset: number): number {
  return readUint32(key, offset) * 0x100000000 + readUint32(key, offset + 4);
}

export function readKeyOrigin(key: Uint8Array, offset: number): number {
  return readUint32(key, offset + 8);
}
