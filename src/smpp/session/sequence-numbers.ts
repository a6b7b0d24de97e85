/**
 * The sequence_numbers of a connection that submits nothing: they count from the first one, and
 * wrap.
 *
 * One thread.
 */
import { nextSequenceNumber } from "../../codec/index.ts";

/** Who numbers the requests of a connection; a Window does, too. */
export interface Numbering {
  /** Starts a new connection's numbering. */
  reset(sequenceNumberFirst: number): void;
  takeSequenceNumber(): number;
}

export class SequenceNumbers implements Numbering {
  #next = 1;

  reset(sequenceNumberFirst: number): void {
    this.#next = sequenceNumberFirst;
  }

  takeSequenceNumber(): number {
    const taken = this.#next;
    this.#next = nextSequenceNumber(taken);
    return taken;
  }
}
