/**
 * Messages between admission and their answer, in order of staging.
 *
 *   answered ........ committed ........ staged
 *      |  durable, to be answered |  waiting for their commit |
 *
 * Slots are made once and used round and round. One instance per ingress thread.
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

export class PendingMessages {
  readonly #slots: readonly PendingMessage[];
  readonly #mask: number;
  #staged = 0;
  #committed = 0;
  #answered = 0;

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    if (capacity < 1 || (capacity & (capacity - 1)) !== 0) {
      throw new RangeError(`capacity ${capacity} is not a power of two`);
    }
    this.#slots = Array.from({ length: capacity }, () => new PendingMessage());
    this.#mask = capacity - 1;
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
    return this.count > this.#mask;
  }

  /** The slot for the message that was just staged, to be filled. Not while full. */
  stage(): PendingMessage {
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
}
