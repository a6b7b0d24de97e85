/**
 * Whether the service of one endpoint takes conditional writes (If-None-Match), by its answers.
 *
 *   asked ─► refused, the same file taken without a condition ─► not asked for RETRY_MS ─► asked
 *
 * One refusal may mean anything: a proxy on the way, one node of a service that is being replaced.
 * Only a file that went through without its condition shows what the matter was, and only for a
 * while. One for each store; its thread only.
 */
import type { Clock, Log } from "../environment.ts";

export const RETRY_MS = 600_000;

export interface ConditionalWritesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each file that was put without a condition. */
  readonly onUnconditional: () => void;
}

export class ConditionalWrites {
  readonly #options: ConditionalWritesOptions;
  #isRefused = false;
  #askAgainAt = 0;

  constructor(options: ConditionalWritesOptions) {
    this.#options = options;
  }

  /** Whether the next file is to be put with a condition. */
  isAsked(): boolean {
    return !this.#isRefused || this.#options.clock.monotonicMs() >= this.#askAgainAt;
  }

  /** A condition was judged by the service: met or not. */
  noteTaken(place: string): void {
    if (!this.#isRefused) return;
    this.#isRefused = false;
    this.#options.log.write("info", "conditional writes work again", { to: place });
  }

  /** A file that was refused with its condition went through without it. */
  noteRefused(place: string, cause: string): void {
    const { clock, log } = this.#options;
    this.#askAgainAt = clock.monotonicMs() + RETRY_MS;
    this.noteUnconditional();
    if (this.#isRefused) return;
    this.#isRefused = true;
    const fields = { to: place, cause, again_in_s: RETRY_MS / 1000 };
    log.write("warn", "conditional writes are refused: files are looked for first", fields);
  }

  /** A file was put without a condition, as none was asked for. */
  noteUnconditional(): void {
    this.#options.onUnconditional();
  }
}
