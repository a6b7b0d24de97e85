/**
 * What all sessions of one simulator share: options, clock, counters, waiting jobs, scratch memory.
 *
 * The time is read once per event (`readClock`), and what an event made ready on other sessions
 * goes out at its end (`settle`), so that a chunk of a thousand PDUs costs one clock reading and
 * one write a session. One thread.
 */
import { SmView } from "../codec/index.ts";
import type { Clock } from "../environment.ts";
import { SmscCounters } from "./counters.ts";
import { type Delay, delayOf, isFixed } from "./delay.ts";
import { DelayWheel } from "./delay-wheel.ts";
import { PartFinding } from "./inspect.ts";
import { JobPool } from "./job-pool.ts";
import { ID_LENGTH_MAX, type IdWriting, idWritingOf, writeMessageId } from "./message-id.ts";
import type { SmscOptions } from "./options.ts";
import { PartsWatch } from "./parts.ts";
import { DRAW_RANGE } from "./random.ts";
import { ReceiptWriter } from "./receipt-writer.ts";
import { type DrawSource, Judge } from "./verdict.ts";
import type { Witness } from "./witness.ts";

/** Has output that `settle` writes to the socket. */
export interface Flushable {
  flush(): void;
}

/** Has receipts that `settle` hands to sessions. */
export interface Deliverer {
  deliverQueued(): void;
}

export class SmscShared {
  readonly options: SmscOptions;
  readonly counters = new SmscCounters();
  readonly pool: JobPool;
  readonly wheel: DelayWheel;
  readonly judge: Judge;
  readonly parts = new PartsWatch();
  readonly receiptWriter = new ReceiptWriter();
  readonly witness: Witness | null;
  readonly idWriting: IdWriting;
  readonly view = new SmView();
  readonly finding = new PartFinding();
  /** The id last written by `writeId`. */
  readonly idBytes = new Uint8Array(ID_LENGTH_MAX);
  /** Number behind the latest SMSC id. */
  idLast: number;
  /** The current event's time: monotonic, as a wheel tick since the start, and on the wall. */
  nowMs: number;
  tick = 0;
  wallMs: number;
  readonly startMs: number;
  firstSubmitMs = -1;
  readonly #clock: Clock;
  readonly #dirtySessions: Flushable[] = [];
  readonly #dirtyAccounts: Deliverer[] = [];

  constructor(options: SmscOptions, clock: Clock, witness: Witness | null) {
    this.options = options;
    this.#clock = clock;
    this.witness = witness;
    this.startMs = clock.monotonicMs();
    this.nowMs = this.startMs;
    this.wallMs = clock.wallMs();
    this.pool = new JobPool(options.waitingMax);
    this.wheel = new DelayWheel(this.pool, 0);
    this.judge = new Judge(options);
    this.idWriting = idWritingOf(options.idFormat);
    this.idLast = options.idBase;
  }

  /** Begins an event. */
  readClock(): void {
    this.nowMs = this.#clock.monotonicMs();
    this.wallMs = this.#clock.wallMs();
    this.tick = Math.floor(this.nowMs - this.startMs) | 0;
  }

  /** The monotonic time of the wheel's present tick. */
  get wheelMs(): number {
    const lagTicks = (this.tick - this.wheel.tick) | 0;
    return this.startMs + Math.floor(this.nowMs - this.startMs) - lagTicks;
  }

  /** Writes an SMSC id into `idBytes` and returns its length. */
  writeId(writing: number, id: number): number {
    return writeMessageId(this.idBytes, 0, writing, id);
  }

  /** A delay in whole milliseconds. */
  drawDelayMs(delay: Delay, draws: DrawSource): number {
    return isFixed(delay) ? delay[0] : delayOf(delay, draws.draw() / DRAW_RANGE);
  }

  /** Notes the first submit; storms are counted from it. */
  noteSubmit(): void {
    if (this.firstSubmitMs < 0) this.firstSubmitMs = this.nowMs;
  }

  /** The status that all submits get now, or ESME_ROK. */
  stormStatus(): number {
    const sinceMs = this.nowMs - this.firstSubmitMs;
    for (const { status, fromMs, toMs, everyMs } of this.options.storms) {
      const atMs = everyMs === null ? sinceMs : sinceMs % everyMs;
      if (atMs >= fromMs && atMs < toMs) return status;
    }
    return 0;
  }

  flushLater(session: Flushable): void {
    this.#dirtySessions.push(session);
  }

  deliverLater(account: Deliverer): void {
    this.#dirtyAccounts.push(account);
  }

  /** Ends an event: receipts to sessions with room, then output to sockets. */
  settle(): void {
    for (let i = 0; i < this.#dirtyAccounts.length; i++) this.#dirtyAccounts[i]!.deliverQueued();
    this.#dirtyAccounts.length = 0;
    for (let i = 0; i < this.#dirtySessions.length; i++) this.#dirtySessions[i]!.flush();
    this.#dirtySessions.length = 0;
  }
}
