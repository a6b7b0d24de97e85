/**
 * Crash-only supervision, on the main thread: a thread that ends, throws or stalls ends the
 * process.
 *
 * A stall is counted in on-time ticks: only while this thread's own timer comes on time does a
 * missing tick of another thread count, so a suspended machine is none. A thread inside a disk call
 * says so and is left alone: a slow disk is no stall either.
 */
import type { Worker } from "node:worker_threads";
import type { Clock, Log } from "../environment.ts";
import { blockedIndex, ticksIndex } from "../tables/thread-table.ts";
import type { ThreadNote } from "./thread-data.ts";

const LOOK_INTERVAL_MS = 250;
/** Looks that came on time without a tick of a thread: then it has stalled. */
const STALLED_LOOKS_MAX = 40;

export interface WatchedThread {
  readonly name: string;
  readonly index: number;
  readonly worker: Worker;
}

export interface SupervisorOptions {
  readonly bells: Int32Array;
  readonly inHand: Float64Array;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the process; called once. `inHand` is the log offset the thread worked on, or null. */
  readonly crash: (reason: string, thread: string, inHand: number | null) => void;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #watched: { thread: WatchedThread; ticks: number; missed: number }[] = [];
  #timer: NodeJS.Timeout | null = null;
  #expectedAt = 0;
  #isEnding = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Watches a thread from now on. */
  watch(thread: WatchedThread): void {
    this.#watched.push({ thread, ticks: 0, missed: 0 });
    thread.worker.on("error", (error: Error) => this.#crash(thread, error.stack ?? String(error)));
    thread.worker.on("message", (note: ThreadNote) => {
      if (note.kind === "broken") this.#crash(thread, note.reason);
    });
    thread.worker.on("exit", (code) => this.#crash(thread, `ended with ${code}`));
  }

  start(): void {
    this.#expectedAt = this.#options.clock.monotonicMs() + LOOK_INTERVAL_MS;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  /** The process is being ended on purpose: threads may go. */
  stop(): void {
    this.#isEnding = true;
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#options.clock.monotonicMs();
    const isOnTime = now - this.#expectedAt < LOOK_INTERVAL_MS;
    this.#expectedAt = now + LOOK_INTERVAL_MS;
    if (!isOnTime) return;
    for (const entry of this.#watched) {
      const { index } = entry.thread;
      const ticks = Atomics.load(this.#options.bells, ticksIndex(index));
      const isBlocked = Atomics.load(this.#options.bells, blockedIndex(index)) === 1;
      entry.missed = ticks === entry.ticks && !isBlocked ? entry.missed + 1 : 0;
      entry.ticks = ticks;
      if (entry.missed > STALLED_LOOKS_MAX) this.#crash(entry.thread, "stalled");
    }
  }

  #crash(thread: WatchedThread, reason: string): void {
    if (this.#isEnding) return;
    this.stop();
    const inHand = this.#options.inHand[thread.index] ?? -1;
    this.#options.log.write("error", "crash", { thread: thread.name, cause: reason, inHand });
    this.#options.crash(reason, thread.name, inHand < 0 ? null : inHand);
  }
}
