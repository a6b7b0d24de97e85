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

export function threadClock(base: ClockBase): Clock {
  const sinceBaseMs = Number(process.hrtime.bigint() - base.hrtimeNs) / 1e6;
  const shiftMs = sinceBaseMs - performance.now();
  return {
    monotonicMs: () => performance.now() + shiftMs,
    wallMs: () => base.wallMs + performance.now() + shiftMs,
  };
}
