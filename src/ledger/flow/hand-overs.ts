/**
 * Puts messages that the ledger owns to workers: those that earlier runs left waiting, and parts
 * that are due again.
 *
 *   open index ──walk, once──► whole messages ─┐
 *   waits      ──by time─────► due parts ──────┴─► submitter ─► worker ─► SENDING in the log
 *
 * A part is due when a refusal's delay ended or an ambiguity was resolved to a resend. At most one
 * hand-over of due parts of a message is under way: it is kept in a map by log offset until the log
 * shows each of its parts sent, or the submitter asks and it is not wanted any more. Nothing is
 * handed over before STARTED of this run is visible in the store. The ledger's thread only.
 */
import type { WaitingOwner } from "../../dispatch/dispatcher.ts";
import { type DispatchEntry, emptyDispatchEntry } from "../../dispatch/waiting-room.ts";
import type { Clock, Log } from "../../environment.ts";
import type { RecordLoader } from "../../journal/log-reading.ts";
import { Accept, sendableFrom } from "../../records/accept.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN } from "../../records/attempt.ts";
import { Verdict } from "../../records/concluded.ts";
import { allParts, PARTS_ALL } from "../../records/hand-over.ts";
import { epochOf, MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import type { CancelOrder } from "./cancels.ts";
import type { Conclusions } from "../conclusions.ts";
import {
  type MessageState,
  MessageStatus,
  readKeyOrigin,
  readKeySequence,
} from "../messages/message-state.ts";
import { type Messages, WAIT_KEY_BYTES } from "../messages/messages.ts";
import {
  isFinal,
  isPutOff,
  mayBeWritten,
  type PartRecord,
  PartState,
  unschedule,
} from "../messages/part-state.ts";
import { type LedgerPolicy, RecoveryRow } from "../policy.ts";
import type { RecoveryHits } from "./recovery.ts";
import { readUint48, writeUint48 } from "../messages/row-layout.ts";
import type { WaitingMessage } from "../messages/row.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";
import type { Submitter, SubmitterFactory } from "./submitter.ts";

const ATTEMPT_MAX = 255;
/** Scheduled messages that may overtake the walk; it finds the others, or its end does. */
const AHEAD_MAX = 65_536;
const LOG_INTERVAL_MS = 1000;

interface HandedOver {
  readonly sequence: number;
  readonly origin: number;
  /** Bit per part that the log has not shown to be sent by this hand-over. */
  remaining: number;
  readonly attempt: number;
  /** CONCLUDED is staged: nothing of it is wanted any more. */
  isConcluding: boolean;
}

export interface HandOversOptions {
  readonly store: LedgerStore;
  readonly messages: Messages;
  readonly conclusions: Conclusions;
  readonly loader: RecordLoader;
  readonly submitterOf: SubmitterFactory;
  readonly policy: LedgerPolicy;
  readonly hits: RecoveryHits;
  readonly clock: Clock;
  readonly log: Log;
  readonly epoch: number;
  readonly quarantined: ReadonlySet<number>;
  /** Whether an operator gave up the stretch of the log at an offset; default: none was. */
  readonly isSkipped?: (logOffset: number) => boolean;
  /** Messages of the backlog looked at per call. */
  readonly walkStep: number;
  /** Due parts looked at per call. */
  readonly dueStep: number;
}

export class HandOvers implements WaitingOwner {
  readonly submitter: Submitter;
  /** Whether the backlog of earlier runs is still being walked. */
  isWalking = true;
  readonly #options: HandOversOptions;
  readonly #handed = new Map<number, HandedOver>();
  readonly #entry: DispatchEntry = emptyDispatchEntry();
  readonly #waiting: WaitingMessage = {
    logOffset: 0,
    poolId: 0,
    appId: 0,
    priority: 0,
    expiresAt: 0,
  };
  #walkFrom: Uint8Array = new Uint8Array(0);
  /** Key of the first wait to look at. */
  #dueFrom: Uint8Array = new Uint8Array(0);
  /** Before, nothing behind `#dueFrom` is due (wall ms). */
  #nextDueAt = 0;
  /** Messages and parts met so far whose pool is not configured. */
  #stranded = 0;
  #nextLogAt = 0;
  /** Taken back, CONCLUDED still to be staged. */
  #toCancel: { readonly order: CancelOrder; readonly onRefused: () => void }[] = [];
  /** Pools that came by a reload: what waits for them is walked through once more. */
  #newPools: ReadonlySet<number> = new Set();
  #walkedPools: ReadonlySet<number> | null = null;

  constructor(options: HandOversOptions) {
    this.#options = options;
    this.submitter = options.submitterOf(this);
  }

  /** Hand-overs under way that differ from whole messages. */
  get underWay(): number {
    return this.#handed.size;
  }

  /** Pools with these ids are configured now, and were not before in this run. */
  onPoolsAdded(ids: readonly number[]): void {
    if (ids.length === 0 || this.#stranded === 0) return;
    this.#newPools = new Set([...this.#newPools, ...ids]);
    this.#nextDueAt = 0;
  }

  /**
   * Hands over what there is room for; returns how many entries it looked at. At most `changesMax`
   * messages change by it: what many are due for at once waits in the store, not in memory.
   */
  doWork(wallMs: number, changesMax: number): number {
    if (!this.isWalking && this.#newPools.size > 0) this.#walkForNewPools();
    const walked = this.isWalking ? this.#walk(wallMs) : 0;
    const moved = walked + this.#handOverDue(wallMs, changesMax) + this.submitter.doWork(wallMs);
    if (this.#toCancel.length > 0) this.#concludeCanceled();
    return moved;
  }

  /** Whether nothing is under way here, nor due before `untilMs`, wall. */
  isQuiet(untilMs: number): boolean {
    if (this.isWalking || this.underWay > 0 || this.#toCancel.length > 0) return false;
    return this.submitter.waitingCount === 0 && this.#nextDueAt > untilMs;
  }

  /** Waits with this time have become visible in the store. */
  onWaitsVisible(earliestDueAt: number): void {
    this.#nextDueAt = Math.min(this.#nextDueAt, earliestDueAt);
    if (this.#dueFrom.length > 0 && earliestDueAt <= readUint48(this.#dueFrom, 0)) {
      this.#rewindTo(earliestDueAt);
    }
  }

  /**
   * The log has attempt `attempt` at a part of this message: that part of a hand-over is the
   * worker's.
   */
  onAttempt(message: MessageState, part: number, attempt: number): void {
    if (this.#handed.size === 0) return;
    const handed = this.#handed.get(message.logOffset);
    if (handed === undefined || handed.isConcluding || attempt < handed.attempt) return;
    handed.remaining &= ~(1 << part);
    if (handed.remaining === 0) this.#forget(message);
  }

  /** The log has CONCLUDED of this message. */
  onConcluded(message: MessageState): void {
    if (this.#handed.has(message.logOffset)) this.#forget(message);
  }

  /** WaitingOwner: whether a waiting message is still to be published. */
  isWanted(logOffset: number): boolean {
    const handed = this.#handed.get(logOffset);
    if (handed === undefined) return true;
    if (handed.isConcluding) return false;
    const message = this.#options.messages.find(handed.sequence, handed.origin);
    if (message === null) return false;
    const { remaining } = handed;
    const now = this.#options.clock.wallMs();
    let wanted = 0;
    for (let i = 0; i < message.parts.length; i++) {
      const part = message.parts[i] as PartRecord;
      if (isDue(part, now) && part.attempt < handed.attempt) wanted |= 1 << i;
    }
    if ((wanted & remaining) === remaining) return true;
    // A late answer or a receipt has settled some of it: what is left is handed over anew.
    this.#forget(message);
    return false;
  }

  /**
   * WaitingOwner: ends a waiting message whose validity is over; 0, or when it is over (wall ms).
   */
  expire(logOffset: number, wallMs: number): number {
    const { messages, loader, log } = this.#options;
    const handed = this.#handed.get(logOffset);
    if (handed !== undefined) {
      const message = messages.find(handed.sequence, handed.origin);
      if (handed.isConcluding || message === null || message.finalAt !== 0) return 0;
      if (message.expiresAt > wallMs) return message.expiresAt;
      return this.#conclude(message, Verdict.EXPIRED) ? 0 : message.expiresAt;
    }
    const at = loader.load(logOffset);
    if (at < 0) {
      log.write("error", "expire message", { cause: "its record cannot be read", logOffset });
      return 0;
    }
    const { view } = loader.memory;
    const expiresAt = view.getFloat64(at + Accept.EXPIRES_AT, true);
    if (expiresAt > wallMs) return expiresAt;
    const sequence = view.getFloat64(at + Accept.SEQUENCE, true);
    const origin = view.getUint32(at + Accept.ORIGIN, true);
    return this.#options.conclusions.conclude(sequence, origin, Verdict.EXPIRED) ? 0 : expiresAt;
  }

  /** WaitingOwner: since when a waiting message could be sent, in wall ms; 0: not known. */
  waitsSince(logOffset: number): number {
    const { loader } = this.#options;
    const at = loader.load(logOffset);
    return at < 0 ? 0 : sendableFrom(loader.memory.view, at);
  }

  /**
   * Takes back a message that no worker has begun, or tells `onRefused` later; false: try again
   * soon. Who is not refused hears of it by CONCLUDED.
   */
  cancel(message: MessageState, order: CancelOrder, onRefused: () => void): boolean {
    if (this.#handed.get(message.logOffset)?.isConcluding === true) return true;
    const isPutBy = message.status === MessageStatus.SCHEDULED || message.parts.every(isPutOff);
    if (isPutBy && !this.#handed.has(message.logOffset))
      return this.#conclude(message, Verdict.CANCELED);
    // Until all that earlier runs left is handed over, it may be nobody's yet.
    if (this.isWalking || order.poolIndex < 0) return false;
    const done = (isOut: boolean): void => {
      if (isOut) this.#toCancel.push({ order, onRefused });
      else onRefused();
    };
    this.submitter.cancel({ ...order, done });
    return true;
  }

  /** Ends what was taken back; nobody else has it, so there is time. */
  #concludeCanceled(): void {
    for (const one of this.#toCancel.splice(0)) {
      const message = this.#options.messages.find(one.order.sequence, one.order.origin);
      // Its validity may have ended it meanwhile.
      if (message === null || message.finalAt !== 0) one.onRefused();
      else if (!this.#conclude(message, Verdict.CANCELED)) this.#toCancel.push(one);
    }
  }

  /** Ends an open message by CONCLUDED, once; false if there is no room to stage it now. */
  #conclude(message: MessageState, verdict: number): boolean {
    const known = this.#handed.get(message.logOffset);
    if (known?.isConcluding === true) return true;
    const { sequence, origin } = message;
    if (!this.#options.conclusions.conclude(sequence, origin, verdict)) return false;
    this.#handed.set(message.logOffset, {
      sequence,
      origin,
      remaining: 0,
      attempt: ATTEMPT_MAX,
      isConcluding: true,
    });
    return true;
  }

  /** Stages the end of a quarantined message; the walk tries again if there is no room now. */
  concludeQuarantined(message: MessageState): void {
    this.#conclude(message, Verdict.QUARANTINED);
  }

  /**
   * For the sweeper: ends a message whose validity ended long ago and that nobody has ended.
   * Whoever still holds it will not send it any more.
   */
  expireForgotten(message: MessageState): void {
    for (const part of message.parts) {
      if (part.state === PartState.WAITING || part.dueAt !== 0) {
        this.#conclude(message, Verdict.EXPIRED);
        return;
      }
    }
  }

  /** What was stranded for want of these pools, and nothing else, is handed over now. */
  #walkForNewPools(): void {
    this.#walkedPools = this.#newPools;
    this.#newPools = new Set();
    this.#walkFrom = new Uint8Array(0);
    this.isWalking = true;
    this.#dueFrom = new Uint8Array(0);
    this.#nextDueAt = 0;
  }

  /** Walks on through the open index: whole messages of earlier runs that wait are handed over. */
  #walk(wallMs: number): number {
    const { store, walkStep, epoch } = this.#options;
    const keys: number[] = [];
    store.keys(LedgerTable.OPEN, this.#walkFrom, (key) => {
      keys.push(readKeySequence(key, 0), readKeyOrigin(key, 0));
      return keys.length < 2 * walkStep;
    });
    for (let i = 0; i < keys.length; i += 2) {
      const sequence = keys[i] as number;
      const origin = keys[i + 1] as number;
      if (epochOf(origin) === epoch || this.#takeUp(sequence, origin, wallMs)) continue;
      this.#walkFrom = messageKey(sequence, origin, 0);
      return i / 2;
    }
    if (keys.length > 0) {
      this.#walkFrom = messageKey(keys.at(-2) as number, keys.at(-1) as number, 1);
    }
    if (keys.length < 2 * walkStep) this.#endWalk();
    return keys.length / 2;
  }

  /** Scheduled messages that found no room to overtake it are handed over from now on. */
  #endWalk(): void {
    this.isWalking = false;
    this.#dueFrom = new Uint8Array(0);
    this.#nextDueAt = 0;
  }

  /** Whether the walk has still to pass this message. */
  #isAhead({ sequence, origin }: MessageState): boolean {
    if (!this.isWalking || epochOf(origin) === this.#options.epoch) return false;
    return Buffer.compare(messageKey(sequence, origin, 0), this.#walkFrom) >= 0;
  }

  /** Hands a message over as a whole if it waits as a whole; false if there is no room now. */
  #takeUp(sequence: number, origin: number, wallMs: number): boolean {
    const { messages, quarantined, hits } = this.#options;
    const waiting = this.#waiting;
    if (messages.peekWaiting(sequence, origin, waiting)) {
      if (this.#walkedPools?.has(waiting.poolId) === false) return true;
      const isPlain =
        wallMs < waiting.expiresAt &&
        !quarantined.has(waiting.logOffset) &&
        !this.#isLost(waiting.logOffset) &&
        this.#hasPool(waiting.poolId);
      if (isPlain) {
        if (!this.#submit(waiting, PARTS_ALL, 1, 0, 0, 0)) return false;
        hits.count(RecoveryRow.ACCEPTED);
        return true;
      }
    }
    const message = messages.find(sequence, origin);
    if (message === null || this.#walkedPools?.has(message.poolId) === false) return true;
    return this.#takeUpLoaded(message, wallMs);
  }

  #takeUpLoaded(message: MessageState, wallMs: number): boolean {
    if (message.finalAt !== 0) return true;
    const verdict = this.#unsendable(message);
    if (verdict !== 0) return this.#conclude(message, verdict);
    for (const part of message.parts) {
      if (part.state !== PartState.WAITING || part.dueAt !== 0) return true;
    }
    if (wallMs >= message.expiresAt) return this.#conclude(message, Verdict.EXPIRED);
    if (!this.#hasPool(message.poolId)) return this.#strand(message);
    return this.#submit(message, PARTS_ALL, 1, 0, 0, 0);
  }

  /** The verdict over a message that cannot be handed to a worker; 0: it can. */
  #unsendable({ logOffset }: MessageState): number {
    if (this.#options.quarantined.has(logOffset)) return Verdict.QUARANTINED;
    return this.#isLost(logOffset) ? Verdict.UNSENDABLE : 0;
  }

  /** Whether its text was in a stretch that was given up, and nowhere else. */
  #isLost(logOffset: number): boolean {
    const { isSkipped, loader } = this.#options;
    return isSkipped !== undefined && isSkipped(logOffset) && loader.load(logOffset) < 0;
  }

  #handOverDue(wallMs: number, changesMax: number): number {
    const { store, messages } = this.#options;
    const dueStep = Math.min(this.#options.dueStep, changesMax);
    if (wallMs < this.#nextDueAt || dueStep <= 0) return 0;
    const keys: Uint8Array[] = [];
    let nextDueAt = Number.POSITIVE_INFINITY;
    store.keys(LedgerTable.WAITS, this.#dueFrom, (key) => {
      nextDueAt = readUint48(key, 0);
      if (nextDueAt > wallMs) return false;
      keys.push(Uint8Array.from(key));
      return keys.length < dueStep;
    });
    this.#nextDueAt =
      keys.length < dueStep && nextDueAt <= wallMs ? Number.POSITIVE_INFINITY : nextDueAt;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as Uint8Array;
      const message = messages.find(readKeySequence(key, 6), readKeyOrigin(key, 6));
      if (message !== null && !this.#handOverParts(message, wallMs)) {
        this.#dueFrom = key;
        this.#nextDueAt = 0;
        return i;
      }
      this.#dueFrom = after(key);
    }
    return keys.length;
  }

  /** Hands over the parts that are due together; false if there is no room now. */
  #handOverParts(message: MessageState, wallMs: number): boolean {
    if (this.#handed.has(message.logOffset)) return true;
    const first = message.parts.find((part) => isDue(part, wallMs));
    if (first === undefined) return true;
    const verdict = this.#unsendable(message);
    if (verdict !== 0) return this.#conclude(message, verdict);
    if (wallMs >= message.expiresAt) return this.#conclude(message, Verdict.EXPIRED);
    if (!this.#hasPool(message.poolId)) return this.#strand(message);
    // After a crash amid its sending only the rest of it is still scheduled, and due like a part.
    if (message.parts.every(isScheduled)) return this.#submitScheduled(message);
    // Flags are the hand-over's: parts that may arrive twice go apart from those that cannot.
    const isDuplicate = mayArriveTwice(first);
    let parts = 0;
    let attempt = 0;
    for (let i = 0; i < message.parts.length; i++) {
      const part = message.parts[i] as PartRecord;
      if (!isDue(part, wallMs) || mayArriveTwice(part) !== isDuplicate) continue;
      parts |= 1 << i;
      attempt = Math.max(attempt, part.attempt);
    }
    const next = Math.min(ATTEMPT_MAX, attempt + 1);
    const flags = isDuplicate ? FLAG_MAYBE_DUP : 0;
    const { sequence, origin } = message;
    const handed = { sequence, origin, remaining: parts, attempt: next, isConcluding: false };
    this.#handed.set(message.logOffset, handed);
    const linkId = this.#linkFor(message, parts);
    // If the handset may have some part, the others have to carry the same reference. If it surely
    // has none, a new one is drawn: by now another message may have been given this one.
    const isAnew = !isDuplicate && parts === allParts(message.parts.length);
    const reference = isAnew ? 0 : message.concatReference;
    if (this.#submit(message, parts, next, flags, linkId, reference)) return true;
    this.#handed.delete(message.logOffset);
    return false;
  }

  /** The time of a scheduled message has come; false if there is no room now. */
  #submitScheduled(message: MessageState): boolean {
    if (this.#isAhead(message)) return this.#submitAhead(message);
    // From here on it waits as a whole.
    if (!this.#submit(message, PARTS_ALL, 1, 0, 0, 0)) return false;
    unschedule(message.parts);
    this.#options.messages.settle(message);
    return true;
  }

  /**
   * The same before the walk comes by, which would hand over once more what waits as a whole: it
   * stays scheduled until the log has its sending, and what it is out for is remembered.
   */
  #submitAhead(message: MessageState): boolean {
    if (this.#handed.size >= AHEAD_MAX) return true;
    const { sequence, origin } = message;
    const remaining = allParts(message.parts.length);
    const handed = { sequence, origin, remaining, attempt: 1, isConcluding: false };
    this.#handed.set(message.logOffset, handed);
    if (this.#submit(message, PARTS_ALL, 1, 0, 0, 0)) return true;
    this.#handed.delete(message.logOffset);
    return false;
  }

  #submit(
    message: WaitingMessage,
    parts: number,
    attempt: number,
    flags: number,
    linkId: number,
    concatReference: number,
  ): boolean {
    const { poolIndexById, appIndexById } = this.#options.policy.plan;
    const entry = this.#entry;
    entry.logOffset = message.logOffset;
    entry.poolIndex = poolIndexById.get(message.poolId) as number;
    entry.priority = message.priority;
    entry.appIndex = appIndexById.get(message.appId) ?? 0;
    entry.attempt = attempt;
    entry.parts = parts;
    entry.flags = flags;
    entry.linkId = linkId;
    entry.concatReference = concatReference;
    entry.expiresAtMs = message.expiresAt;
    return this.submitter.submit(entry, null, 0, 0);
  }

  /**
   * The link that these parts must take: that of the others, or the one that kept them; 0 for any.
   */
  #linkFor(message: MessageState, parts: number): number {
    const { ambiguousByLink } = this.#options.policy.plan;
    // Parts that still wait with a worker go to the link that the first ones went to.
    const restWaits = message.parts.some(
      (part, i) => (parts & (1 << i)) === 0 && isUnoffered(part),
    );
    let outLink = 0;
    let keptLink = 0;
    let keptAttempt = 0;
    for (let i = 0; i < message.parts.length; i++) {
      const part = message.parts[i] as PartRecord;
      const isHanded = (parts & (1 << i)) !== 0;
      const binds = isHanded
        ? part.state === PartState.KEPT || restWaits
        : part.state !== PartState.RETRYING;
      if (!binds || part.attempt === 0 || isUnoffered(part)) continue;
      if (!ambiguousByLink.has(part.linkId)) continue;
      if (!isHanded) {
        outLink = part.linkId;
      } else if (part.attempt > keptAttempt) {
        // Others may have been kept by an earlier link before the message went to this one.
        keptAttempt = part.attempt;
        keptLink = part.linkId;
      }
    }
    return outLink === 0 ? keptLink : outLink;
  }

  #forget(message: MessageState): void {
    this.#handed.delete(message.logOffset);
    let earliest = Number.POSITIVE_INFINITY;
    for (const part of message.parts) {
      if (part.dueAt !== 0 && part.dueAt < earliest) earliest = part.dueAt;
    }
    if (earliest !== Number.POSITIVE_INFINITY) this.onWaitsVisible(earliest);
  }

  #rewindTo(dueAt: number): void {
    const key = new Uint8Array(WAIT_KEY_BYTES);
    writeUint48(key, 0, dueAt);
    this.#dueFrom = key;
  }

  #hasPool(poolId: number): boolean {
    return this.#options.policy.plan.poolIndexById.has(poolId) && !this.#newPools.has(poolId);
  }

  /** Its pool is not configured: it stays where it is until a pool of that id is, or it expires. */
  #strand(message: MessageState): boolean {
    this.#stranded++;
    const now = this.#options.clock.wallMs();
    if (now < this.#nextLogAt) return true;
    this.#nextLogAt = now + LOG_INTERVAL_MS;
    this.#options.log.write("error", "hand message over", {
      cause: "its pool is not in the configuration: it waits for it until its validity ends",
      pool: message.poolId,
      messages: this.#stranded,
    });
    return true;
  }
}

function isDue(part: PartRecord, wallMs: number): boolean {
  return part.dueAt !== 0 && part.dueAt <= wallMs && !isFinal(part.state);
}

function isScheduled(part: PartRecord): boolean {
  return part.state === PartState.SCHEDULED;
}

/** Whether no link was offered it, or the last one was not after all: any may have it. */
function isUnoffered({ state, commandStatus }: PartRecord): boolean {
  return state === PartState.WAITING || (state === PartState.KEPT && commandStatus === NOT_WRITTEN);
}

function mayArriveTwice(part: PartRecord): boolean {
  return mayBeWritten(part) || part.maybeDup;
}

function messageKey(sequence: number, origin: number, extra: number): Uint8Array {
  const key = new Uint8Array(MESSAGE_KEY_BYTES + extra);
  const view = new DataView(key.buffer);
  view.setUint32(0, Math.floor(sequence / 0x100000000));
  view.setUint32(4, sequence >>> 0);
  view.setUint32(8, origin);
  return key;
}

/** The first key behind `key`. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
