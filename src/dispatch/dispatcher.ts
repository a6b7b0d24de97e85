/**
 * What every producer does with a message it owns: publish it to an SMPP worker, or let it wait.
 *
 *   submit ──► credits, room, nobody waits? ──► SUBMIT (body copied) ──────► submit ring
 *      └─────► lane of (pool, priority), 8 bytes ──► SUBMIT_REFERENCE ─────► of a worker
 *                 ▲────────────────────── RETURN (keeps its place) ◄──────── its return ring
 *
 * Invariant: to each worker no more messages of a (pool, priority) are published than it granted.
 * One instance per producer, used by its thread only; nothing is allocated per message that waits
 * with ordinary attributes.
 */
import type { Doorbell } from "../ring/doorbell.ts";
import { RING_EMPTY, RING_FULL } from "../ring/layout.ts";
import type { RingConsumer, RingProducer } from "../ring/one-to-one-ring.ts";
import {
  HAND_OVER_BYTES,
  HandOver,
  PARTS_ALL,
  SUBMIT_REFERENCE_TYPE,
  SUBMIT_TYPE,
} from "../records/hand-over.ts";
import { copyBytes, type RecordMemory } from "../records/memory.ts";
import { PRIORITY_COUNT, RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../records/types.ts";
import { SmoothWeightedRoundRobin } from "../routing/swrr.ts";
import type { CreditTable } from "../tables/credit-table.ts";
import type { SharedPlan } from "../tables/plan.ts";
import { ChunkStore, type ExpiryCheck, NONE_WAITING, WaitingLane } from "./waiting-queue.ts";

/** Every so many picks the lowest priority that waits comes first. */
const STARVATION_PICKS = 16;
/** Messages published out of the waiting lanes per `doWork`, so that one call stays short. */
const PUBLISHED_PER_CALL_MAX = 1024;
const RETURNED_PER_CALL_MAX = 256;
const SWEEP_INTERVAL_MS = 1000;
const SWEEP_CONTINUE_MS = 20;
const SWEEP_BUDGET = 1024;
/** A message bound to one link that came back waits so long before it is offered again. */
const HOLD_MS = 100;

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
}

/** One message to be published; callers keep one such object and fill it anew. */
export interface DispatchEntry {
  /** Of the ACCEPT. */
  logOffset: number;
  poolIndex: number;
  priority: number;
  appIndex: number;
  /** Number of its next sending, 1-based. */
  attempt: number;
  /** Bit per part that is to be sent, or PARTS_ALL. */
  parts: number;
  /** FLAG_MAYBE_DUP or 0. */
  flags: number;
  /** The only link that may send it, or 0. */
  linkId: number;
  /** Wall ms; 0 = not known. */
  expiresAtMs: number;
}

export interface DispatcherOptions {
  /** Index of this producer (src/tables/plan.ts). */
  readonly producer: number;
  readonly plan: SharedPlan;
  readonly credits: CreditTable;
  /** By worker: submit rings, return rings, bells. */
  readonly submitRings: readonly RingProducer[];
  readonly returnRings: readonly RingConsumer[];
  readonly bells: readonly Doorbell[];
  /** `submit` refuses beyond so many waiting messages. */
  readonly waitingMax: number;
  readonly owner: WaitingOwner;
  /**
   * By link id, by worker: 1 if the worker has sessions of that link. Without it any worker is
   * asked.
   */
  readonly linkWorkers?: ReadonlyMap<number, Uint8Array>;
}

export function emptyDispatchEntry(): DispatchEntry {
  return {
    logOffset: 0,
    poolIndex: 0,
    priority: 0,
    appIndex: 0,
    attempt: 1,
    parts: PARTS_ALL,
    flags: 0,
    linkId: 0,
    expiresAtMs: 0,
  };
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
  readonly #store = new ChunkStore();
  readonly #lanes: (WaitingLane | null)[];
  readonly #poolWaiting: Int32Array;
  readonly #picks: Int32Array;
  /**
   * Attributes of waiting messages that differ from the ordinary ones, by log offset; several where
   * parts of one message wait on their own.
   */
  readonly #unusual = new Map<number, Readonly<DispatchEntry>[]>();
  readonly #held: Readonly<DispatchEntry>[] = [];
  readonly #expiryCheck: ExpiryCheck = {
    expire: (logOffset, wallMs) => {
      const expiresAtMs = this.#options.owner.expire(logOffset, wallMs);
      if (expiresAtMs === 0) this.#takeUnusual(logOffset);
      return expiresAtMs;
    },
  };
  readonly #entry = emptyDispatchEntry();
  readonly #back = emptyDispatchEntry();
  readonly #returned = new Int32Array(RETURNED_PER_CALL_MAX);
  #heldUntilMs = 0;
  #waiting = 0;
  #firstPool = 0;
  #nextSweepMs = 0;
  #sweepLane = 0;

  constructor(options: DispatcherOptions) {
    const { workerCount, poolCount } = options.plan;
    this.#options = options;
    this.#credits = options.credits;
    this.#workerCount = workerCount;
    this.#published = options.credits.publishedBy(options.producer);
    this.#weights = new Int32Array(workerCount);
    this.#touched = new Uint8Array(workerCount);
    this.#choices = Array.from(
      { length: poolCount },
      () => new SmoothWeightedRoundRobin(workerCount),
    );
    this.#lanes = Array.from({ length: poolCount * PRIORITY_COUNT }, () => null);
    this.#poolWaiting = new Int32Array(poolCount);
    this.#picks = new Int32Array(poolCount);
  }

  /** Messages that wait here. */
  get waitingCount(): number {
    return this.#waiting;
  }

  /** How many more may wait before `submit` refuses; less than 0 if returns went beyond it. */
  get waitingRoom(): number {
    return this.#options.waitingMax - this.#waiting;
  }

  /** Whether `submit` would refuse a message that has to wait. */
  isFull(): boolean {
    return this.#waiting >= this.#options.waitingMax;
  }

  /** Messages of one (pool, priority) that wait here. */
  waitingIn(poolIndex: number, priority: number): number {
    return this.#lanes[poolIndex * PRIORITY_COUNT + priority]?.count ?? 0;
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
    if (this.waitingIn(entry.poolIndex, entry.priority) === 0) {
      const bodyLength = memory === null ? 0 : acceptLength;
      const worker = this.#pickWorker(
        entry.poolIndex,
        entry.priority,
        bodyLength,
        this.#workersOf(entry.linkId),
      );
      if (worker >= 0) {
        this.#publish(worker, entry, memory, acceptOffset, bodyLength);
        return true;
      }
    }
    if (this.isFull()) return false;
    this.#queue(entry, false);
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
   * Takes returned messages back, publishes waiting ones while there are credits, drops expired
   * ones, and makes everything published since the last call visible. Returns how many messages it
   * moved.
   */
  doWork(wallMs: number): number {
    const returned = this.#takeReturned(wallMs);
    if (this.#held.length > 0 && wallMs >= this.#heldUntilMs) this.#releaseHeld();
    let published = 0;
    if (this.#waiting > 0) {
      published = this.#publishWaiting(wallMs);
      if (wallMs >= this.#nextSweepMs) this.#sweepExpired(wallMs);
    }
    this.flush();
    return returned + published;
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

  /**
   * One of the `allowed` workers (null: of all) with credits, weight and room for such a message,
   * or -1.
   */
  #pickWorker(
    poolIndex: number,
    priority: number,
    bodyLength: number,
    allowed: Uint8Array | null,
  ): number {
    const weights = this.#weights;
    const footprint = HAND_OVER_BYTES + ((bodyLength + 7) & ~7);
    let available = false;
    for (let worker = 0; worker < this.#workerCount; worker++) {
      let weight = 0;
      if (
        (allowed === null || allowed[worker] === 1) &&
        this.creditsLeft(worker, poolIndex, priority) > 0 &&
        (this.#options.submitRings[worker] as RingProducer).hasRoom(footprint)
      ) {
        weight = this.#credits.weight(worker, poolIndex);
      }
      weights[worker] = weight;
      if (weight > 0) available = true;
    }
    return available ? (this.#choices[poolIndex] as SmoothWeightedRoundRobin).pick(weights) : -1;
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
    view.setUint16(at + HandOver.FLAGS, entry.flags, true);
    view.setUint32(at + HandOver.LINK_ID, entry.linkId, true);
    view.setUint32(at + HandOver.APP_INDEX, entry.appIndex, true);
    if (memory !== null) {
      copyBytes(memory.bytes, acceptOffset, ring.bytes, at + HandOver.ACCEPT, bodyLength);
    }
    const cell = this.#credits.cell(worker, entry.poolIndex, entry.priority);
    this.#published[cell] = (this.#published[cell] as number) + 1;
    this.#touched[worker] = 1;
    this.publishedCount++;
  }

  #queue(entry: Readonly<DispatchEntry>, first: boolean): void {
    const index = entry.poolIndex * PRIORITY_COUNT + entry.priority;
    let lane = this.#lanes[index] ?? null;
    if (lane === null) {
      lane = new WaitingLane(this.#options.plan.appCount, this.#store);
      this.#lanes[index] = lane;
    }
    if (first) lane.prepend(entry.appIndex, entry.logOffset, entry.expiresAtMs);
    else lane.append(entry.appIndex, entry.logOffset, entry.expiresAtMs);
    if (!isOrdinary(entry)) this.#keepUnusual(entry);
    this.#waiting++;
    this.#poolWaiting[entry.poolIndex] = (this.#poolWaiting[entry.poolIndex] as number) + 1;
  }

  #keepUnusual(entry: Readonly<DispatchEntry>): void {
    const kept = this.#unusual.get(entry.logOffset);
    if (kept === undefined) this.#unusual.set(entry.logOffset, [{ ...entry }]);
    else kept.push({ ...entry });
  }

  #takeUnusual(logOffset: number): Readonly<DispatchEntry> | undefined {
    if (this.#unusual.size === 0) return undefined;
    const kept = this.#unusual.get(logOffset);
    const entry = kept?.shift();
    if (kept?.length === 0) this.#unusual.delete(logOffset);
    return entry;
  }

  #noteLeft(poolIndex: number, messages: number): void {
    this.#waiting -= messages;
    this.#poolWaiting[poolIndex] = (this.#poolWaiting[poolIndex] as number) - messages;
  }

  #publishWaiting(wallMs: number): number {
    const pools = this.#poolWaiting.length;
    let published = 0;
    for (let i = 0; i < pools && published < PUBLISHED_PER_CALL_MAX; i++) {
      const poolIndex = (this.#firstPool + i) % pools;
      if ((this.#poolWaiting[poolIndex] as number) === 0) continue;
      published += this.#publishPool(poolIndex, PUBLISHED_PER_CALL_MAX - published, wallMs);
    }
    this.#firstPool = (this.#firstPool + 1) % pools;
    return published;
  }

  /**
   * Publishes up to `limit` waiting messages of a pool, by priority; returns how many left their
   * lanes.
   */
  #publishPool(poolIndex: number, limit: number, wallMs: number): number {
    let left = 0;
    let blocked = 0;
    while (left < limit) {
      const picks = ((this.#picks[poolIndex] as number) + 1) % STARVATION_PICKS;
      const priority = this.#nextPriority(poolIndex, blocked, picks === 0);
      if (priority < 0) break;
      const worker = this.#pickWorker(poolIndex, priority, 0, null);
      if (worker < 0) {
        blocked |= 1 << priority;
        continue;
      }
      this.#picks[poolIndex] = picks;
      left += this.#publishOne(poolIndex, priority, worker, wallMs);
    }
    return left;
  }

  /**
   * Highest priority that waits, or the lowest if it is its turn; -1 if all that wait are blocked.
   */
  #nextPriority(poolIndex: number, blocked: number, lowestFirst: boolean): number {
    for (let i = 0; i < PRIORITY_COUNT; i++) {
      const priority = lowestFirst ? i : PRIORITY_COUNT - 1 - i;
      if ((blocked & (1 << priority)) === 0 && this.waitingIn(poolIndex, priority) > 0) {
        return priority;
      }
    }
    return -1;
  }

  #publishOne(poolIndex: number, priority: number, worker: number, wallMs: number): number {
    const lane = this.#lanes[poolIndex * PRIORITY_COUNT + priority] as WaitingLane;
    const logOffset = lane.take();
    if (logOffset === NONE_WAITING) return 0;
    this.#noteLeft(poolIndex, 1);
    const wanted = this.#options.owner.isWanted(logOffset);
    const unusual = this.#takeUnusual(logOffset);
    if (!wanted) return 1;
    if (unusual === undefined) {
      const entry = this.#entry;
      entry.logOffset = logOffset;
      entry.poolIndex = poolIndex;
      entry.priority = priority;
      entry.appIndex = lane.takenApp;
      this.#publish(worker, entry, null, 0, 0);
    } else {
      this.#publishUnusual(worker, unusual, wallMs);
    }
    return 1;
  }

  #publishUnusual(worker: number, entry: Readonly<DispatchEntry>, wallMs: number): void {
    const allowed = this.#workersOf(entry.linkId);
    let chosen = worker;
    if (allowed !== null && allowed[worker] !== 1) {
      chosen = this.#pickWorker(entry.poolIndex, entry.priority, 0, allowed);
    }
    if (chosen >= 0) this.#publish(chosen, entry, null, 0, 0);
    else this.#hold(entry, wallMs);
  }

  #hold(entry: Readonly<DispatchEntry>, wallMs: number): void {
    if (this.#held.length === 0) this.#heldUntilMs = wallMs + HOLD_MS;
    this.#held.push({ ...entry });
    this.#waiting++;
  }

  /**
   * The workers that have sessions of a link; null, all of them, for link 0 or one not in the map.
   */
  #workersOf(linkId: number): Uint8Array | null {
    if (linkId === 0) return null;
    return this.#options.linkWorkers?.get(linkId) ?? null;
  }

  /**
   * Drains the return rings; the last returned goes in front first, so that they keep their order.
   */
  #takeReturned(wallMs: number): number {
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
        this.#takeBack(ring.view, this.#returned[i] as number, wallMs);
      }
      ring.release();
      total += count;
    }
    this.returnedCount += total;
    return total;
  }

  #takeBack(view: DataView, at: number, wallMs: number): void {
    const entry = this.#back;
    entry.logOffset = view.getFloat64(at + HandOver.LOG_OFFSET, true);
    entry.poolIndex = view.getUint16(at + HandOver.POOL_INDEX, true);
    entry.priority = view.getUint8(at + HandOver.PRIORITY);
    entry.attempt = view.getUint8(at + HandOver.ATTEMPT);
    entry.parts = view.getUint16(at + HandOver.PARTS, true);
    entry.flags = view.getUint8(at + HandOver.FLAGS);
    entry.linkId = view.getUint32(at + HandOver.LINK_ID, true);
    entry.appIndex = view.getUint32(at + HandOver.APP_INDEX, true);
    if (entry.linkId === 0) this.#queue(entry, true);
    else this.#hold(entry, wallMs);
  }

  #releaseHeld(): void {
    for (let i = 0; i < this.#held.length; i++) {
      this.#waiting--;
      this.#queue(this.#held[i] as DispatchEntry, true);
    }
    this.#held.length = 0;
  }

  #sweepExpired(wallMs: number): void {
    let budget = SWEEP_BUDGET;
    for (; this.#sweepLane < this.#lanes.length && budget > 0; this.#sweepLane++) {
      const lane = this.#lanes[this.#sweepLane] ?? null;
      if (lane === null || lane.lowestExpiresAtMs > wallMs) continue;
      const before = lane.count;
      budget = lane.sweep(this.#expiryCheck, wallMs, budget);
      this.#noteLeft(Math.floor(this.#sweepLane / PRIORITY_COUNT), before - lane.count);
      if (budget === 0) break;
    }
    const done = this.#sweepLane === this.#lanes.length;
    if (done) this.#sweepLane = 0;
    this.#nextSweepMs = wallMs + (done ? SWEEP_INTERVAL_MS : SWEEP_CONTINUE_MS);
  }
}

function isOrdinary(entry: Readonly<DispatchEntry>): boolean {
  return (
    entry.attempt === 1 && entry.parts === PARTS_ALL && entry.flags === 0 && entry.linkId === 0
  );
}
