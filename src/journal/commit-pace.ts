/**
 * How close commits follow each other while there is much to commit.
 *
 *   block small ─► the next commit at once: nobody waits who is nearly alone
 *   block large ─► the next commit an interval after the start of this one, and so larger still
 *
 * A commit costs a write, a sync and the waking of every thread, however much it carries. Without a
 * pace a fast disk turns all the time there is into such costs. One instance, used by the journal
 * thread.
 */

/** A block of so many bytes carries some dozens of messages: then more come by the moment. */
const LARGE_BLOCK_BYTES = 4096;

export class CommitPace {
  readonly #intervalMs: number;
  #nextAtMs = 0;

  /** `intervalMs` 0: no pace. */
  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** A block of `bytes` was committed; that began at `startedMs`, monotonic. */
  committed(startedMs: number, bytes: number): void {
    this.#nextAtMs = bytes < LARGE_BLOCK_BYTES ? 0 : startedMs + this.#intervalMs;
  }

  /** Milliseconds from `nowMs` until the next commit is due; 0: now. */
  restMs(nowMs: number): number {
    return Math.max(0, this.#nextAtMs - nowMs);
  }
}
