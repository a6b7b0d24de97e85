/**
 * Who wants to know what became of messages, in the ledger's transaction: CDR rows, events,
 * idempotency keys.
 *
 *   part final ─► onPartFinal … ─► onStatus (message folded) ─┐
 *   a final part was sent again ─► onDuplicate ───────────────┼─► store.put ─► the same commit
 *   a call was refused ─► onRefused ──────────────────────────┤
 *   a message came with a key ─► onKeyed ─────────────────────┘
 *
 * What an observer puts into the store goes into the commit that holds the states and the cursor it
 * rests on, so each outcome is told exactly once over all crashes: what is lost with an unflushed
 * commit is applied, and told, again. Nothing that leaves the process may rest on a commit that is
 * not flushed. Observers are called for every message: they must be cheap, and must not read or
 * change parts. The ledger's thread only.
 */
import type { RecordMemory } from "../records/memory.ts";
import type { MessageState } from "./messages/message-state.ts";

export interface OutcomeObserver {
  /** Part `part` (0-based) has just become final: once per part. */
  onPartFinal(message: MessageState, part: number): void;
  /**
   * The message's status changed from `before` (MessageStatus; -1 for a message just accepted). It
   * is final when `message.finalAt` is not 0: then this is the last call of this kind, and every
   * part's `onPartFinal` came before.
   */
  onStatus(message: MessageState, before: number): void;
  /**
   * A part that was already final turns out to have been sent a second time (`maybeDup` is now
   * true): what was told of it lacks the flag.
   */
  onDuplicate(message: MessageState, part: number): void;
  /** A REFUSED record (records/refused.ts): a call that was never accepted. */
  onRefused(memory: RecordMemory, offset: number): void;
  /** An ACCEPT with an idempotency key was applied, for the first time. */
  onKeyed(memory: RecordMemory, offset: number): void;
  /**
   * Right before a commit: the last chance to add to it. Called with every commit, so it must put
   * nothing if nothing changed.
   */
  beforeCommit(): void;
  /**
   * A bounded piece of its own work, every round of the ledger: cutting, removing what is done.
   * `flushedCommit`: what the store holds durably. Returns whether it has changed the store, so
   * that a commit is due.
   */
  doWork(now: number, flushedCommit: number): boolean;
}

/** Tells several observers, in order; with none it costs a loop over nothing. */
export class OutcomeObservers implements OutcomeObserver {
  readonly #observers: readonly OutcomeObserver[];

  constructor(observers: readonly OutcomeObserver[]) {
    this.#observers = observers;
  }

  onPartFinal(message: MessageState, part: number): void {
    for (const observer of this.#observers) observer.onPartFinal(message, part);
  }

  onStatus(message: MessageState, before: number): void {
    for (const observer of this.#observers) observer.onStatus(message, before);
  }

  onDuplicate(message: MessageState, part: number): void {
    for (const observer of this.#observers) observer.onDuplicate(message, part);
  }

  onRefused(memory: RecordMemory, offset: number): void {
    for (const observer of this.#observers) observer.onRefused(memory, offset);
  }

  onKeyed(memory: RecordMemory, offset: number): void {
    for (const observer of this.#observers) observer.onKeyed(memory, offset);
  }

  beforeCommit(): void {
    for (const observer of this.#observers) observer.beforeCommit();
  }

  doWork(now: number, flushedCommit: number): boolean {
    let isChanged = false;
    for (const observer of this.#observers) {
      if (observer.doWork(now, flushedCommit)) isChanged = true;
    }
    return isChanged;
  }
}
