/**
 * A doubly linked list of messages through the arrays of their table; an entry is in one list at
 * most.
 *
 *   head   kept their place (prepared or throttled before), by log offset, that is, by acceptance
 *          the others: apps take turns, each app's in the order they came in
 *
 * One thread.
 */
import { AppTurns } from "./app-turns.ts";
import { MARK_LISTED, MARK_REQUEUED, NO_ENTRY, type MessageTable } from "./message-table.ts";

export class MessageList {
  head = NO_ENTRY;
  tail = NO_ENTRY;
  count = 0;
  readonly #table: MessageTable;
  readonly #turns = new AppTurns();

  constructor(table: MessageTable) {
    this.#table = table;
  }

  /** Adds a message behind those of its app, and behind other apps' earlier turns. */
  append(entry: number): void {
    const { turn, appIndex, previous } = this.#table;
    const own = this.#turns.next(appIndex[entry] as number);
    turn[entry] = own;
    let after = this.tail;
    while (after !== NO_ENTRY && (turn[after] as number) > own) {
      after = previous[after] as number;
    }
    this.#insertAfter(after, entry);
  }

  /** Inserts by log offset: for lists that are in this order as a whole. */
  insertByOffset(entry: number): void {
    this.#insertAfter(this.lastUpTo(this.#table.logOffset[entry] as number), entry);
  }

  /**
   * The last entry whose log offset is at most `offset`, looking from the end; NO_ENTRY if there is
   * none.
   */
  lastUpTo(offset: number): number {
    const { logOffset, previous } = this.#table;
    let at = this.tail;
    while (at !== NO_ENTRY && (logOffset[at] as number) > offset) at = previous[at] as number;
    return at;
  }

  /** Inserts before all that were never tried, by log offset among those that were; marks it so. */
  insertInFront(entry: number): void {
    const { logOffset, next } = this.#table;
    const offset = logOffset[entry] as number;
    let after = NO_ENTRY;
    for (let at = this.head; at !== NO_ENTRY; at = next[at] as number) {
      if (!this.#table.hasMark(at, MARK_REQUEUED)) break;
      if ((logOffset[at] as number) > offset) break;
      after = at;
    }
    this.#table.mark(entry, MARK_REQUEUED);
    this.#table.turn[entry] = 0;
    this.#insertAfter(after, entry);
  }

  remove(entry: number): void {
    const { next, previous } = this.#table;
    const before = previous[entry] as number;
    const after = next[entry] as number;
    if (before !== NO_ENTRY) {
      next[before] = after;
    } else {
      this.head = after;
      this.#turns.noteTaken(this.#table.turn[entry] as number);
    }
    if (after === NO_ENTRY) this.tail = before;
    else previous[after] = before;
    next[entry] = NO_ENTRY;
    previous[entry] = NO_ENTRY;
    this.#table.unmark(entry, MARK_LISTED);
    this.count--;
    if (this.count === 0) this.#turns.noteEmpty();
  }

  /**
   * Gives turns anew, as if what was removed other than from the head had never been here: nobody
   * pays for messages that were not sent. Looks at every entry: for what is rare.
   */
  closeGaps(): void {
    const { next, appIndex, turn } = this.#table;
    let last = NO_ENTRY;
    let at = this.head;
    for (; at !== NO_ENTRY && this.#table.hasMark(at, MARK_REQUEUED); at = next[at] as number) {
      last = at;
    }
    const waiting: number[] = [];
    for (; at !== NO_ENTRY; at = next[at] as number) waiting.push(at);
    this.#turns.forget();
    for (const entry of waiting) turn[entry] = this.#turns.next(appIndex[entry] as number);
    // Of the same turn, who stood before stays before.
    waiting.sort((a, b) => (turn[a] as number) - (turn[b] as number));
    this.#chain(last, waiting);
  }

  /** Makes `entries`, all of the list behind `last`, follow it in this order. */
  #chain(last: number, entries: readonly number[]): void {
    const { next, previous } = this.#table;
    let before = last;
    for (const entry of entries) {
      previous[entry] = before;
      if (before === NO_ENTRY) this.head = entry;
      else next[before] = entry;
      before = entry;
    }
    if (before !== NO_ENTRY) next[before] = NO_ENTRY;
    this.tail = before;
  }

  #insertAfter(before: number, entry: number): void {
    const { next, previous } = this.#table;
    const after = before === NO_ENTRY ? this.head : (next[before] as number);
    previous[entry] = before;
    next[entry] = after;
    if (before === NO_ENTRY) this.head = entry;
    else next[before] = entry;
    if (after === NO_ENTRY) this.tail = entry;
    else previous[after] = entry;
    this.#table.mark(entry, MARK_LISTED);
    this.count++;
  }
}
