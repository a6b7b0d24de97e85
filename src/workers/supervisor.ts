/**
 * Crash-only supervision, on the main thread: a thread that ends, throws or stalls ends the
 * process.
 *
 * A stall is counted in on-time ticks (tick-watch.ts). The main thread itself is watched by the
 * ledger's (main-watch.ts).
 */
import type { Worker } from "node:worker_threads";
import type { Clock } from "../environment.ts";
import { threadState } from "./thread-cpu.ts";
import type { ThreadNote } from "./thread-data.ts";
import { LOOK_INTERVAL_MS, NONE_STALLED, TickWatch } from "./tick-watch.ts";

export interface WatchedThread {
  readonly name: string;
  readonly index: number;
  readonly worker: Worker;
}

export interface SupervisorOptions {
  readonly bells: Int32Array;
  readonly inHand: Float64Array;
  readonly clock: Clock;
  /** Ends the process; called once. `inHand` is the log offset the thread worked on, or null. */
  readonly crash: (reason: string, thread: string, inHand: number | null) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watched: WatchedThread[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isEnding = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Watches a thread from now on. */
  watch(thread: WatchedThread): void {
    this.#watched.push(thread);
    thread.worker.on("error", (error: Error) => this.#crash(thread, error.stack ?? String(error)));
    thread.worker.on("message", (note: ThreadNote) => {
      if (note.kind === "broken") this.#crash(thread, note.reason);
    });
    thread.worker.on("exit", (code) => this.#crash(thread, `ended with ${code}`));
  }

  /** Looks for stalls from now on, of all threads that are watched by now. */
  start(): void {
    const { bells, clock } = this.#options;
    const watch = new TickWatch(bells, clock.monotonicMs(), (thread) => threadState(bells, thread));
    for (const { index } of this.#watched) watch.add(index);
    this.#timer = setInterval(() => {
      const stalled = watch.look(clock.monotonicMs());
      const thread = this.#watched.find(({ index }) => index === stalled);
      if (stalled !== NONE_STALLED && thread !== undefined) this.#crash(thread, "stalled");
    }, LOOK_INTERVAL_MS);
  }

  /** The process is being ended on purpose: threads may go. */
  stop(): void {
    this.#isEnding = true;
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #crash(thread: WatchedThread, reason: string): void {
    if (this.#isEnding) return;
    this.stop();
    const inHand = this.#options.inHand[thread.index] ?? -1;
    this.#options.crash(reason, thread.name, inHand < 0 ? null : inHand);
  }
}
