/**
 * Tells a stalled thread by its ticks, for whoever looks at them at regular times.
 *
 *   look ── on time? ── tick since the last look? ── no, 40 times in a row ──► stalled
 *
 * Only looks that come on time count, so a suspended machine, or a looker that is held up itself,
 * is no stall of others. Nor is a slow disk: a thread that says so, or that the kernel shows
 * waiting for the disk, is left alone. One thread.
 */
import { blockedIndex, ticksIndex } from "../tables/thread-table.ts";

/** Between two looks. */
export const LOOK_INTERVAL_MS = 250;
/** Looks that came on time without a tick of a thread: then it has stalled. */
const STALLED_LOOKS_MAX = 40;
/** No thread has stalled. */
export const NONE_STALLED = -1;

interface Watched {
  readonly thread: number;
  ticks: number;
  missed: number;
}

export class TickWatch {
  readonly #bells: Int32Array;
  readonly #isAtDisk: (thread: number) => boolean;
  readonly #watched: Watched[] = [];
  #expectedAt: number;

  /** `isAtDisk`: whether the kernel shows the thread waiting for the disk; asked at the end. */
  constructor(bells: Int32Array, nowMs: number, isAtDisk: (thread: number) => boolean) {
    this.#bells = bells;
    this.#expectedAt = nowMs + LOOK_INTERVAL_MS;
    this.#isAtDisk = isAtDisk;
  }

  add(thread: number): void {
    this.#watched.push({ thread, ticks: 0, missed: 0 });
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
    const isMissing = ticks === entry.ticks && !isBlocked;
    entry.ticks = ticks;
    entry.missed = isMissing ? entry.missed + 1 : 0;
    if (entry.missed <= STALLED_LOOKS_MAX) return false;
    entry.missed = 0;
    return !this.#isAtDisk(entry.thread);
  }
}
