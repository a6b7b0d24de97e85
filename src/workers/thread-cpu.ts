/**
 * What Linux knows of each thread: its CPU time, and what it waits for; and what it is
 * told of it, its priority. A thread leaves its number in the thread table at its start, once its
 * modules are loaded, and whoever wants to know reads the kernel's figures of it.
 *
 * Elsewhere than on Linux nothing is known, nothing is shown, and all threads are equal.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { setPriority } from "node:os";
import { type SharedPlan, threadNames } from "../tables/plan.ts";
import { systemIdIndex } from "../tables/thread-table.ts";

/** The kernel counts in these for user space on every architecture that Node runs on. */
const TICKS_PER_S = 100;
/** Number of a thread that cannot know its own. */
const UNKNOWN = -1;

/** CPU seconds of one thread, user and system. */
export interface ThreadCpu {
  readonly thread: string;
  readonly seconds: number;
}

/** Leaves the number of the thread that calls in its row. To be called by each thread itself. */
export function leaveSystemId(bells: Int32Array, thread: number): void {
  Atomics.store(bells, systemIdIndex(thread), ownSystemId());
}

/** Whether a thread has left its number, even an unknown one: it has loaded its modules. */
export function hasLoaded(bells: Int32Array, thread: number): boolean {
  return systemIdOf(bells, thread) !== 0;
}

/** The number that a thread has left; 0: none yet, below 0: it does not know its own. */
function systemIdOf(bells: Int32Array, thread: number): number {
  return Atomics.load(bells, systemIdIndex(thread));
}

/** A thread as the kernel sees it. */
export interface ThreadState {
  /** `cpu`: it runs, or would if it were let; the kernel does not tell these apart. */
  readonly waitsFor: "disk" | "cpu" | "nothing";
  /** That it has had so far. */
  readonly cpuMs: number;
}

const WAITS: Readonly<Record<string, ThreadState["waitsFor"]>> = { D: "disk", R: "cpu" };

/** What the kernel shows of a thread now; null if that cannot be had. */
export function threadState(bells: Int32Array, thread: number): ThreadState | null {
  const fields = statOf(systemIdOf(bells, thread));
  if (fields === null) return null;
  return { waitsFor: WAITS[fields[0] as string] ?? "nothing", cpuMs: secondsIn(fields) * 1000 };
}

/**
 * A quarter of a share while other threads want the CPU: less, and a thread might not even end in
 * time on a busy machine.
 */
const BACKGROUND_NICENESS = 5;

/**
 * Lowers the priority of the thread that calls, and of those it starts, for good: nobody waits for
 * what it does.
 */
export function giveWay(): void {
  const systemId = ownSystemId();
  if (systemId === UNKNOWN) return;
  try {
    setPriority(systemId, BACKGROUND_NICENESS);
  } catch {
    // It goes on as it is: a started service may have a lower one already.
  }
}

function ownSystemId(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1)) || UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

/** CPU seconds of every thread that has left its number. */
export function threadCpu(bells: Int32Array, plan: SharedPlan): ThreadCpu[] {
  return threadNames(plan).flatMap((thread, index) => {
    const seconds = secondsOf(systemIdOf(bells, index));
    return seconds === null ? [] : [{ thread, seconds }];
  });
}

function secondsOf(systemId: number): number | null {
  const fields = statOf(systemId);
  return fields === null ? null : secondsIn(fields);
}

function secondsIn(fields: readonly string[]): number {
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** State and numbers of a thread as the kernel gives them; null if they cannot be had. */
function statOf(systemId: number): readonly string[] | null {
  if (systemId <= 0) return null;
  try {
    const stat = readFileSync(`/proc/self/task/${systemId}/stat`, "latin1");
    // The name in brackets may hold anything; state and numbers come behind it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null;
  }
}
