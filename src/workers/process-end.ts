/**
 * How the process ends while it has threads: these go first, each in a way that it can go.
 *
 *   all have loaded their modules ─► each stops its work and closes what it has open ─►
 *   all are terminated ─► process.exit(code)          any of it late ─► SIGKILL
 *
 * `process.exit` joins all threads. It aborts if one of them is loading a native module, is within
 * a call of LMDB or has an open uWebSockets.js socket, and hangs if one is gone that LMDB's write
 * thread waits for; so it is called when there are none. SIGKILL loses nothing that was promised:
 * that is in the log. Main thread.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import type { Log } from "../environment.ts";
import type { ThreadCommand } from "./thread-data.ts";
import { hasLoaded } from "./thread-cpu.ts";
import { noteOf, type ThreadEntry } from "./threads.ts";

const LOOK_MS = 5;
/** How long the steps may take. */
export interface EndLimits {
  readonly loadMs: number;
  readonly closeMs: number;
  readonly terminateMs: number;
}

const LIMITS: EndLimits = {
  // Loading modules takes seconds on a busy machine.
  loadMs: 25_000,
  // What one commit of the ledger takes on a slow disk, and more.
  closeMs: 10_000,
  terminateMs: 5000,
};
/**
 * The ledger's thread has loaded when it has recovered, which takes long with a long log, and while
 * the gateway starts nobody waits for it to be back soon. Shorter than the 90 s after which systemd
 * kills a service that does not stop.
 */
const STARTING_LIMITS: EndLimits = { ...LIMITS, loadMs: 70_000 };
/** A thread that may go without having closed is taken to hang in a loop after this. */
const HANGING_MS = 2000;

/**
 * Whether a thread understands "close", and whether it must not go without having closed: it may
 * be terminated even if it hangs otherwise.
 */
const CLOSES = {
  "ingress-thread": "always",
  "journal-thread": "no",
  "ledger-thread": "always",
  "relay-thread": "no",
  "sink-thread": "if it can",
  "smpp-thread": "if it can",
} as const satisfies Record<ThreadEntry, "no" | "if it can" | "always">;

export interface EndingThread {
  readonly entry: ThreadEntry;
  /** Index in the thread table. */
  readonly index: number;
  readonly worker: Worker;
}

export interface ProcessEndOptions {
  readonly bells: Int32Array;
  readonly log: Log;
  readonly exit: (code: number) => void;
  /** Ends the process at once. */
  readonly kill: () => void;
  readonly limits?: EndLimits;
  readonly startingLimits?: EndLimits;
}

export class ProcessEnd {
  /** Whether the process is ending: what threads say or do from now on is of no consequence. */
  isUnderWay = false;
  #isPatient = false;
  readonly #options: ProcessEndOptions;
  readonly #threads: EndingThread[] = [];

  constructor(options: ProcessEndOptions) {
    this.#options = options;
  }

  /** A thread that was just started. */
  add(thread: EndingThread): void {
    this.#threads.push(thread);
  }

  /**
   * Ends the process with `code`; what is called first counts. `isStarting`: it has not sent or
   * accepted anything, and its threads may be long in their starts; who calls again without it
   * does not want to wait for them.
   */
  end(code: number, isStarting = false): void {
    const { limits = LIMITS, startingLimits = STARTING_LIMITS } = this.#options;
    if (this.isUnderWay) {
      if (this.#isPatient && !isStarting) void this.#endWithin(limits);
      return;
    }
    this.#isPatient = isStarting;
    void this.#endWithin(isStarting ? startingLimits : limits).then(() => this.#options.exit(code));
  }

  /** Resolves when no thread is left. If one does not go, the process is killed. */
  async endThreads(): Promise<void> {
    await this.#endWithin(this.#options.limits ?? LIMITS);
  }

  async #endWithin({ loadMs, closeMs, terminateMs }: EndLimits): Promise<void> {
    this.isUnderWay = true;
    await this.#inTime("load", loadMs, () => this.#loaded());
    await this.#inTime("close", closeMs, () => this.#closed());
    await this.#inTime("end", terminateMs, () =>
      Promise.all(this.#threads.map(({ worker }) => worker.terminate())),
    );
  }

  async #loaded(): Promise<void> {
    const isLoading = ({ worker, index }: EndingThread): boolean =>
      !isGone(worker) && !hasLoaded(this.#options.bells, index);
    while (this.#threads.some(isLoading)) {
      await sleep(LOOK_MS);
    }
  }

  #closed(): Promise<unknown> {
    return Promise.all(this.#threads.map((thread) => this.#close(thread)));
  }

  /** Resolves when the thread has closed what it must, or may go without. */
  async #close({ worker, entry }: EndingThread): Promise<void> {
    const how = CLOSES[entry];
    if (how === "no" || isGone(worker)) return;
    const closed = noteOf(worker, "closed").catch(() => null);
    worker.postMessage({ kind: "close" } satisfies ThreadCommand);
    await (how === "always" ? closed : Promise.race([closed, sleep(HANGING_MS)]));
  }

  async #inTime(step: string, limitMs: number, run: () => Promise<unknown>): Promise<void> {
    const timer = setTimeout(() => {
      this.#options.log.write("error", "end", { cause: `threads do not ${step}: SIGKILL` });
      this.#options.kill();
    }, limitMs);
    await run();
    clearTimeout(timer);
  }
}

/** A thread that has ended has the number -1. */
function isGone(worker: Worker): boolean {
  return worker.threadId === -1;
}
