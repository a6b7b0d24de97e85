/**
 * Starting threads and talking with them, from the main thread.
 */
import { type MessagePort, Worker } from "node:worker_threads";
import { portsOf } from "./bell-ports.ts";
import type { CancelOrder } from "../ledger/cancels.ts";
import type {
  AnyThreadData,
  LedgerAnswer,
  LedgerOrder,
  LedgerQuestion,
  ThreadNote,
} from "./thread-data.ts";

/** A thread refused to start, with the exit code that its reason calls for. */
export class StartRefusedError extends Error {
  override readonly name = "StartRefusedError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * New space of a thread's heap: what a thread makes for a message is garbage within a flush of the
 * ledger, and a collection that comes later finds less of it alive.
 */
const YOUNG_GENERATION_MIB = 48;
/**
 * Far more than a thread ever holds: what is many lies in buffers outside. The smaller this bound,
 * the less V8 lets a heap grow by before it looks for garbage: here by half of what is alive, not
 * by four times of it.
 */
const OLD_GENERATION_MIB = 1024;

/** What a thread may take of memory. */
export const THREAD_LIMITS = {
  maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB,
  maxOldGenerationSizeMb: OLD_GENERATION_MIB,
} as const;

/** Entries of threads, files of this folder. */
export type ThreadEntry =
  | "ingress-thread"
  | "journal-thread"
  | "ledger-thread"
  | "relay-thread"
  | "sink-thread"
  | "smpp-thread";

/** Starts the thread whose entry is `<entry>.js` in this folder. */
export function startThread(
  entry: ThreadEntry,
  data: AnyThreadData,
  transfer: readonly MessagePort[] = [],
): Worker {
  return new Worker(new URL(`./${entry}.js`, import.meta.url), {
    workerData: data,
    name: entry,
    resourceLimits: THREAD_LIMITS,
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

/**
 * Questions to the ledger thread, bounded in number; each is answered once, or never if the process
 * ends.
 */
export class LedgerQuestions {
  readonly #port: MessagePort;
  readonly #waiting = new Map<number, (document: unknown) => void>();
  #onCancel: (order: CancelOrder) => void = (order) => this.refuseCancel(order);
  #last = 0;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (answer: LedgerAnswer | LedgerOrder) => {
      if ("cancel" in answer) {
        this.#onCancel(answer.cancel);
        return;
      }
      const done = this.#waiting.get(answer.question);
      this.#waiting.delete(answer.question);
      done?.(answer.document);
    });
  }

  /** Who takes messages back that this thread owns. */
  onCancel(cancel: (order: CancelOrder) => void): void {
    this.#onCancel = cancel;
  }

  /** Tells the ledger that this thread does not give a message up. */
  refuseCancel({ sequence, origin }: CancelOrder): void {
    this.#port.postMessage({ kind: "cancel_refused", sequence, origin } satisfies LedgerQuestion);
  }

  /** Asks, unless `QUESTIONS_MAX` wait already: then false, and `done` is never called. */
  ask(
    question: DistributiveOmit<Extract<LedgerQuestion, { question: number }>, "question">,
    done: (document: unknown) => void,
  ): boolean {
    if (this.#waiting.size >= QUESTIONS_MAX) return false;
    this.#last += 1;
    this.#waiting.set(this.#last, done);
    this.#port.postMessage({ ...question, question: this.#last });
    return true;
  }
}

/** Questions that may wait for the ledger at once. */
const QUESTIONS_MAX = 4096;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
