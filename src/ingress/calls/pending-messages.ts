/**
 * Messages between admission and their answer, in order of staging.
 *
 *   answered ........ committed ........ staged
 *      |  durable, to be answered |  waiting for their commit |
 *
 * Slots are made as they are needed, and used round and round: the fewer, the more of them are in
 * the processor's cache. One instance per ingress thread.
 */
import type { KeyClaim } from "../admission/idempotency.ts";
import type { RateLimitState } from "../http/rate-headers.ts";

/** Where the news that a message is durable goes: whoever asked for it. */
export interface Ticket {
  /**
   * Called once for each of its messages, after the commit; `message` is valid during the call
   * only.
   */
  accepted(message: PendingMessage): void;
}

export class PendingMessage {
  ticket: Ticket | null = null;
  /** Which of the ticket's messages it is, counted from 0. */
  item = 0;
  sequence = 0;
  origin = 0;
  poolIndex = 0;
  priority = 0;
  appIndex = 0;
  /** Whether the ledger hands it over, at its time. */
  isScheduled = false;
  expiresAtMs = 0;
  parts = 0;
  /** BodyEncoding. */
  encoding = 0;
  /** Empty: none. */
  reference = "";
  /** Characters that were replaced, as asked for; empty: none. */
  transliterated = "";
  /** The app's bucket after it was charged; null: the app has none. */
  limit: RateLimitState | null = null;
  /** The idempotency key that it came with, until its commit is seen; null: none. */
  claim: KeyClaim | null = null;
  /** Whether it is the message of an earlier call with the same key. */
  isReplay = false;
  /** Monotonic ms of its admission. */
  admittedAtMs = 0;
}

/** A power of two. */
const SLOTS_AT_START = 256;

export class PendingMessages {
  readonly #capacity: number;
  #slots: PendingMessage[];
  #mask: number;
  #staged = 0;
  #committed = 0;
  #answered = 0;

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`capacity ${capacity} is not a power of two`);
    }
    this.#capacity = capacity;
    const count = Math.min(capacity, SLOTS_AT_START);
    this.#slots = Array.from({ length: count }, () => new PendingMessage());
    this.#mask = count - 1;
  }

  /** Messages without an answer. */
  get count(): number {
    return (this.#staged - this.#answered) >>> 0;
  }

  /** Messages without a commit. */
  get uncommittedCount(): number {
    return (this.#staged - this.#committed) >>> 0;
  }

  isFull(): boolean {
    return this.count >= this.#capacity;
  }

  get isHalfFull(): boolean {
    return 2 * this.count >= this.#capacity;
  }

  /** The slot for the message that was just staged, to be filled. Not while full. */
  stage(): PendingMessage {
    if (this.count > this.#mask) this.#grow();
    const slot = this.#slots[this.#staged & this.#mask] as PendingMessage;
    this.#staged = (this.#staged + 1) >>> 0;
    return slot;
  }

  /** The message whose commit is seen now; null if none waits for one. */
  commit(): PendingMessage | null {
    if (this.#committed === this.#staged) return null;
    const slot = this.#slots[this.#committed & this.#mask] as PendingMessage;
    this.#committed = (this.#committed + 1) >>> 0;
    return slot;
  }

  /** The next committed message that is to be answered, or null. Valid until the next `stage`. */
  answer(): PendingMessage | null {
    if (this.#answered === this.#committed) return null;
    const slot = this.#slots[this.#answered & this.#mask] as PendingMessage;
    this.#answered = (this.#answered + 1) >>> 0;
    return slot;
  }

  /** Twice the slots, each message in that of its number. */
  #grow(): void {
    const slots = this.#slots;
    const mask = 2 * slots.length - 1;
    const grown = Array.from({ length: 2 * slots.length }, () => new PendingMessage());
    for (let i = 0; i < slots.length; i++) {
      const number = this.#answered + i;
      grown[number & mask] = slots[number & this.#mask] as PendingMessage;
    }
    this.#slots = grown;
    this.#mask = mask;
  }
}
