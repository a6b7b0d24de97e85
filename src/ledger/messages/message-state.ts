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
import { Accept } from "../../records/accept.ts";
import { type RecordMemory, recordMemory } from "../../records/memory.ts";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import type { FreshGroup } from "./fresh-messages.ts";
import { isFinal, needsBody, PartRecord, PartState } from "./part-state.ts";
import {
  FLAG_BODY_MOVED,
  getUint48,
  readUint32,
  Row,
  ROW_VERSION,
  rowOffset,
  RowPart,
  setUint48,
} from "./row-layout.ts";

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

/** Room for the row of a message of one part with ordinary texts. */
export const ROOM_BYTES = 256;

/** Bits of `#marks`. */
const QUEUED = 1;
const CACHED = 2;
const HOLDS_BODY = 4;
const IN_OPEN_INDEX = 8;

/** Where the ACCEPT's fields stand in a row. */
const APP_ID = rowOffset(Accept.APP_ID);
const ACCEPTED_AT = rowOffset(Accept.ACCEPTED_AT);
const EXPIRES_AT = rowOffset(Accept.EXPIRES_AT);
const POOL_ID = rowOffset(Accept.POOL_ID);
const PRIORITY = rowOffset(Accept.PRIORITY);
const CLASS = rowOffset(Accept.CLASS);
const DLR = rowOffset(Accept.DLR);

/**
 * A message as bytes: those of its row (row-layout.ts), which the store gets. Beside them stands
 * only by what it is found, what is of any length, and what is not stored: a hundred thousand may
 * be open at once, and each line of the CPU's caches that a record of theirs needs is not there.
 */
export class MessageState {
  /**
   * The memory of its row, which others may share, where the row starts in it, and the bytes that
   * there are for it. The row is as in the store but for what the fields below say.
   */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly at: number;
  readonly room: number;
  /** The two halves of `sequence`: small numbers lie in the object itself. */
  sequenceHigh = 0;
  sequenceLow = 0;
  origin = 0;
  /** Bookkeeping of the cache (message-cache.ts). */
  nextInBucket: MessageState | null = null;
  /** Never empty; what is pushed onto an empty array has room for sixteen more. */
  readonly parts: PartRecord[];
  /** Its place among the changed ones, or in its group of fresh ones; -1 for a clean one. */
  dirtyIndex = -1;
  /** Where it stands as long as no commit has it (fresh-messages.ts). */
  fresh: FreshGroup | null = null;
  events: MessageEvent[] | null = null;
  /** Of the store, that has it last. */
  commit = 0;
  #marks = 0;

  /** A message with room for a row of so many bytes, at `at` of `memory`. */
  constructor(room = ROOM_BYTES, memory: RecordMemory = ownMemory(room), at = 0) {
    this.bytes = memory.bytes as Buffer;
    this.view = memory.view;
    this.at = at;
    this.room = room;
    this.parts = [new PartRecord(this.view, at)];
  }

  /**
   * Makes it a message of which nothing but this is known; the `headLength` bytes of the head are
   * to be filled in. Throws RangeError if there is no room for its row.
   */
  begin(
    sequence: number,
    origin: number,
    logOffset: number,
    headLength: number,
    partCount: number,
  ): void {
    const { view, at } = this;
    if (memoryBytes(headLength, partCount) > this.room) throw new RangeError("the row has no room");
    this.sequenceHigh = Math.floor(sequence / 0x100000000);
    this.sequenceLow = sequence | 0;
    this.origin = origin;
    view.setUint8(at + Row.VERSION, ROW_VERSION);
    view.setUint8(at + Row.STATUS, MessageStatus.ACCEPTED);
    view.setUint8(at + Row.VERDICT, NO_VERDICT);
    view.setUint8(at + Row.PART_COUNT, partCount);
    view.setUint8(at + Row.EVENT_COUNT, 0);
    view.setUint8(at + Row.FLAGS, 0);
    view.setUint16(at + Row.HEAD_LENGTH, headLength);
    view.setUint32(at + Row.RESOLVED_EPOCH, 0);
    setUint48(view, at + Row.FINAL_AT, 0);
    setUint48(view, at + Row.LOG_OFFSET, logOffset);
    view.setUint16(at + Row.CONCAT_REFERENCE, 0);
    this.#beginParts(at + Row.HEAD + headLength, partCount);
    this.nextInBucket = null;
    this.dirtyIndex = -1;
    this.fresh = null;
    this.events = null;
    this.commit = 0;
    this.#marks = 0;
  }

  #beginParts(start: number, count: number): void {
    const { parts } = this;
    if (parts.length > count) parts.length = count;
    let at = start;
    for (let i = 0; i < parts.length; i++) {
      (parts[i] as PartRecord).begin(at);
      at += RowPart.FIXED;
    }
    for (; parts.length < count; at += RowPart.FIXED) parts.push(new PartRecord(this.view, at));
  }

  get sequence(): number {
    return this.sequenceHigh * 0x100000000 + (this.sequenceLow >>> 0);
  }

  get status(): number {
    return this.view.getUint8(this.at + Row.STATUS);
  }
  set status(status: number) {
    this.view.setUint8(this.at + Row.STATUS, status);
  }

  get verdict(): number {
    return this.view.getUint8(this.at + Row.VERDICT);
  }
  set verdict(verdict: number) {
    this.view.setUint8(this.at + Row.VERDICT, verdict);
  }

  get headLength(): number {
    return this.view.getUint16(this.at + Row.HEAD_LENGTH);
  }

  /** The last run whose STARTED is applied to it. */
  get resolvedEpoch(): number {
    return this.view.getUint32(this.at + Row.RESOLVED_EPOCH);
  }
  set resolvedEpoch(epoch: number) {
    this.view.setUint32(this.at + Row.RESOLVED_EPOCH, epoch);
  }

  /** Of the last part, 0 while open. */
  get finalAt(): number {
    return getUint48(this.view, this.at + Row.FINAL_AT);
  }
  set finalAt(wallMs: number) {
    setUint48(this.view, this.at + Row.FINAL_AT, wallMs);
  }

  /** Log offset of the ACCEPT. */
  get logOffset(): number {
    return getUint48(this.view, this.at + Row.LOG_OFFSET);
  }

  /** That the parts sent last carry; 0 as long as none of several was. */
  get concatReference(): number {
    return this.view.getUint16(this.at + Row.CONCAT_REFERENCE);
  }
  set concatReference(reference: number) {
    this.view.setUint16(this.at + Row.CONCAT_REFERENCE, reference);
  }

  get appId(): number {
    return this.view.getUint32(this.at + APP_ID, true);
  }

  get acceptedAt(): number {
    return this.view.getFloat64(this.at + ACCEPTED_AT, true);
  }

  get expiresAt(): number {
    return this.view.getFloat64(this.at + EXPIRES_AT, true);
  }

  get poolId(): number {
    return this.view.getUint32(this.at + POOL_ID, true);
  }

  get priority(): number {
    return this.view.getUint8(this.at + PRIORITY);
  }

  get messageClass(): number {
    return this.view.getUint8(this.at + CLASS);
  }

  get dlr(): number {
    return this.view.getUint8(this.at + DLR);
  }

  /** A byte of the ACCEPT, at `acceptOffset` of it. */
  acceptByte(acceptOffset: number): number {
    return this.view.getUint8(this.at + rowOffset(acceptOffset));
  }

  /** Whether it differs from its row in the store. */
  get isDirty(): boolean {
    return this.dirtyIndex >= 0;
  }

  get isQueued(): boolean {
    return (this.#marks & QUEUED) !== 0;
  }
  set isQueued(isSet: boolean) {
    this.#mark(QUEUED, isSet);
  }

  get isCached(): boolean {
    return (this.#marks & CACHED) !== 0;
  }
  set isCached(isSet: boolean) {
    this.#mark(CACHED, isSet);
  }

  /** Whether its body is still wanted. */
  get holdsBody(): boolean {
    return (this.#marks & HOLDS_BODY) !== 0;
  }
  set holdsBody(isSet: boolean) {
    this.#mark(HOLDS_BODY, isSet);
  }

  /** Whether the open index in the store, as of the last flush, has it. */
  get isInOpenIndex(): boolean {
    return (this.#marks & IN_OPEN_INDEX) !== 0;
  }
  set isInOpenIndex(isSet: boolean) {
    this.#mark(IN_OPEN_INDEX, isSet);
  }

  /** Whether its body is in the store, and the log need not keep it. */
  get isBodyMoved(): boolean {
    return (this.view.getUint8(this.at + Row.FLAGS) & FLAG_BODY_MOVED) !== 0;
  }
  set isBodyMoved(isSet: boolean) {
    this.view.setUint8(this.at + Row.FLAGS, isSet ? FLAG_BODY_MOVED : 0);
  }

  #mark(bit: number, isSet: boolean): void {
    if (isSet) this.#marks |= bit;
    else this.#marks &= ~bit;
  }
}

/** Bytes of a message's row in memory. */
export function memoryBytes(headLength: number, partCount: number): number {
  return Row.HEAD + headLength + RowPart.FIXED * partCount;
}

function ownMemory(bytes: number): RecordMemory {
  return recordMemory(Buffer.alloc(bytes));
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
export function sendAtOf({ view, at, acceptedAt }: MessageState): number | null {
  const delayS = view.getUint32(at + rowOffset(Accept.SEND_DELAY_S), true);
  return delayS === 0 ? null : Math.floor(acceptedAt) + delayS * 1000;
}

/** Log bytes of the ACCEPT, padding included; what may follow the body is not counted. */
export function acceptBytes(message: MessageState): number {
  const { view, at, headLength, parts } = message;
  const body = view.getUint16(at + rowOffset(Accept.BODY_LENGTH), true);
  const udh = message.acceptByte(Accept.UDH_LENGTH);
  return (Accept.SEQUENCE + headLength + 2 * parts.length + udh + body + 7) & ~7;
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
