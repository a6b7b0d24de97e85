/**
 * The real clock: every thread of a process counts from the same base.
 *
 * `performance.now()` is cheap but starts anew in each thread; `process.hrtime` is common. Each
 * thread measures the difference once.
 */
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import type { Clock, SystemInstant } from "../environment.ts";

/** Linux: another one after each start of the machine. */
const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

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

/** Now, comparable with what other processes of this machine read. */
export function systemInstant(): SystemInstant {
  return {
    boot: bootId(),
    monotonicMs: Number(process.hrtime.bigint()) / 1e6,
    wallMs: Date.now(),
  };
}

function bootId(): string | null {
  try {
    return readFileSync(BOOT_ID_FILE, "utf8").trim() || null;
  } catch {
    return null;
  }
}
