/**
 * The submits of one session that wait for their submit_sm_resp: preallocated arrays, found by
 * sequence_number.
 *
 *   slot = sequence_number & mask      free → written → free (answered)
 *                                                  └──→ tombstone (overdue; a late answer frees it)
 *
 * Numbers count 1 … 0x7FFFFFFF and wrap to 1; those whose slot is taken are skipped. At most
 * `limit` slots are in use, and there are at least twice as many, so a free one always follows
 * soon. One thread.
 */
import { nextSequenceNumber, SEQUENCE_NUMBER_MAX } from "../../codec/index.ts";

/** No slot. */
export const NO_SLOT = -1;

const FREE = 0;
const WRITTEN = 1;
const TOMBSTONE = 2;

export class Window {
  readonly limit: number;
  /** Slots written and not answered, tombstones included. */
  used = 0;
  tombstones = 0;
  readonly keySequence: Float64Array;
  readonly origin: Uint32Array;
  readonly logOffset: Float64Array;
  readonly expiresAt: Float64Array;
  readonly writtenAt: Float64Array;
  readonly appIndex: Uint32Array;
  readonly pool: Uint16Array;
  readonly concatReference: Uint16Array;
  readonly drawnAt: Float64Array;
  readonly part: Uint8Array;
  readonly attempt: Uint8Array;
  readonly flags: Uint8Array;
  readonly priority: Uint8Array;
  readonly producer: Uint8Array;
  readonly #state: Uint8Array;
  readonly #sequenceNumbers: Int32Array;
  readonly #mask: number;
  #next = 1;
  #oldest = 1;

  constructor(limit: number) {
    let slots = 4;
    while (slots < 2 * limit) slots *= 2;
    this.limit = limit;
    this.#mask = slots - 1;
    this.#state = new Uint8Array(slots);
    this.#sequenceNumbers = new Int32Array(slots);
    this.keySequence = new Float64Array(slots);
    this.origin = new Uint32Array(slots);
    this.logOffset = new Float64Array(slots);
    this.expiresAt = new Float64Array(slots);
    this.writtenAt = new Float64Array(slots);
    this.appIndex = new Uint32Array(slots);
    this.pool = new Uint16Array(slots);
    this.concatReference = new Uint16Array(slots);
    this.drawnAt = new Float64Array(slots);
    this.part = new Uint8Array(slots);
    this.attempt = new Uint8Array(slots);
    this.flags = new Uint8Array(slots);
    this.priority = new Uint8Array(slots);
    this.producer = new Uint8Array(slots);
  }

  /** Starts a new connection's numbering. The window must be empty. */
  reset(sequenceNumberFirst: number): void {
    this.#next = sequenceNumberFirst;
    this.#oldest = sequenceNumberFirst;
  }

  /** A sequence_number for a request that is not a submit. */
  takeSequenceNumber(): number {
    while (this.#state[this.#next & this.#mask] !== FREE) {
      this.#next = nextSequenceNumber(this.#next);
    }
    const taken = this.#next;
    this.#next = nextSequenceNumber(taken);
    return taken;
  }

  /**
   * Takes the slot of the next sequence_number; `used` must be below `limit`. The caller fills the
   * arrays.
   */
  claim(): number {
    const sequenceNumber = this.takeSequenceNumber();
    const slot = sequenceNumber & this.#mask;
    this.#state[slot] = WRITTEN;
    this.#sequenceNumbers[slot] = sequenceNumber;
    this.used++;
    return slot;
  }

  sequenceNumberOf(slot: number): number {
    return this.#sequenceNumbers[slot] as number;
  }

  /** The slot that waits for this sequence_number, or NO_SLOT. */
  find(sequenceNumber: number): number {
    if (sequenceNumber < 1 || sequenceNumber > SEQUENCE_NUMBER_MAX) return NO_SLOT;
    const slot = sequenceNumber & this.#mask;
    if (this.#state[slot] === FREE || this.#sequenceNumbers[slot] !== sequenceNumber) {
      return NO_SLOT;
    }
    return slot;
  }

  isTombstone(slot: number): boolean {
    return this.#state[slot] === TOMBSTONE;
  }

  release(slot: number): void {
    if (this.#state[slot] === TOMBSTONE) this.tombstones--;
    this.#state[slot] = FREE;
    this.used--;
  }

  /**
   * Makes a written slot a tombstone: it is ambiguous on record, and only a late answer counts any
   * more.
   */
  bury(slot: number): void {
    this.#state[slot] = TOMBSTONE;
    this.tombstones++;
  }

  /** The slot written first among those without answer, tombstones left out; or NO_SLOT. */
  oldestWritten(): number {
    while (this.#oldest !== this.#next) {
      const slot = this.#oldest & this.#mask;
      if (this.#state[slot] === WRITTEN && this.#sequenceNumbers[slot] === this.#oldest) {
        return slot;
      }
      this.#oldest = nextSequenceNumber(this.#oldest);
    }
    return NO_SLOT;
  }

  /** Frees every tombstone: their session is gone. */
  dropTombstones(): void {
    for (let slot = 0; slot <= this.#mask && this.tombstones > 0; slot++) {
      if (this.#state[slot] === TOMBSTONE) this.release(slot);
    }
  }
}
