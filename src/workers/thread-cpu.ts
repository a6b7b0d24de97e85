/**
 * CPU time by thread, from Linux' /proc: each thread leaves its number in the thread table at its
 * start, and whoever wants to know reads the kernel's figures of it.
 *
 * Elsewhere than on Linux nothing is known, and nothing is shown.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { type SharedPlan, threadNames } from "../tables/plan.ts";
import { systemIdIndex } from "../tables/thread-table.ts";

/** The kernel counts in these for user space on every architecture that Node runs on. */
const TICKS_PER_S = 100;

/** CPU seconds of one thread, user and system. */
export interface ThreadCpu {
  readonly thread: string;
  readonly seconds: number;
}

/** Leaves the number of the thread that calls in its row. To be called by each thread itself. */
export function leaveSystemId(bells: Int32Array, thread: number): void {
  Atomics.store(bells, systemIdIndex(thread), ownSystemId());
}

function ownSystemId(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1)) || 0;
  } catch {
    return 0;
  }
}

/** CPU seconds of every thread that has left its number. */
export function threadCpu(bells: Int32Array, plan: SharedPlan): ThreadCpu[] {
  return threadNames(plan).flatMap((thread, index) => {
    const systemId = Atomics.load(bells, systemIdIndex(index));
    const seconds = systemId === 0 ? null : secondsOf(systemId);
    return seconds === null ? [] : [{ thread, seconds }];
  });
}

function secondsOf(systemId: number): number | null {
  try {
    const stat = readFileSync(`/proc/self/task/${systemId}/stat`, "latin1");
    // The name in brackets may hold anything; state and numbers come behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  } catch {
    return null;
  }
}
