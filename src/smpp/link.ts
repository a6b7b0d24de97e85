/**
 * One link as one worker sees it: its share of the sessions, the shared buckets, and what waits for
 * this link alone.
 *
 *   a segment is prepared (SENDING staged) only while all workers together have prepared less than
 *   the buckets free in 5 ms; it is written only with a token of the contract bucket and its time
 *   of the pace
 *
 * `openTurn` and `closeTurn` bracket a turn of the worker, so that the shared words are touched
 * once a turn, except for the tokens. One thread per instance; the words are shared.
 */
import type { DerivedLink } from "../config/derive.ts";
import type { LinkConfig } from "../config/types.ts";
import { createStatusClassTable } from "../codec/index.ts";
import {
  availableUnits,
  bucketNow,
  contractBurst,
  contractRefill,
  giveBack,
  tryAcquire,
  UNITS_PER_TOKEN,
} from "../limit/bucket.ts";
import { PRIORITY_COUNT } from "../records/types.ts";
import { LinkWord, rowWord } from "../tables/link-table.ts";
import { MEASURE_SLICE_MS, PREPARE_HORIZON_MS } from "./limits.ts";
import { MessageList } from "./message-list.ts";
import type { MessageTable } from "./message-table.ts";
import { cutPace, isPaceOpen, paceAvailable, raisePace, takePace } from "./pace.ts";
import type { SmppSession } from "./session.ts";

const UNLIMITED = 0x3fffffff;

export class WorkerLink {
  readonly id: number;
  readonly linkIndex: number;
  config: LinkConfig;
  /** Own sessions. */
  readonly sessions: SmppSession[] = [];
  /** By priority: messages that only this link may send, by log offset. */
  readonly pinned: MessageList[];
  /** command_status → class. */
  readonly statusClasses = createStatusClassTable();
  /** Own sessions that take traffic. */
  openCount = 0;
  /** Its contract is being changed: no segment is prepared or written until it is configured. */
  isHeld = false;
  /** Segments that may still be prepared in this turn. */
  budget = 0;
  readonly #words: Int32Array;
  readonly #row: number;
  #burstUnits = 0;
  #refill = 0;
  #preparedHere = 0;
  #preparedDelta = 0;
  #writtenDelta = 0;
  #sliceStartMs = 0;
  #sliceWritten = 0;
  #rate = 0;
  #rateBest = 0;

  constructor(link: DerivedLink, words: Int32Array, table: MessageTable) {
    this.linkIndex = link.linkIndex;
    this.config = link.config;
    this.id = link.config.id;
    this.#words = words;
    this.#row = rowWord(link.linkIndex, 0);
    this.pinned = Array.from({ length: PRIORITY_COUNT }, () => new MessageList(table));
    this.configure(link.config);
    this.#sliceWritten = Atomics.load(words, this.#row + LinkWord.WRITTEN);
  }

  /** Goes by this configuration from now on; its bucket holds the debt of the one before. */
  configure(config: LinkConfig): void {
    const rate = config.rateTps ?? 0;
    this.config = config;
    this.isHeld = false;
    this.#burstUnits = contractBurst(rate) * UNITS_PER_TOKEN;
    this.#refill = contractRefill(rate);
  }

  /** The contract does not let anything through. */
  get isClosed(): boolean {
    return this.config.rateTps === 0;
  }

  /** It goes more slowly than its contract, since the SMSC throttled it. */
  get isPaced(): boolean {
    return Atomics.load(this.#words, this.#row + LinkWord.PACE_MILLI) !== 0;
  }

  /** Segments prepared by this worker and not yet written. */
  get preparedHere(): number {
    return this.#preparedHere;
  }

  /**
   * Looks up how many segments may be prepared. A worker that has none prepared may always prepare
   * one.
   */
  openTurn(nowMs: number): void {
    if (this.isClosed || this.isHeld) {
      this.budget = 0;
      return;
    }
    const free = Math.min(this.#contractFree(nowMs), this.#paceFree(nowMs));
    if (free === UNLIMITED) {
      this.budget = UNLIMITED;
      return;
    }
    const prepared = Atomics.load(this.#words, this.#row + LinkWord.PREPARED);
    const least = this.#preparedHere === 0 ? 1 : 0;
    this.budget = Math.max(least, free - prepared);
  }

  /** Tells the other workers what this turn prepared and wrote. */
  closeTurn(): void {
    if (this.#preparedDelta !== 0) {
      Atomics.add(this.#words, this.#row + LinkWord.PREPARED, this.#preparedDelta);
      this.#preparedDelta = 0;
    }
    if (this.#writtenDelta !== 0) {
      Atomics.add(this.#words, this.#row + LinkWord.WRITTEN, this.#writtenDelta);
      this.#writtenDelta = 0;
    }
  }

  notePrepared(): void {
    this.budget--;
    this.#preparedHere++;
    this.#preparedDelta++;
  }

  /** A prepared segment was written, or never will be. */
  noteUnprepared(written: boolean): void {
    this.#preparedHere--;
    this.#preparedDelta--;
    if (written) this.#writtenDelta++;
  }

  /** Takes the token and the time of one segment, which is then written at once. */
  tryTakeToken(nowMs: number): boolean {
    const { rateTps } = this.config;
    if (rateTps === 0 || this.isHeld || !isPaceOpen(this.#words, this.#row, nowMs)) return false;
    if (rateTps === null) return takePace(this.#words, this.#row, nowMs);
    const bucket = this.#row + LinkWord.BUCKET;
    const now = bucketNow(nowMs, this.#refill);
    if (tryAcquire(this.#words, bucket, now, UNITS_PER_TOKEN, this.#burstUnits) < 0) return false;
    if (takePace(this.#words, this.#row, nowMs)) return true;
    giveBack(this.#words, bucket, now, UNITS_PER_TOKEN, this.#burstUnits);
    return false;
  }

  /** The SMSC throttled a segment of this link. Returns whether the pace was cut. */
  noteThrottled(nowMs: number, writtenAtMs: number): boolean {
    const from = this.config.rateTps ?? Math.max(1, this.#rate, this.#sliceRate(nowMs));
    return cutPace(this.#words, this.#row, nowMs, writtenAtMs, from);
  }

  /** Measures the rate and raises the pace; every few milliseconds. */
  onTick(nowMs: number): void {
    if (this.#sliceStartMs === 0) this.#sliceStartMs = nowMs;
    if (nowMs - this.#sliceStartMs >= MEASURE_SLICE_MS) {
      this.#rate = this.#sliceRate(nowMs);
      this.#rateBest = Math.max(this.#rateBest, this.#rate);
      this.#sliceStartMs = nowMs;
      this.#sliceWritten = Atomics.load(this.#words, this.#row + LinkWord.WRITTEN);
    }
    raisePace(this.#words, this.#row, nowMs, this.config.rateTps ?? Math.max(1, this.#rateBest));
  }

  #sliceRate(nowMs: number): number {
    const elapsedMs = Math.max(1, nowMs - this.#sliceStartMs);
    const written = Atomics.load(this.#words, this.#row + LinkWord.WRITTEN) + this.#writtenDelta;
    return (((written - this.#sliceWritten) | 0) * 1000) / Math.max(100, elapsedMs);
  }

  #contractFree(nowMs: number): number {
    if (this.config.rateTps === null) return UNLIMITED;
    const now = bucketNow(nowMs, this.#refill);
    const bucket = this.#row + LinkWord.BUCKET;
    const available = availableUnits(this.#words, bucket, now, this.#burstUnits);
    const soon = (this.#refill * UNITS_PER_TOKEN * PREPARE_HORIZON_MS) / 1000;
    return Math.floor((available + soon) / UNITS_PER_TOKEN);
  }

  #paceFree(nowMs: number): number {
    return Math.min(UNLIMITED, paceAvailable(this.#words, this.#row, nowMs, PREPARE_HORIZON_MS));
  }
}
