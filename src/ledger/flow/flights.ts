/**
 * The ledger's commits on their way to the disk, and what follows from each.
 *
 *   launch ─► in flight ─visible─► messages may go, waits are looked at ─flushed─► the log may go
 *                 └─ no room on the disk ─► tried again until there is; admission refuses meanwhile
 *
 * One is in flight at a time; several may be visible and not flushed. The ledger's thread only.
 */
import type { Log } from "../../environment.ts";
import { LogWord, type LogTable } from "../../tables/log-table.ts";
import type { MessageState } from "../messages/message-state.ts";
import type { LedgerStore } from "../store/store.ts";

/**
 * Between two tries of a commit that found no room: messages are taken soon after there is some.
 */
const RETRY_MS = 500;

/** A commit as it is launched. */
export interface Flight {
  /** Of the store. */
  readonly number: number;
  readonly messages: readonly MessageState[];
  /** Earliest wait among them (wall ms), or Infinity. */
  readonly earliestDueAt: number;
  /** Log offset that the states go up to. */
  readonly cursor: number;
  /** Log offset below which no body is wanted. */
  readonly releasable: number;
  readonly startedEpoch: number;
}

export interface FlightsOptions {
  readonly store: LedgerStore;
  readonly logTable: LogTable;
  readonly log: Log;
  /** This run. */
  readonly epoch: number;
  /** Where the states in the store end. */
  readonly cursor: number;
  readonly onVisible: (flight: Flight) => void;
}

export class Flights {
  /** Log offset behind the last commit that was launched, and behind the last durable one. */
  committedCursor: number;
  flushedCursor: number;
  /** Whether STARTED of this run is in the store. */
  isStartVisible = false;
  readonly #options: FlightsOptions;
  /** Committed, not visible yet; then visible, not flushed yet. */
  #inFlight: Flight | null = null;
  readonly #unflushed: Flight[] = [];
  /** Whether the store finds no room on its disk. */
  #isFull = false;
  #nextRetryAt = 0;

  constructor(options: FlightsOptions) {
    this.#options = options;
    this.committedCursor = options.cursor;
    this.flushedCursor = options.cursor;
    options.logTable.store(LogWord.LEDGER_FLUSHED, options.cursor);
    // No segment goes before the first flush: a run that was killed may have left a cursor that is
    // not on disk yet.
    options.logTable.store(LogWord.RELEASABLE, 0);
  }

  /** Whether a commit is not visible yet. */
  get isUnderWay(): boolean {
    return this.#inFlight !== null;
  }

  /** Whether every commit is visible and durable. */
  get isSettled(): boolean {
    return this.#inFlight === null && this.#unflushed.length === 0 && !this.#isFull;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** The store has this commit now; none may be under way. */
  launch(flight: Flight): void {
    this.#inFlight = flight;
    this.committedCursor = flight.cursor;
  }

  /** Draws the consequences of what has become visible and durable. `now`: wall ms. */
  follow(now: number): void {
    const { store, logTable, epoch, onVisible } = this.#options;
    const flight = this.#inFlight;
    if (flight !== null && store.visibleCommit >= flight.number) {
      this.#inFlight = null;
      if (this.#isFull) this.#noteRoom();
      onVisible(flight);
      if (flight.startedEpoch === epoch) this.isStartVisible = true;
      this.#unflushed.push({ ...flight, messages: [] });
    } else if (store.isFull) {
      this.#tryAgain(now);
    }
    while (this.#unflushed.length > 0) {
      const oldest = this.#unflushed[0] as Flight;
      if (store.flushedCommit < oldest.number) return;
      this.#unflushed.shift();
      this.flushedCursor = oldest.cursor;
      logTable.store(LogWord.LEDGER_FLUSHED, oldest.cursor);
      logTable.store(LogWord.RELEASABLE, oldest.releasable);
    }
  }

  #tryAgain(now: number): void {
    const { store, logTable, log } = this.#options;
    if (!this.#isFull) {
      this.#isFull = true;
      this.#nextRetryAt = now + RETRY_MS;
      logTable.store(LogWord.STORE_FULL, 1);
      log.write("error", "commit to the ledger's store", {
        cause: "no space left on its disk: nothing is lost, no message is accepted until there is",
      });
    }
    if (now < this.#nextRetryAt) return;
    this.#nextRetryAt = now + RETRY_MS;
    store.retry();
  }

  #noteRoom(): void {
    this.#isFull = false;
    this.#options.logTable.store(LogWord.STORE_FULL, 0);
    this.#options.log.write("info", "commit to the ledger's store: its disk has room again");
  }
}
