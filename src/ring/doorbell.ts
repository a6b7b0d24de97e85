/**
 * Doorbell of a sleeping thread: one shared word, AWAKE or IDLE.
 *
 *   sleeper: arm() → look for work once more → sleep     (disarm() when it wakes or found work)
 *   ringer:  make work visible → ring()
 *
 * The word and the work are both sequentially consistent, so one of the two sees the other. Rings
 * coalesce: only the first one after `arm` notifies. Any thread may ring; only the owner arms.
 */
const AWAKE = 0;
const IDLE = 1;

/**
 * The ringer's side. `notify` wakes the owner: a postMessage, or Atomics.notify for one without
 * event loop.
 */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #index: number;
  readonly #notify: () => void;

  constructor(words: Int32Array, index: number, notify: () => void) {
    this.#words = words;
    this.#index = index;
    this.#notify = notify;
  }

  /** Wakes the owner if it declared itself idle. Call it after the work is visible. */
  ring(): void {
    if (Atomics.load(this.#words, this.#index) !== IDLE) return;
    if (Atomics.compareExchange(this.#words, this.#index, IDLE, AWAKE) === IDLE) this.#notify();
  }
}

/** The sleeper's side. */
export class DoorbellOwner {
  readonly #words: Int32Array;
  readonly #index: number;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Declares the owner idle; it must look for work once more before it sleeps. */
  arm(): void {
    Atomics.store(this.#words, this.#index, IDLE);
  }

  /** Declares the owner awake. */
  disarm(): void {
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  /** Blocks until rung or `timeoutMs` passed. For threads without an event loop, after `arm`. */
  sleep(timeoutMs: number): void {
    Atomics.wait(this.#words, this.#index, IDLE, timeoutMs);
    Atomics.store(this.#words, this.#index, AWAKE);
  }
}

/** A doorbell for an owner that sleeps in `DoorbellOwner.sleep`. */
export function waitingDoorbell(words: Int32Array, index: number): Doorbell {
  return new Doorbell(words, index, () => {
    Atomics.notify(words, index);
  });
}
