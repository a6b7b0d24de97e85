/**
 * What every producer does with a message it owns: publish it to an SMPP worker, or let it wait.
 *
 *   submit ──► credits, room, nobody waits? ──► SUBMIT (body copied) ──────► submit ring
 *      └─────► lane of (pool, priority), 8 bytes ──► SUBMIT_REFERENCE ─────► of a worker
 *              or of (link, priority)
 *                 ▲────────────────────── RETURN (keeps its place) ◄──────── its return ring
 *
 * Invariants: to each worker no more messages of a (pool, priority) are published than it granted;
 * what only one link may send is published only to a worker where that link is open, so that a
 * dead link's messages wait here and do not circle. One instance per producer, used by its thread
 * only; nothing is allocated per message that waits with ordinary attributes.
 */
import type { Doorbell } from "../ring/doorbell.ts";
import { RECORD_TYPE_OFFSET, RING_EMPTY, RING_FULL } from "../ring/layout.ts";
import type { RingConsumer, RingProducer } from "../ring/one-to-one-ring.ts";
import {
  CANCEL_REFUSED_TYPE,
  HAND_OVER_BYTES,
  HandOver,
  RETURN_TYPE,
  SUBMIT_REFERENCE_TYPE,
  SUBMIT_TYPE,
} from "../records/hand-over.ts";
import { copyBytes, type RecordMemory } from "../records/memory.ts";
import { PRIORITY_COUNT, RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../records/types.ts";
import { SmoothWeightedRoundRobin } from "../routing/swrr.ts";
import type { CreditTable } from "../tables/credit-table.ts";
import type { SharedPlan } from "../tables/plan.ts";
import type { QueueTable } from "../tables/queue-table.ts";
import { type Cancellation, Cancellations } from "./cancellations.ts";
import type { ExpiryCheck } from "./waiting-queue.ts";
import { type DispatchEntry, emptyDispatchEntry, WaitingRoom } from "./waiting-room.ts";

/** How often a producer shows how much waits, and since when. */
const DEPTHS_INTERVAL_MS = 50;
const AGES_INTERVAL_MS = 1000;
/** Every so many picks the lowest priority that waits comes first. */
const STARVATION_PICKS = 16;
/** Messages published out of the waiting lanes per `doWork`, so that one call stays short. */
const PUBLISHED_PER_CALL_MAX = 1024;
const RETURNED_PER_CALL_MAX = 256;
/** No such link, or no link asked for. */
const NO_LINK = -1;

/** The owner of the waiting messages: the ingress or the ledger around the dispatcher. */
export interface WaitingOwner extends ExpiryCheck {
  /**
   * Asked right before a waiting message is published; false drops it, since its owner has ended
   * it.
   */
  isWanted(logOffset: number): boolean;
  /**
   * The validity of this waiting message may be over. The owner ends it (stages CONCLUDED) and
   * returns 0, or returns when its validity ends, in wall ms (also when it cannot end it now).
   */
  expire(logOffset: number, wallMs: number): number;
  /** Since when this waiting message could be sent, in wall ms; 0 if that cannot be read now. */
  waitsSince(logOffset: number): number;
}

/**
 * Credits of each worker, pool and priority that backlogs leave to apps that come anew: a worker
 * gives credits back when it prepares, which is once a commit. Less than half of the smallest
 * allowance (smpp/pace/limits.ts), at which a worker grants anew.
 */
export const FRESH_CREDITS = 4;

/** Which links a pool has now. */
export interface LinkDirectory {
  /** linkIndex of a link of the pool; -1 if the pool has no such link (any more). */
  linkIndexOf(poolIndex: number, linkId: number): number;
}

export interface DispatcherOptions {
  /** Index of this producer (src/tables/plan.ts). */
  readonly producer: number;
  readonly plan: SharedPlan;
  readonly credits: CreditTable;
  readonly queues: QueueTable;
  /** By worker: submit rings, return rings, bells. */
  readonly submitRings: readonly RingProducer[];
  readonly returnRings: readonly RingConsumer[];
  readonly bells: readonly Doorbell[];
  /** `submit` refuses beyond so many waiting messages. */
  readonly waitingMax: number;
  readonly owner: WaitingOwner;
  readonly links: LinkDirectory;
}

export class Dispatcher {
  /** Messages that came back by the return rings since start. */
  returnedCount = 0;
  /** Messages published to workers since start. */
  publishedCount = 0;
  readonly #options: DispatcherOptions;
  readonly #credits: CreditTable;
  readonly #workerCount: number;
  readonly #published: Int32Array;
  readonly #weights: Int32Array;
  readonly #touched: Uint8Array;
  readonly #choices: SmoothWeightedRoundRobin[];
  readonly #room: WaitingRoom;
  /** How much waited when it was shown last, and when (wall ms; -Infinity: never). */
  #depthShown = 0;
  #depthsShownAt: number = Number.NEGATIVE_INFINITY;
  #agesShownAt: number = Number.NEGATIVE_INFINITY;
  /** Since when the oldest waits, per pool and priority. */
  readonly #since: Float64Array;
  /** … and which it is, by log offset: it is read once only. */
  readonly #oldest: Float64Array;
  readonly #picks: Int32Array;
  readonly #entry = emptyDispatchEntry();
  readonly #back = emptyDispatchEntry();
  readonly #returned = new Int32Array(RETURNED_PER_CALL_MAX);
  readonly #cancellations: Cancellations;
  /** Asked for since the last `doWork`. */
  #toCancel: Cancellation[] = [];
  #links: LinkDirectory;
  #firstGroup = 0;

  constructor(options: DispatcherOptions) {
    const { workerCount, poolCount, linkCount, appCount } = options.plan;
    this.#options = options;
    this.#links = options.links;
    this.#credits = options.credits;
    this.#workerCount = workerCount;
    this.#published = options.credits.publishedBy(options.producer);
    this.#weights = new Int32Array(workerCount);
    this.#touched = new Uint8Array(workerCount);
    this.#choices = Array.from(
      { length: poolCount },
      () => new SmoothWeightedRoundRobin(workerCount),
    );
    this.#room = new WaitingRoom(poolCount, linkCount, appCount, options.owner);
    this.#picks = new Int32Array(this.#room.groupCount);
    this.#since = new Float64Array(poolCount * PRIORITY_COUNT);
    this.#oldest = new Float64Array(poolCount * PRIORITY_COUNT);
    this.#cancellations = new Cancellations(options.submitRings);
  }

  /** Messages that wait here. */
  get waitingCount(): number {
    return this.#room.count;
  }

  /** How many more may wait before `submit` refuses; less than 0 if returns went beyond it. */
  get waitingRoom(): number {
    return this.#options.waitingMax - this.#room.count;
  }

  get waitingMax(): number {
    return this.#options.waitingMax;
  }

  /** Messages of one app that wait here. Looks at every lane. */
  waitingOfApp(appIndex: number): number {
    return this.#room.waitingOfApp(appIndex);
  }

  /** Whether `submit` would refuse a message that has to wait. */
  isFull(): boolean {
    return this.#room.count >= this.#options.waitingMax;
  }

  /** Messages of one (pool, priority) that wait here for any link of the pool. */
  waitingIn(poolIndex: number, priority: number): number {
    return this.#room.waitingIn(poolIndex, priority);
  }

  /** Credits left at `worker` for a (pool, priority). */
  creditsLeft(worker: number, poolIndex: number, priority: number): number {
    const cell = this.#credits.cell(worker, poolIndex, priority);
    const granted = this.#credits.granted(this.#options.producer, cell);
    return (granted - (this.#published[cell] as number)) | 0;
  }

  /**
   * Publishes a message whose ACCEPT is committed, with its body (`memory` at `acceptOffset`) if
   * one is given, or queues it if others wait or nobody takes it now. Visible to the worker after
   * the next `doWork`. False: neither was possible (`isFull`); the caller keeps it. `entry` may be
   * used again at once.
   */
  submit(
    entry: DispatchEntry,
    memory: RecordMemory | null,
    acceptOffset: number,
    acceptLength: number,
  ): boolean {
    const { poolIndex, priority } = entry;
    const linkIndex = this.#bind(entry);
    const group = this.#groupOf(poolIndex, linkIndex);
    if (this.#room.waitingIn(group, priority) === 0) {
      const bodyLength = memory === null ? 0 : acceptLength;
      const worker = this.#pickWorker(poolIndex, priority, bodyLength, linkIndex);
      if (worker >= 0) {
        this.#publish(worker, entry, memory, acceptOffset, bodyLength);
        return true;
      }
    }
    if (this.isFull()) return false;
    this.#room.add(group, entry, false);
    return true;
  }

  /**
   * Queues a message beyond the bound: for one that is promised already and found the room taken by
   * returns.
   */
  keep(entry: DispatchEntry): void {
    this.#queue(entry, false);
  }

  /**
   * Takes a message back that was submitted here, if no part of it was begun; found out from the
   * next `doWork` on. Not while the same message is being taken back.
   */
  cancel(wanted: Cancellation): void {
    this.#toCancel.push(wanted);
  }

  /**
   * Goes on with other links: what waits for a link that its pool no longer has may be sent by any
   * of the pool, before those that were never tried.
   */
  reload(links: LinkDirectory): void {
    this.#links = links;
    const freed: DispatchEntry[] = [];
    const room = this.#room;
    for (let group = room.groupOfLink(0); group < room.groupCount; group++) {
      for (let priority = 0; priority < PRIORITY_COUNT; priority++) {
        for (let left = room.waitingIn(group, priority); left > 0; left--) {
          const entry = emptyDispatchEntry();
          if (!room.take(group, priority, entry)) break;
          if (this.#bind(entry) === NO_LINK) freed.push(entry);
          else room.add(group, entry, false);
        }
      }
    }
    for (let i = freed.length - 1; i >= 0; i--) this.#queue(freed[i] as DispatchEntry, true);
  }

  /**
   * Takes returned messages back, publishes waiting ones while there are credits, drops expired
   * ones, and makes everything published since the last call visible. Returns how many messages it
   * moved.
   */
  doWork(wallMs: number): number {
    const returned = this.#takeReturned();
    if (this.#toCancel.length > 0) this.#startCancelling();
    if (this.#cancellations.count > 0) this.#cancellations.askWorkers(this.#touch);
    let published = 0;
    if (this.#room.count > 0) {
      published = this.#publishWaiting();
      this.#room.sweep(wallMs);
    }
    this.flush();
    if (wallMs - this.#depthsShownAt >= DEPTHS_INTERVAL_MS) this.#showDepths(wallMs);
    return returned + published;
  }

  readonly #touch = (worker: number): void => {
    this.#touched[worker] = 1;
  };

  #startCancelling(): void {
    for (const wanted of this.#toCancel.splice(0)) {
      if (this.#room.removeWhole(wanted)) wanted.done(true);
      else this.#cancellations.add(wanted);
    }
  }

  /** Shows others how much waits here, by pool and by link. */
  #showDepths(wallMs: number): void {
    this.#depthsShownAt = wallMs;
    if (this.#room.count === 0 && this.#depthShown === 0) return;
    this.#depthShown = this.#room.count;
    for (let group = 0; group < this.#room.groupCount; group++) {
      const count = this.#room.waitingOf(group);
      this.#credits.showWaiting(this.#options.producer, group, count);
    }
    const isNewAge = wallMs - this.#agesShownAt >= AGES_INTERVAL_MS;
    if (isNewAge) this.#agesShownAt = wallMs;
    for (let cell = 0; cell < this.#since.length; cell++) this.#showQueue(cell, isNewAge);
  }

  /** Shows how much of a pool and priority waits here; reads the oldest one if `isNewAge`. */
  #showQueue(cell: number, isNewAge: boolean): void {
    const poolIndex = Math.floor(cell / PRIORITY_COUNT);
    const priority = cell % PRIORITY_COUNT;
    const depth = this.#room.waitingIn(poolIndex, priority);
    if (depth === 0) this.#since[cell] = 0;
    else if (isNewAge) this.#readAge(cell, this.#room.oldestIn(poolIndex, priority));
    const { queues, producer } = this.#options;
    queues.show(producer, poolIndex, priority, depth, this.#since[cell] as number);
  }

  /** Reads since when the oldest message of a queue waits, unless it is the one read last. */
  #readAge(cell: number, oldest: number): void {
    if (this.#oldest[cell] === oldest && this.#since[cell] !== 0) return;
    this.#oldest[cell] = oldest;
    this.#since[cell] = oldest < 0 ? 0 : this.#options.owner.waitsSince(oldest);
  }

  /**
   * Makes everything published since the last call visible to the workers. `doWork` ends with it.
   */
  flush(): void {
    for (let worker = 0; worker < this.#workerCount; worker++) {
      if (this.#touched[worker] === 0) continue;
      this.#touched[worker] = 0;
      (this.#options.submitRings[worker] as RingProducer).publish();
      (this.#options.bells[worker] as Doorbell).ring();
    }
  }

  /** The group in which a message waits; NO_LINK: the pool's. */
  #groupOf(poolIndex: number, linkIndex: number): number {
    return linkIndex === NO_LINK ? poolIndex : this.#room.groupOfLink(linkIndex);
  }

  /** The link that alone may send it, or NO_LINK; a link that is gone binds no more. */
  #bind(entry: DispatchEntry): number {
    if (entry.linkId === 0) return NO_LINK;
    const linkIndex = this.#links.linkIndexOf(entry.poolIndex, entry.linkId);
    if (linkIndex === NO_LINK) entry.linkId = 0;
    return linkIndex;
  }

  /**
   * A worker with more than `keptCredits`, with weight and room for such a message, or -1. With
   * `linkIndex` only workers where that link is open, by its open sessions.
   */
  #pickWorker(
    poolIndex: number,
    priority: number,
    bodyLength: number,
    linkIndex: number,
    keptCredits = 0,
  ): number {
    const weights = this.#weights;
    const credits = this.#credits;
    const footprint = HAND_OVER_BYTES + ((bodyLength + 7) & ~7);
    let available = false;
    for (let worker = 0; worker < this.#workerCount; worker++) {
      let weight = 0;
      if (
        this.creditsLeft(worker, poolIndex, priority) > keptCredits &&
        (this.#options.submitRings[worker] as RingProducer).hasRoom(footprint)
      ) {
        weight =
          linkIndex === NO_LINK
            ? credits.weight(worker, poolIndex)
            : credits.openSessions(worker, linkIndex);
      }
      weights[worker] = weight;
      if (weight > 0) available = true;
    }
    return available ? (this.#choices[poolIndex] as SmoothWeightedRoundRobin).pick(weights) : -1;
  }

  #isOpen(linkIndex: number): boolean {
    for (let worker = 0; worker < this.#workerCount; worker++) {
      if (this.#credits.openSessions(worker, linkIndex) > 0) return true;
    }
    return false;
  }

  #publish(
    worker: number,
    entry: Readonly<DispatchEntry>,
    memory: RecordMemory | null,
    acceptOffset: number,
    bodyLength: number,
  ): void {
    const ring = this.#options.submitRings[worker] as RingProducer;
    const type = memory === null ? SUBMIT_REFERENCE_TYPE : SUBMIT_TYPE;
    const length = HAND_OVER_BYTES + bodyLength;
    const at = ring.claim(length, type, RECORD_VERSION, RECORD_FLAGS_PLAIN);
    if (at === RING_FULL) throw new Error("submit ring has no room after hasRoom");
    const { view } = ring;
    view.setFloat64(at + HandOver.LOG_OFFSET, entry.logOffset, true);
    view.setUint16(at + HandOver.POOL_INDEX, entry.poolIndex, true);
    view.setUint8(at + HandOver.PRIORITY, entry.priority);
    view.setUint8(at + HandOver.ATTEMPT, entry.attempt);
    view.setUint16(at + HandOver.PARTS, entry.parts, true);
    view.setUint8(at + HandOver.FLAGS, entry.flags);
    view.setUint32(at + HandOver.LINK_ID, entry.linkId, true);
    view.setUint32(at + HandOver.APP_INDEX, entry.appIndex, true);
    view.setUint16(at + HandOver.CONCAT_REFERENCE, entry.concatReference, true);
    if (memory !== null) {
      copyBytes(memory.bytes, acceptOffset, ring.bytes, at + HandOver.ACCEPT, bodyLength);
    }
    const cell = this.#credits.cell(worker, entry.poolIndex, entry.priority);
    this.#published[cell] = (this.#published[cell] as number) + 1;
    this.#touched[worker] = 1;
    this.publishedCount++;
  }

  #queue(entry: DispatchEntry, first: boolean): void {
    const group = this.#groupOf(entry.poolIndex, this.#bind(entry));
    this.#room.add(group, entry, first);
  }

  #publishWaiting(): number {
    const { groupCount } = this.#room;
    let published = 0;
    for (let i = 0; i < groupCount && published < PUBLISHED_PER_CALL_MAX; i++) {
      const group = (this.#firstGroup + i) % groupCount;
      if (this.#room.waitingOf(group) === 0) continue;
      const linkIndex = this.#room.linkOf(group);
      if (linkIndex !== NO_LINK && !this.#isOpen(linkIndex)) continue;
      published += this.#publishGroup(group, linkIndex, PUBLISHED_PER_CALL_MAX - published);
    }
    this.#firstGroup = (this.#firstGroup + 1) % groupCount;
    return published;
  }

  /**
   * Publishes up to `limit` waiting messages of a group, by priority; returns how many left their
   * lanes.
   */
  #publishGroup(group: number, linkIndex: number, limit: number): number {
    let left = 0;
    let blocked = 0;
    while (left < limit) {
      const picks = ((this.#picks[group] as number) + 1) % STARVATION_PICKS;
      const priority = this.#nextPriority(group, blocked, picks === 0);
      if (priority < 0) break;
      const isOut =
        linkIndex === NO_LINK
          ? this.#publishOfPool(group, priority)
          : this.#publishOfLink(group, priority, linkIndex);
      if (isOut) {
        this.#picks[group] = picks;
        left++;
      } else {
        blocked |= 1 << priority;
      }
    }
    return left;
  }

  /**
   * Highest priority that waits, or the lowest if it is its turn; -1 if all that wait are blocked.
   */
  #nextPriority(group: number, blocked: number, lowestFirst: boolean): number {
    for (let i = 0; i < PRIORITY_COUNT; i++) {
      const priority = lowestFirst ? i : PRIORITY_COUNT - 1 - i;
      if ((blocked & (1 << priority)) === 0 && this.#room.waitingIn(group, priority) > 0) {
        return priority;
      }
    }
    return -1;
  }

  /** The next message of a pool leaves its lane; false if no worker takes it. */
  #publishOfPool(poolIndex: number, priority: number): boolean {
    const kept = this.#room.isNextFresh(poolIndex, priority) ? 0 : FRESH_CREDITS;
    const worker = this.#pickWorker(poolIndex, priority, 0, NO_LINK, kept);
    if (worker < 0) return false;
    const entry = this.#entry;
    if (this.#room.take(poolIndex, priority, entry) && this.#isWanted(entry)) {
      this.#publish(worker, entry, null, 0, 0);
    }
    return true;
  }

  /** The same for a link: its messages may be of several pools, with credits of their own. */
  #publishOfLink(group: number, priority: number, linkIndex: number): boolean {
    const entry = this.#entry;
    if (!this.#room.take(group, priority, entry)) return false;
    const worker = this.#pickWorker(entry.poolIndex, priority, 0, linkIndex);
    if (worker < 0) {
      this.#room.add(group, entry, true);
      return false;
    }
    if (this.#isWanted(entry)) this.#publish(worker, entry, null, 0, 0);
    return true;
  }

  #isWanted(entry: DispatchEntry): boolean {
    return this.#options.owner.isWanted(entry.logOffset);
  }

  /**
   * Drains the return rings; the last returned goes in front first, so that they keep their order.
   */
  #takeReturned(): number {
    let total = 0;
    for (let worker = 0; worker < this.#workerCount; worker++) {
      const ring = this.#options.returnRings[worker] as RingConsumer;
      let count = 0;
      while (count < RETURNED_PER_CALL_MAX) {
        const at = ring.next();
        if (at === RING_EMPTY) break;
        this.#returned[count++] = at;
      }
      if (count === 0) continue;
      for (let i = count - 1; i >= 0; i--) {
        const at = this.#returned[i] as number;
        if (ring.view.getUint8(at + RECORD_TYPE_OFFSET) === RETURN_TYPE) {
          this.#takeBack(ring.view, at);
          this.returnedCount++;
        }
      }
      // A worker's RETURNs stand before its refusals.
      for (let i = 0; i < count; i++) this.#takeRefusal(ring.view, this.#returned[i] as number);
      ring.release();
      total += count;
    }
    return total;
  }

  #takeRefusal(view: DataView, at: number): void {
    if (view.getUint8(at + RECORD_TYPE_OFFSET) !== CANCEL_REFUSED_TYPE) return;
    this.#cancellations.noteRefused(view.getFloat64(at + HandOver.LOG_OFFSET, true));
  }

  #takeBack(view: DataView, at: number): void {
    const entry = this.#back;
    entry.logOffset = view.getFloat64(at + HandOver.LOG_OFFSET, true);
    entry.poolIndex = view.getUint16(at + HandOver.POOL_INDEX, true);
    entry.priority = view.getUint8(at + HandOver.PRIORITY);
    entry.attempt = view.getUint8(at + HandOver.ATTEMPT);
    entry.parts = view.getUint16(at + HandOver.PARTS, true);
    entry.flags = view.getUint8(at + HandOver.FLAGS);
    entry.linkId = view.getUint32(at + HandOver.LINK_ID, true);
    entry.appIndex = view.getUint32(at + HandOver.APP_INDEX, true);
    entry.concatReference = view.getUint16(at + HandOver.CONCAT_REFERENCE, true);
    if (this.#cancellations.count > 0 && this.#cancellations.takeReturned(entry)) return;
    this.#queue(entry, true);
  }
}
