/**
 * Starting threads and talking with them, from the main thread.
 */
import { setFlagsFromString } from "node:v8";
import { type MessagePort, type ResourceLimits, Worker } from "node:worker_threads";
import { portsOf } from "./bell-ports.ts";
import type { AnyThreadData, ThreadNote } from "./thread-data.ts";

/** A thread refused to start, with the exit code that its reason calls for. */
export class StartRefusedError extends Error {
  override readonly name = "StartRefusedError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Entries of threads, files of this folder. */
export type ThreadEntry =
  | "ingress-thread"
  | "journal-thread"
  | "ledger-thread"
  | "relay-thread"
  | "sink-thread"
  | "smpp-thread";

/**
 * New space of a thread's heap. In the ledger what a message makes is garbage within a flush, and a
 * collection that comes later finds less of it alive; ingress threads read JSON. The others make
 * little that they do not use again, and what they are given they fill.
 */
const YOUNG_GENERATION_MIB: Readonly<Record<ThreadEntry, number>> = {
  "ingress-thread": 48,
  "journal-thread": 6,
  "ledger-thread": 24,
  "relay-thread": 12,
  "sink-thread": 12,
  "smpp-thread": 12,
};
/**
 * Far more than a thread ever holds: what is many lies in buffers outside. The smaller this bound,
 * the less V8 lets a heap grow by before it looks for garbage: here by half of what is alive, not
 * by four times of it.
 */
const OLD_GENERATION_MIB = 1024;

/** What a thread may take of memory. */
export function threadLimits(entry: ThreadEntry): ResourceLimits {
  return {
    maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB[entry],
    maxOldGenerationSizeMb: OLD_GENERATION_MIB,
  };
}

/**
 * How V8 collects in all threads of the process.
 *
 * Heaps grow in small steps, by this much of what survived the last collection: the main thread's
 * has no bounds of its own, and V8 lets such a one grow up to fourfold before it is collected.
 *
 * Each thread collects its own garbage. V8's helpers would spare a thread half a millisecond, but
 * while all CPUs are wanted each of them stands before others for a slice of milliseconds, the
 * journal's thread among them.
 */
const COLLECTION_FLAGS = [
  "--heap-growing-percent=40",
  "--no-parallel-scavenge",
  "--no-parallel-compaction",
  "--no-parallel-pointer-update",
  "--no-concurrent-sweeping",
  "--no-concurrent-array-buffer-sweeping",
];

/** Sets how V8 collects. To be called before threads start. */
export function setCollection(): void {
  for (const flag of COLLECTION_FLAGS) setFlagsFromString(flag);
}

/** Starts the thread whose entry is `<entry>.js` in this folder. */
export function startThread(
  entry: ThreadEntry,
  data: AnyThreadData,
  transfer: readonly MessagePort[] = [],
): Worker {
  return new Worker(new URL(`./${entry}.js`, import.meta.url), {
    workerData: data,
    name: entry,
    resourceLimits: threadLimits(entry),
    transferList: [...portsOf(data.ports), ...transfer],
  });
}

/** The first note of `kind` from a thread; rejects if it refuses to start or ends before. */
export function noteOf<K extends ThreadNote["kind"]>(
  thread: Worker,
  kind: K,
): Promise<Extract<ThreadNote, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (note: ThreadNote): void => {
      if (note.kind === "refused") {
        settle();
        reject(new StartRefusedError(note.exitCode, note.reason));
      } else if (note.kind === "broken") {
        settle();
        reject(new Error(note.reason));
      } else if (note.kind === kind) {
        settle();
        resolve(note as Extract<ThreadNote, { kind: K }>);
      }
    };
    const onError = (error: unknown): void => {
      settle();
      reject(error);
    };
    const onExit = (code: number): void => {
      settle();
      reject(new Error(`a thread ended with ${code} before it was ${kind}`));
    };
    const settle = (): void => {
      thread.off("message", onMessage).off("error", onError).off("exit", onExit);
    };
    thread.on("message", onMessage).on("error", onError).on("exit", onExit);
  });
}
