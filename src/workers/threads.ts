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

/** Of what survived the last collection, how much an old generation grows before the next one. */
const HEAP_GROWTH_PERCENT = 40;

/**
 * Has all heaps of the process grow in small steps. The main thread's has no bounds of its own, and
 * V8 lets such a one grow up to fourfold before it is collected. To be called before threads start.
 */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
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
