/**
 * Asks Linux for short slices of CPU for the threads that senders and operators wait for.
 *
 *   kernel's slice  | ledger, another program ........... | main: an answer |
 *   short slice     | ledger | main: an answer | ledger, another program ........ |
 *
 * Who runs is let run to the end of its slice, whatever the priorities, unless somebody waits who
 * asked for a shorter one. A short slice is no larger share: the same CPU in smaller pieces,
 * sooner. Linux takes the wish of threads with the default policy since 6.12, and before ignores
 * it. Node has no such call, and Debian no tool for it: libc's is called by way of koffi, the only
 * place that imports it; where that cannot be, nothing changes. Main thread only.
 */
import { Buffer } from "node:buffer";
import type { GatewayConfig } from "../config/types.ts";
import type { Log } from "../environment.ts";
import { isRelayed } from "../ingress/http/relay-endpoint.ts";
import { promptThreads, type SharedPlan } from "../tables/plan.ts";
import { hasLoaded, systemIdOf } from "./thread-cpu.ts";

/** Numbers of the system calls (asm/unistd.h). */
const CALLS: Readonly<Record<string, { readonly get: number; readonly set: number }>> = {
  x64: { get: 315, set: 314 },
  arm64: { get: 275, set: 274 },
};
/** struct sched_attr of sched_setattr(2) as it was first: 48 bytes. */
const ATTR = { BYTES: 48, SIZE: 0, POLICY: 4, RUNTIME: 24 } as const;
/** SCHED_OTHER and SCHED_BATCH: others have no slice, or another meaning of the field. */
const POLICIES_WITH_SLICE: readonly number[] = [0, 3];
/** The kernel gives no shorter ones. */
const SLICE_US_MIN = 100;
const LOOK_MS = 20;

type SystemCall = (number: number, ...args: readonly unknown[]) => number;

/** Sets slices of threads of this process. */
export class TimeSlices {
  readonly #syscall: SystemCall;
  readonly #calls: { readonly get: number; readonly set: number };

  private constructor(syscall: SystemCall, calls: { readonly get: number; readonly set: number }) {
    this.#syscall = syscall;
    this.#calls = calls;
  }

  /** Null where it cannot be: another system, another processor, no koffi. Takes some 25 ms. */
  static async open(): Promise<TimeSlices | null> {
    const calls = CALLS[process.arch];
    if (process.platform !== "linux" || calls === undefined) return null;
    try {
      const { load } = await import("koffi");
      const syscall = load("libc.so.6").func("long syscall(long number, ...)");
      return new TimeSlices(syscall, calls);
    } catch {
      return null;
    }
  }

  /**
   * Gives the thread with this number of the kernel (0: the one that calls) slices of `us`
   * microseconds, at most 100,000, and leaves its policy and niceness as they are; returns whether
   * the kernel has taken that.
   */
  set(systemId: number, us: number): boolean {
    const attr = Buffer.alloc(ATTR.BYTES);
    if (!this.#get(systemId, attr)) return false;
    if (!POLICIES_WITH_SLICE.includes(attr.readUInt32LE(ATTR.POLICY))) return false;
    attr.writeUInt32LE(ATTR.BYTES, ATTR.SIZE);
    const givenUs = Math.max(SLICE_US_MIN, us);
    attr.writeBigUInt64LE(BigInt(givenUs) * 1000n, ATTR.RUNTIME);
    if (this.#syscall(this.#calls.set, "int", systemId, "void *", attr, "uint", 0) !== 0) {
      return false;
    }
    return this.sliceUs(systemId) === givenUs;
  }

  /** The slice of a thread, microseconds; 0 where the kernel tells none. */
  sliceUs(systemId: number): number {
    const attr = Buffer.alloc(ATTR.BYTES);
    if (!this.#get(systemId, attr)) return 0;
    return Number(attr.readBigUInt64LE(ATTR.RUNTIME)) / 1000;
  }

  #get(systemId: number, attr: Buffer): boolean {
    const { get } = this.#calls;
    const { BYTES } = ATTR;
    return this.#syscall(get, "int", systemId, "void *", attr, "uint", BYTES, "uint", 0) === 0;
  }
}

/**
 * Gives the threads that clients and operators wait for slices of `node.time_slice_us`, once they
 * have left their numbers; 0: leaves them the kernel's. Says in the log how many took them, and
 * never fails: it is a wish.
 */
export async function shortenSlices(
  config: GatewayConfig,
  bells: Int32Array,
  plan: SharedPlan,
  log: Log,
): Promise<void> {
  const us = config.node.timeSliceUs;
  if (us === 0) return;
  const threads = promptThreads(plan, isRelayed(config.http));
  try {
    const taken = await setAll(bells, threads, us);
    log.write("info", "shorten time slices", { us, threads: taken, of: threads.length });
  } catch (error) {
    log.write("warn", "shorten time slices", { cause: String(error) });
  }
}

async function setAll(bells: Int32Array, threads: readonly number[], us: number): Promise<number> {
  const slices = await TimeSlices.open();
  if (slices === null) return 0;
  let taken = 0;
  for (const thread of threads) {
    while (!hasLoaded(bells, thread)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const systemId = systemIdOf(bells, thread);
    if (systemId > 0 && slices.set(systemId, us)) taken += 1;
  }
  return taken;
}
