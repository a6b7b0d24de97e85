/**
 * Messages in the order in which they came, taken off at the end.
 *
 * An array that is emptied and filled for each of them would leave its memory to the garbage
 * collector each time; this one keeps it. The ledger's thread only.
 */
import type { MessageState } from "./message-state.ts";

export class MessageStack {
  readonly #places: (MessageState | null)[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(message: MessageState): void {
    if (this.#count === this.#places.length) this.#places.push(message);
    else this.#places[this.#count] = message;
    this.#count++;
  }

  /** The message at `index`, from 0 on, which must be less than `count`. */
  at(index: number): MessageState {
    return this.#places[index] as MessageState;
  }

  /** The last one; there must be any. */
  get last(): MessageState {
    return this.#places[this.#count - 1] as MessageState;
  }

  /** Takes the last one off; there must be any. */
  pop(): MessageState {
    const index = --this.#count;
    const message = this.#places[index] as MessageState;
    this.#places[index] = null;
    return message;
  }

  /** Puts another one at `index`. */
  replace(index: number, message: MessageState): void {
    this.#places[index] = message;
  }

  clear(): void {
    while (this.#count > 0) this.pop();
  }
}
