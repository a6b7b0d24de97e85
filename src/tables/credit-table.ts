/**
 * Credits: how many messages each worker is ready to take from each producer, per pool and
 * priority, each worker's weight in each pool, and where each link is open.
 *
 *   granted[producer][worker][pool][priority]     Int32, wraps: messages ever allowed
 *   published[producer][worker][pool][priority]   Int32, wraps: messages ever sent
 *   weight[worker][pool]                          Int32: sum of the worker's available weights
 *   open[worker][link]                            Int32: sessions of the link open there
 *   waiting[producer][pool, then link]            Int32: messages that wait there, for people
 *   queued[worker][pool, then link]               Int32: likewise
 *
 * `published` and `waiting` are written by their producer only, every other word by its worker
 * only. A message waits for its pool, or for the one link that may have it.
 *
 * A producer may publish while (granted - published) > 0. A worker
 * without an available session for a pool grants nothing for it and shows weight 0.
 */
import { PRIORITY_COUNT } from "../records/types.ts";
import { producerCount, type SharedPlan } from "./plan.ts";

export function allocateCreditTable(plan: SharedPlan): SharedArrayBuffer {
  const granted = producerCount(plan) * plan.workerCount * plan.poolCount * PRIORITY_COUNT;
  const groups = plan.poolCount + plan.linkCount;
  const perWorker = 2 * groups;
  const words = 2 * granted + plan.workerCount * perWorker + producerCount(plan) * groups;
  return new SharedArrayBuffer(4 * words);
}

export class CreditTable {
  readonly #words: Int32Array;
  /** Pools that there is room for. */
  readonly poolCount: number;
  readonly #linkCount: number;
  readonly #workerCount: number;
  readonly #publishedBase: number;
  readonly #weightBase: number;
  readonly #openBase: number;
  readonly #waitingBase: number;
  readonly #queuedBase: number;
  readonly #producers: number;

  constructor(buffer: SharedArrayBuffer, plan: SharedPlan) {
    this.#words = new Int32Array(buffer);
    this.poolCount = plan.poolCount;
    this.#linkCount = plan.linkCount;
    this.#workerCount = plan.workerCount;
    this.#publishedBase = producerCount(plan) * this.cellCountPerProducer;
    this.#weightBase = 2 * this.#publishedBase;
    this.#openBase = this.#weightBase + plan.workerCount * plan.poolCount;
    this.#producers = producerCount(plan);
    this.#waitingBase = this.#openBase + plan.workerCount * plan.linkCount;
    this.#queuedBase = this.#waitingBase + this.#producers * this.#groups;
  }

  /** Cells of one producer: an index for its own count of published messages. */
  get cellCountPerProducer(): number {
    return this.#workerCount * this.poolCount * PRIORITY_COUNT;
  }

  /** Index of a cell within one producer's cells. */
  cell(worker: number, poolIndex: number, priority: number): number {
    return (worker * this.poolCount + poolIndex) * PRIORITY_COUNT + priority;
  }

  granted(producer: number, cell: number): number {
    return Atomics.load(this.#words, producer * this.cellCountPerProducer + cell);
  }

  /** What `producer` has published, by cell; for itself to count in, for others to look at. */
  publishedBy(producer: number): Int32Array {
    const count = this.cellCountPerProducer;
    const from = this.#publishedBase + producer * count;
    return this.#words.subarray(from, from + count);
  }

  /** Credits that `producer` has left in a cell. */
  left(producer: number, cell: number): number {
    const at = this.#publishedBase + producer * this.cellCountPerProducer + cell;
    return (this.granted(producer, cell) - Atomics.load(this.#words, at)) | 0;
  }

  grant(producer: number, cell: number, total: number): void {
    Atomics.store(this.#words, producer * this.cellCountPerProducer + cell, total);
  }

  weight(worker: number, poolIndex: number): number {
    return Atomics.load(this.#words, this.#weightBase + worker * this.poolCount + poolIndex);
  }

  setWeight(worker: number, poolIndex: number, weight: number): void {
    Atomics.store(this.#words, this.#weightBase + worker * this.poolCount + poolIndex, weight);
  }

  openSessions(worker: number, linkIndex: number): number {
    return Atomics.load(this.#words, this.#openBase + worker * this.#linkCount + linkIndex);
  }

  setOpenSessions(worker: number, linkIndex: number, count: number): void {
    Atomics.store(this.#words, this.#openBase + worker * this.#linkCount + linkIndex, count);
  }

  /** A producer has so many messages waiting for a group: a pool, or poolCount + a link. */
  showWaiting(producer: number, group: number, count: number): void {
    Atomics.store(this.#words, this.#waitingBase + producer * this.#groups + group, count);
  }

  /** A worker has so many messages queued for a group. */
  showQueued(worker: number, group: number, count: number): void {
    Atomics.store(this.#words, this.#queuedBase + worker * this.#groups + group, count);
  }

  /** Messages that wait for a pool, over all producers and workers. */
  depthOfPool(poolIndex: number): number {
    return this.#depth(poolIndex);
  }

  /** Messages that wait for a link and no other. */
  depthOfLink(linkIndex: number): number {
    return this.#depth(this.poolCount + linkIndex);
  }

  get #groups(): number {
    return this.poolCount + this.#linkCount;
  }

  #depth(group: number): number {
    let sum = 0;
    for (let i = 0; i < this.#producers; i++) {
      sum += Atomics.load(this.#words, this.#waitingBase + i * this.#groups + group);
    }
    for (let i = 0; i < this.#workerCount; i++) {
      sum += Atomics.load(this.#words, this.#queuedBase + i * this.#groups + group);
    }
    return sum;
  }
}
