/**
 * What a session has done since start, counted here and shown in its row of the session table once
 * a turn.
 *
 * One thread.
 */
import { SessionWord } from "../../tables/link-table.ts";

const FIRST = SessionWord.SENT;
const COUNT = SessionWord.LOST - FIRST + 1;

export class SessionTally {
  readonly #counts = new Int32Array(COUNT);
  #hasChanged = false;

  /** Adds one to `word`, one of SessionWord from SENT to LOST. */
  add(word: number): void {
    this.#counts[word - FIRST] = ((this.#counts[word - FIRST] as number) + 1) | 0;
    this.#hasChanged = true;
  }

  /** Writes what has changed into the row that starts at `row`. */
  show(words: Int32Array, row: number): void {
    if (!this.#hasChanged) return;
    this.#hasChanged = false;
    for (let i = 0; i < COUNT; i++) {
      Atomics.store(words, row + FIRST + i, this.#counts[i] as number);
    }
  }
}
