/**
 * Messages of a producer that are to be taken back: out of its own lanes, or from the worker that
 * has them.
 *
 *   ask ─► waits here? ─yes──────────────────────────────────────► out: nobody will send it
 *            └─no─► CANCEL to every worker ─► its RETURN comes ─┘
 *                                 └─► CANCEL_REFUSED by all of them ─► refused
 *
 * A RETURN that was under way already counts as well; one that shows a begun part does not. A
 * worker's RETURN stands on its ring before its refusal, so a message that comes back is never
 * missed. Part of a dispatcher, its thread only.
 */
import type { RingProducer } from "../ring/one-to-one-ring.ts";
import { RING_FULL } from "../ring/layout.ts";
import { CANCEL_BYTES, CANCEL_TYPE, HandOver } from "../records/hand-over.ts";
import { RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../records/types.ts";
import { type DispatchEntry, isWhole, type WholeMessage } from "./waiting-room.ts";

/** A message to be taken back. */
export interface Cancellation extends WholeMessage {
  /**
   * Told once: with true, nobody will send it unless it is submitted again; with false, it was
   * begun, or is not this producer's any more.
   */
  readonly done: (isOut: boolean) => void;
}

interface Asked {
  readonly wanted: Cancellation;
  /** Workers that were asked, in order of their numbers, and refusals that came. */
  asked: number;
  refused: number;
}

export class Cancellations {
  readonly #rings: readonly RingProducer[];
  readonly #asked = new Map<number, Asked>();

  constructor(submitRings: readonly RingProducer[]) {
    this.#rings = submitRings;
  }

  get count(): number {
    return this.#asked.size;
  }

  /** Begins to ask the workers for a message that does not wait here. */
  add(wanted: Cancellation): void {
    this.#asked.set(wanted.logOffset, { wanted, asked: 0, refused: 0 });
  }

  /** Asks every worker whose ring has room and that was not asked yet; `touch` is told of each. */
  askWorkers(touch: (worker: number) => void): void {
    for (const [logOffset, one] of this.#asked) {
      while (one.asked < this.#rings.length) {
        const ring = this.#rings[one.asked] as RingProducer;
        const at = ring.claim(CANCEL_BYTES, CANCEL_TYPE, RECORD_VERSION, RECORD_FLAGS_PLAIN);
        if (at === RING_FULL) break;
        ring.view.setFloat64(at + HandOver.LOG_OFFSET, logOffset, true);
        touch(one.asked);
        one.asked++;
      }
    }
  }

  /** A message has come back. True: it was asked for, and is out. */
  takeReturned(entry: Readonly<DispatchEntry>): boolean {
    const one = this.#asked.get(entry.logOffset);
    if (one === undefined) return false;
    const isOut = isWhole(entry, one.wanted.partCount);
    this.#asked.delete(entry.logOffset);
    one.wanted.done(isOut);
    return isOut;
  }

  /** A worker has refused. */
  noteRefused(logOffset: number): void {
    const one = this.#asked.get(logOffset);
    if (one === undefined || ++one.refused < this.#rings.length) return;
    this.#asked.delete(logOffset);
    one.wanted.done(false);
  }
}
