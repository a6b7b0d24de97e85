/**
 * What waits, for people: per pool and priority how much, since when the oldest, and how long what
 * went out had waited.
 *
 *   depth[source][pool][priority]            Int32: messages
 *   since[source][pool][priority]            Int32: since when the oldest waits, wall s, 0: none
 *   waited[worker][pool][priority][bucket]   Int32, wraps: segments written, by their wait
 *
 * Sources are the producers, then the workers. Each writes its own rows; any thread reads. What
 * only one link may send counts for that link (credit-table.ts) and not here. A wait counts from
 * acceptance, or from `send_at`. Buckets: up to 1 ms, then doubling.
 */
import { PRIORITY_COUNT } from "../records/types.ts";
import { producerCount, type SharedPlan } from "./plan.ts";

/** The last one counts what waited longer than its bound says: 2^21 ms, 35 minutes. */
export const WAIT_BUCKETS = 23;

/** Upper bound in ms of what a bucket counts; the last has none. */
export function waitBoundMs(bucket: number): number {
  return bucket === WAIT_BUCKETS - 1 ? Number.POSITIVE_INFINITY : 2 ** bucket;
}

export function allocateQueueTable(plan: SharedPlan): SharedArrayBuffer {
  const cells = plan.poolCount * PRIORITY_COUNT;
  const sources = producerCount(plan) + plan.workerCount;
  return new SharedArrayBuffer(4 * cells * (2 * sources + plan.workerCount * WAIT_BUCKETS));
}

export class QueueTable {
  readonly priorityCount = PRIORITY_COUNT;
  readonly #words: Int32Array;
  readonly #cells: number;
  readonly #sources: number;
  readonly #producers: number;
  readonly #workers: number;

  constructor(buffer: SharedArrayBuffer, plan: SharedPlan) {
    this.#words = new Int32Array(buffer);
    this.#cells = plan.poolCount * PRIORITY_COUNT;
    this.#producers = producerCount(plan);
    this.#workers = plan.workerCount;
    this.#sources = this.#producers + plan.workerCount;
  }

  /** The source that a worker is. */
  sourceOfWorker(worker: number): number {
    return this.#producers + worker;
  }

  /** A source has so many messages; the oldest waits since `sinceMs` (wall), 0: not known. */
  show(source: number, pool: number, priority: number, depth: number, sinceMs: number): void {
    const at = source * this.#cells + pool * PRIORITY_COUNT + priority;
    Atomics.store(this.#words, at, depth);
    Atomics.store(this.#words, this.#sources * this.#cells + at, Math.floor(sinceMs / 1000));
  }

  /** A worker has written a segment that had waited `ms`. Called by that worker only. */
  countWait(worker: number, pool: number, priority: number, ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.min(WAIT_BUCKETS - 1, 32 - Math.clz32(Math.ceil(ms) - 1));
    const at = this.#waited(worker, pool, priority) + bucket;
    this.#words[at] = ((this.#words[at] as number) + 1) | 0;
  }

  /** Messages of a pool and priority that wait, over all sources. */
  depth(pool: number, priority: number): number {
    let sum = 0;
    for (let source = 0; source < this.#sources; source++) {
      sum += Atomics.load(this.#words, source * this.#cells + pool * PRIORITY_COUNT + priority);
    }
    return sum;
  }

  /** Wall time in ms, by the second, since when the oldest of them waits; 0: none does. */
  sinceMs(pool: number, priority: number): number {
    let oldest = 0;
    for (let source = 0; source < this.#sources; source++) {
      const cell = source * this.#cells + pool * PRIORITY_COUNT + priority;
      const since = Atomics.load(this.#words, this.#sources * this.#cells + cell);
      if (since > 0 && (oldest === 0 || since < oldest)) oldest = since;
    }
    return oldest * 1000;
  }

  /** Segments whose wait fell into a bucket, over all workers. */
  waits(pool: number, priority: number, bucket: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.#workers; worker++) {
      sum += Atomics.load(this.#words, this.#waited(worker, pool, priority) + bucket) >>> 0;
    }
    return sum;
  }

  #waited(worker: number, pool: number, priority: number): number {
    const cell = worker * this.#cells + pool * PRIORITY_COUNT + priority;
    return 2 * this.#sources * this.#cells + cell * WAIT_BUCKETS;
  }
}
