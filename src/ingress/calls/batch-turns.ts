/**
 * Batches that wait to be admitted while what is staged waits for the journal.
 *
 *   take ─► room? ─no─► body kept ─► room again, its turn has come ─► admitted
 *             └─yes─► admitted      └─► a second later, or the gateway stops ─► admitted or refused
 *
 * Many connections that are answered together post their next batches together: that is a burst of
 * milliseconds, not an overload, and refusing it would cost each a second (Retry-After). Half of
 * what may wait for the journal is for batches under way and for other calls. First in, first out.
 * One instance per server, used by its thread only.
 */
import type { Clock } from "../../environment.ts";
import type { AppGrant } from "../auth/authentication.ts";
import type { LogTable } from "../../tables/log-table.ts";
import type { Exchange } from "../http/exchange.ts";
import { BatchWaits } from "./batch-waits.ts";
import type { CallEnds } from "./call-ends.ts";

/** A batch that has waited so long is admitted as far as there is room. */
export const TURN_MS_MAX = 1000;
/**
 * Bytes of bodies that may wait: bodies on their way share their memory with them. One that came in
 * pieces may have twice its length; both together are half of it.
 */
export const TURN_BYTES_MAX = 16 * 1024 * 1024;

/** Admits batches. */
export interface BatchAdmitter {
  admit(exchange: Exchange, grant: AppGrant): void;
}

/** What batches wait for, as the ingress knows it. */
export interface BatchWays {
  readonly logTable: LogTable;
  /** Whether half of what may wait for the journal does. */
  isCrowded(): boolean;
}

interface Turn {
  readonly exchange: Exchange;
  readonly grant: AppGrant;
  readonly admitter: BatchAdmitter;
  readonly deadlineMs: number;
  readonly bytes: number;
}

export class BatchTurns {
  /** Those that are admitted and wait for the ledger. */
  readonly answers: BatchWaits;
  readonly #ways: BatchWays;
  readonly #clock: Clock;
  readonly #ends: CallEnds;
  readonly #turns: Turn[] = [];
  #bytes = 0;
  #isStopping = false;

  constructor(ways: BatchWays, clock: Clock, ends: CallEnds) {
    this.answers = new BatchWaits(ways.logTable, clock);
    this.#ways = ways;
    this.#clock = clock;
    this.#ends = ends;
  }

  /** Whether no batch waits, to be admitted or for its answer. */
  get isEmpty(): boolean {
    return this.#turns.length === 0 && this.answers.isEmpty;
  }

  /** Has `admitter` admit a batch whose body is there, now or when its turn has come. */
  take(exchange: Exchange, grant: AppGrant, admitter: BatchAdmitter): void {
    const isDue = this.#turns.length === 0 && !this.#ways.isCrowded();
    const bytes = exchange.body.length;
    const hasRoom = this.#bytes + bytes <= TURN_BYTES_MAX;
    if (isDue || this.#isStopping || !hasRoom || !exchange.keepBody()) {
      admitter.admit(exchange, grant);
      return;
    }
    exchange.isHeld = true;
    const deadlineMs = this.#clock.monotonicMs() + TURN_MS_MAX;
    this.#bytes += bytes;
    this.#turns.push({ exchange, grant, admitter, deadlineMs, bytes });
  }

  /**
   * Answers and admits those whose turn has come; to be called after commits and every few
   * milliseconds.
   */
  look(): void {
    this.answers.look();
    if (this.#turns.length === 0) return;
    const nowMs = this.#clock.monotonicMs();
    for (let turn = this.#turns[0]; turn !== undefined; turn = this.#turns[0]) {
      if (this.#ways.isCrowded() && nowMs < turn.deadlineMs) return;
      this.#turns.shift();
      this.#admit(turn);
    }
  }

  /** Admits and answers all, and from now on each at once: the gateway stops. */
  endAll(): void {
    this.#isStopping = true;
    for (const turn of this.#turns.splice(0)) this.#admit(turn);
    this.answers.endAll();
  }

  #admit({ exchange, grant, admitter, bytes }: Turn): void {
    this.#bytes -= bytes;
    exchange.isHeld = false;
    if (exchange.response === null) this.#ends.keep(exchange);
    else admitter.admit(exchange, grant);
  }
}
