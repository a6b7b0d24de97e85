/**
 * Looking a message up for `GET`: asks the ledger, but not before the ledger has applied what was
 * promised.
 *
 *   id of this run     its producer's applied sequence has reached it  ─► ask
 *                      beyond what its producer has staged             ─► unknown
 *   id of earlier runs the ledger has applied the log as it stood at start ─► ask
 *
 * Waits are bounded in number and time; past that the answer is "late". One instance per ingress
 * thread.
 */
import type { Clock } from "../../environment.ts";
import { epochOf, type MessageKey, producerOf } from "../../records/message-key.ts";
import { type LogTable, LogWord } from "../../tables/log-table.ts";

/** A message as the API shows it; null: unknown, or another app's; "late": ask again later. */
export type LookupAnswer = Readonly<object> | null | "late";

/** What became of a call that takes a message back; "overloaded": ask again. */
export type CancelAnswer = "canceled" | "not_cancellable" | "unknown" | "overloaded";

/** The ledger, as ingress threads reach it. */
export interface MessageQuery {
  /** Calls `done` exactly once, later or at once. */
  getMessage(key: MessageKey, appId: number, done: (answer: LookupAnswer) => void): void;
  /** Calls `done` exactly once: when the cancellation is durable, or there is none. */
  cancel(key: MessageKey, appId: number, done: (answer: CancelAnswer) => void): void;
  /**
   * Calls `done` once, when every part of the message is answered or final, or with null after
   * `waitMs`, or "late" if that cannot be watched for.
   */
  awaitAnswer(
    key: MessageKey,
    appId: number,
    waitMs: number,
    done: (answer: LookupAnswer) => void,
  ): void;
}

export interface MessageLookupOptions {
  readonly query: MessageQuery;
  readonly logTable: LogTable;
  readonly clock: Clock;
  readonly epoch: number;
  readonly producerCount: number;
  /** Called when a look-up begins to wait, so that whoever calls `poll` does so soon and often. */
  readonly onWaiting: () => void;
}

/** Longest wait for the ledger to catch up. */
export const LOOKUP_WAIT_MS = 1000;
/** Look-ups that wait at once. */
export const LOOKUPS_MAX = 1024;

interface WaitingLookup {
  readonly key: MessageKey;
  readonly deadlineMs: number;
  readonly ask: () => void;
  readonly giveUp: () => void;
}

export class MessageLookup {
  readonly #options: MessageLookupOptions;
  readonly #committedAtStart: number;
  #waiting: WaitingLookup[] = [];

  /**
   * To be made when the journal has recovered: what is committed then is what earlier runs
   * promised.
   */
  constructor(options: MessageLookupOptions) {
    this.#options = options;
    this.#committedAtStart = options.logTable.load(LogWord.COMMITTED);
  }

  /** Look-ups that wait for the ledger to catch up. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Finds a message of this node for an app; `done` is called exactly once. */
  find(key: MessageKey, appId: number, done: (answer: LookupAnswer) => void): void {
    const { query } = this.#options;
    if (this.#isAhead(key)) done(null);
    else {
      const ask = (): void => query.getMessage(key, appId, done);
      this.#whenApplied(key, ask, () => done("late"));
    }
  }

  /** Takes a message of this node back for an app; `done` is called exactly once. */
  cancel(key: MessageKey, appId: number, done: (answer: CancelAnswer) => void): void {
    const { query } = this.#options;
    if (this.#isAhead(key)) done("unknown");
    else {
      const ask = (): void => query.cancel(key, appId, done);
      this.#whenApplied(key, ask, () => done("overloaded"));
    }
  }

  #whenApplied(key: MessageKey, ask: () => void, giveUp: () => void): void {
    if (this.#isApplied(key)) {
      ask();
    } else if (this.#waiting.length >= LOOKUPS_MAX) {
      giveUp();
    } else {
      const deadlineMs = this.#options.clock.monotonicMs() + LOOKUP_WAIT_MS;
      this.#waiting.push({ key, deadlineMs, ask, giveUp });
      this.#options.onWaiting();
    }
  }

  /** As MessageQuery.awaitAnswer: for a message of this run, whose ACCEPT is committed. */
  awaitAnswer(
    key: MessageKey,
    appId: number,
    waitMs: number,
    done: (answer: LookupAnswer) => void,
  ): void {
    this.#options.query.awaitAnswer(key, appId, waitMs, done);
  }

  /** Asks for those whose time has come, and gives up those that waited too long. */
  poll(): void {
    if (this.#waiting.length === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    const before = this.#waiting;
    this.#waiting = [];
    for (const lookup of before) {
      if (this.#isApplied(lookup.key)) {
        lookup.ask();
      } else if (nowMs >= lookup.deadlineMs) {
        lookup.giveUp();
      } else {
        this.#waiting.push(lookup);
      }
    }
  }

  /** Whether nobody can have this id yet. */
  #isAhead(key: MessageKey): boolean {
    const { epoch, producerCount, logTable } = this.#options;
    if (epochOf(key.origin) !== epoch) return epochOf(key.origin) > epoch;
    const producer = producerOf(key.origin);
    return producer >= producerCount || key.sequence > logTable.stagedSequence(producer);
  }

  #isApplied(key: MessageKey): boolean {
    const { logTable, epoch } = this.#options;
    if (epochOf(key.origin) === epoch) {
      return key.sequence <= logTable.appliedSequence(producerOf(key.origin));
    }
    return logTable.load(LogWord.LEDGER_APPLIED) >= this.#committedAtStart;
  }
}
