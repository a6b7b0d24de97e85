/**
 * Batches whose messages are durable, and whose answers wait until the ledger is near.
 *
 *   COMMITTED when the batch was ready ── at most LAG_FREE_BYTES ── LEDGER_APPLIED ─► answered
 *
 * Ingress, workers and ledger share few cores, and a ledger that is far behind costs several times
 * as much a message: what is open has left its memory and is read back from its store. Who posts
 * one batch after the other is slowed by the answer until the ledger keeps up; calls of others,
 * and what was accepted, go on as ever. First in, first out; no answer is later than WAIT_MS_MAX.
 * One instance per listener, used by its thread only.
 */
import type { Clock } from "../../environment.ts";
import { type LogTable, LogWord } from "../../tables/log-table.ts";

/** What the ledger may be behind: about a tenth of a second of the log at saturation. */
export const LAG_FREE_BYTES = 4 * 1024 * 1024;
/** A caller that waits longer may think that its call was lost. */
export const WAIT_MS_MAX = 1000;

/** A call that is ready for its answer. */
export interface ReadyCall {
  answer(): void;
}

interface Wait {
  readonly call: ReadyCall;
  /** LEDGER_APPLIED from which on it is answered. */
  readonly appliedBytes: number;
  readonly deadlineMs: number;
}

export class BatchWaits {
  readonly #table: LogTable;
  readonly #clock: Clock;
  readonly #waits: Wait[] = [];
  #isStopping = false;

  constructor(table: LogTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
  }

  /** Answers a call now, or once the ledger is near. */
  answer(call: ReadyCall): void {
    const appliedBytes = this.#table.load(LogWord.COMMITTED) - LAG_FREE_BYTES;
    const isNear = this.#table.load(LogWord.LEDGER_APPLIED) >= appliedBytes;
    if (this.#isStopping || (isNear && this.#waits.length === 0)) {
      call.answer();
      return;
    }
    const deadlineMs = this.#clock.monotonicMs() + WAIT_MS_MAX;
    this.#waits.push({ call, appliedBytes, deadlineMs });
  }

  get isEmpty(): boolean {
    return this.#waits.length === 0;
  }

  /** Answers whose time has come; to be called every few milliseconds. */
  look(): void {
    if (this.#waits.length === 0) return;
    const applied = this.#table.load(LogWord.LEDGER_APPLIED);
    const nowMs = this.#clock.monotonicMs();
    const due = (wait: Wait): boolean => applied >= wait.appliedBytes || nowMs >= wait.deadlineMs;
    const first = this.#waits.findIndex((wait) => !due(wait));
    this.#answerFirst(first < 0 ? this.#waits.length : first);
  }

  /** Answers all now, and from now on at once: the gateway stops. */
  endAll(): void {
    this.#isStopping = true;
    this.#answerFirst(this.#waits.length);
  }

  #answerFirst(count: number): void {
    for (const { call } of this.#waits.splice(0, count)) call.answer();
  }
}
