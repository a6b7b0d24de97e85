/**
 * The real clock: every thread of a process counts from the same base.
 *
 * `performance.now()` is cheap but starts anew in each thread; `process.hrtime` is common. Each
 * thread measures the difference once.
 */
import type { Clock } from "../environment.ts";

/** Start of the process's time, made on the main thread and handed to all others. */
export interface ClockBase {
  readonly hrtimeNs: bigint;
  readonly wallMs: number;
}

export function clockBase(): ClockBase {
  return { hrtimeNs: process.hrtime.bigint(), wallMs: Date.now() };
}

/** Readings to choose the best of: the thread may be stopped between two clocks. */
const READINGS = 20;

export function threadClock(base: ClockBase): Clock {
  let shiftMs = 0;
  let leastMs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < READINGS; i++) {
    const beforeMs = Number(process.hrtime.bigint() - base.hrtimeNs) / 1e6;
    const nowMs = performance.now();
    const afterMs = Number(process.hrtime.bigint() - base.hrtimeNs) / 1e6;
    if (afterMs - beforeMs >= leastMs) continue;
    leastMs = afterMs - beforeMs;
    shiftMs = (beforeMs + afterMs) / 2 - nowMs;
  }
  return {
    monotonicMs: () => performance.now() + shiftMs,
    wallMs: () => base.wallMs + performance.now() + shiftMs,
  };
}
