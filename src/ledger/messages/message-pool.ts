/**
 * Messages that nobody uses, to be used again.
 *
 *   take ─► cached ─► evicted or removed ─► give ─► … ─► take
 *
 * Who gives a message keeps no reference: the next one to take it is another message. Bounded: what
 * a burst has left over goes to the garbage collector. The ledger's thread only.
 */
import { MessageState } from "./message-state.ts";

export class MessagePool {
  readonly #free: MessageState[] = [];
  readonly #spareMax: number;

  /** `spareMax`: messages kept for later. */
  constructor(spareMax: number) {
    this.#spareMax = spareMax;
  }

  /** A message of which nothing is to be expected; `begin` makes it one. */
  take(): MessageState {
    return this.#free.pop() ?? new MessageState();
  }

  give(message: MessageState): void {
    if (this.#free.length < this.#spareMax) this.#free.push(message);
  }
}
