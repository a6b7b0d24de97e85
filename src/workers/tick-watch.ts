/**
 * Tells a stalled thread by its ticks, for whoever looks at them at regular times.
 *
 *   look ── on time? ── tick since the last look? ── no: time of its own since then, up to 10 s ──►
 *
 * Only looks that come on time count, so a suspended machine, or a looker that is held up itself,
 * is no stall of others. Nor is a slow disk, or a machine too busy to let the thread run: where the
 * kernel shows a thread waiting for the disk, or for a CPU, only what it ran counts as its own
 * time. A thread that still loads its modules cannot be looked up there: it has longer. One thread.
 */
import { blockedIndex, systemIdIndex, ticksIndex } from "../tables/thread-table.ts";
import type { ThreadState } from "./thread-cpu.ts";

/** Between two looks. */
export const LOOK_INTERVAL_MS = 250;
/** So much time of its own without a tick: then a thread has stalled. */
const STALLED_MS_MAX = 10_000;
/** The same for one that loads: many seconds on a machine too busy to let it run. */
const LOADING_MS_MAX = 120_000;
/** No thread has stalled. */
export const NONE_STALLED = -1;

interface Watched {
  readonly thread: number;
  ticks: number;
  hasLoaded: boolean;
  /** Without a tick; 0 after one. */
  ownMs: number;
  /** CPU time at the last look without a tick. */
  cpuMs: number;
}

export class TickWatch {
  readonly #bells: Int32Array;
  readonly #stateOf: (thread: number) => ThreadState | null;
  readonly #watched: Watched[] = [];
  #expectedAt: number;

  /** `stateOf`: what the kernel shows of a thread; asked of one without a tick. */
  constructor(bells: Int32Array, nowMs: number, stateOf: (thread: number) => ThreadState | null) {
    this.#bells = bells;
    this.#expectedAt = nowMs + LOOK_INTERVAL_MS;
    this.#stateOf = stateOf;
  }

  add(thread: number): void {
    this.#watched.push({ thread, ticks: 0, hasLoaded: false, ownMs: 0, cpuMs: 0 });
  }

  /** To be called every LOOK_INTERVAL_MS; the index of a thread that has stalled, or none. */
  look(nowMs: number): number {
    const isOnTime = nowMs - this.#expectedAt < LOOK_INTERVAL_MS;
    this.#expectedAt = nowMs + LOOK_INTERVAL_MS;
    if (!isOnTime) return NONE_STALLED;
    for (const entry of this.#watched) if (this.#hasStalled(entry)) return entry.thread;
    return NONE_STALLED;
  }

  #hasStalled(entry: Watched): boolean {
    const ticks = Atomics.load(this.#bells, ticksIndex(entry.thread));
    const isBlocked = Atomics.load(this.#bells, blockedIndex(entry.thread)) === 1;
    const hasLoaded = Atomics.load(this.#bells, systemIdIndex(entry.thread)) !== 0;
    const isMissing = ticks === entry.ticks && hasLoaded === entry.hasLoaded && !isBlocked;
    entry.ticks = ticks;
    entry.hasLoaded = hasLoaded;
    if (!isMissing) {
      entry.ownMs = 0;
      return false;
    }
    entry.ownMs += this.#ownSince(entry);
    if (entry.ownMs <= (hasLoaded ? STALLED_MS_MAX : LOADING_MS_MAX)) return false;
    entry.ownMs = 0;
    return true;
  }

  /** Time since the last look that the thread had for itself, running or asleep. */
  #ownSince(entry: Watched): number {
    const state = this.#stateOf(entry.thread);
    if (state === null) return LOOK_INTERVAL_MS;
    const ranMs = Math.min(LOOK_INTERVAL_MS, state.cpuMs - entry.cpuMs);
    entry.cpuMs = state.cpuMs;
    return state.waitsFor === "nothing" ? LOOK_INTERVAL_MS : ranMs;
  }
}
