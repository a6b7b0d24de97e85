/**
 * The end of a simulated process by SIGTERM, in the steps of src/main.ts.
 *
 *   ingress: calls answered ─► workers: windows empty or cut ─► ledger: all flushed ─► over
 *
 * Each step starts on its threads, which look themselves, between two turns, whether they are done;
 * the main thread asks now and then. A drain that takes too long is given up: then the log has what
 * was promised.
 */
import type { Ingress } from "../../src/ingress/ingress.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { SmppWorker } from "../../src/smpp/worker.ts";
import { type LogTable, LogWord } from "../../src/tables/log-table.ts";
import type { SeededRandom } from "./random.ts";
import { type Scheduler, WORLD } from "./scheduler.ts";

/** What there is to drain, each in the order of its threads. */
export interface DrainParts {
  readonly ingresses: readonly Ingress[];
  readonly workers: readonly SmppWorker[];
  readonly ledger: Ledger;
  readonly logTable: LogTable;
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly nowMs: () => number;
  /** The listeners close: what they have not answered now gets no answer. */
  readonly onClosed: () => void;
}

interface Drainable {
  isDrained(): boolean;
}

type Step = "ingress" | "workers" | "ledger" | "drained" | "late";

const DRAIN_MS_MAX = 30_000;
const LOOK_MS = 10;

export class Drain {
  step: Step = "ingress";
  readonly #parts: DrainParts;
  readonly #startedAtMs: number;
  readonly #windowsMs: number;
  /** Ingresses and workers that have seen themselves drained. */
  readonly #drained = new Set<Drainable>();
  #cutShortAtMs = Number.POSITIVE_INFINITY;

  constructor(parts: DrainParts) {
    const { ingresses, random, nowMs } = parts;
    this.#parts = parts;
    this.#startedAtMs = nowMs();
    this.#windowsMs = random.pick([200, 2000, 20_000]);
    for (const [thread, ingress] of ingresses.entries()) this.#tell(thread, () => ingress.drain());
  }

  /** Looks whether the step under way is done, and starts the next; the main thread's timer. */
  look(): void {
    const { ingresses, workers, ledger, logTable, nowMs } = this.#parts;
    const firstWorker = ingresses.length + 1;
    if (nowMs() - this.#startedAtMs > DRAIN_MS_MAX && this.step !== "drained") this.step = "late";
    if (this.step === "ingress" && this.#areDrained(ingresses, 0)) {
      this.step = "workers";
      this.#parts.onClosed();
      this.#cutShortAtMs = nowMs() + this.#windowsMs;
      for (const [i, worker] of workers.entries()) {
        this.#tell(firstWorker + i, () => worker.drain());
      }
    } else if (this.step === "workers" && this.#areDrained(workers, firstWorker)) {
      this.step = "ledger";
    } else if (this.step === "workers" && nowMs() > this.#cutShortAtMs) {
      this.#cutShortAtMs = Number.POSITIVE_INFINITY;
      for (const [i, worker] of workers.entries()) {
        this.#tell(firstWorker + i, () => worker.cutShort());
      }
    } else if (this.step === "ledger") {
      const committed = logTable.load(LogWord.COMMITTED);
      if (logTable.load(LogWord.LEDGER_FLUSHED) >= committed) this.step = "drained";
      else this.#tell(ingresses.length, () => ledger.requestFlush());
    }
  }

  /** Whether the process ends now. */
  get isOver(): boolean {
    return this.step === "drained" || this.step === "late";
  }

  /** Has each look on its thread, from `firstThread` on; whether all have seen that they are. */
  #areDrained(parts: readonly Drainable[], firstThread: number): boolean {
    for (const [i, part] of parts.entries()) {
      if (this.#drained.has(part)) continue;
      this.#parts.scheduler.after(0, firstThread + i, () => {
        if (part.isDrained()) this.#drained.add(part);
      });
    }
    return parts.every((part) => this.#drained.has(part));
  }

  #tell(thread: number, run: () => void): void {
    this.#parts.scheduler.after(this.#parts.random.float(0.01, 20), thread, run);
  }
}

/** Looks at a drain until it is over or its process has died, which `isAlive` tells. */
export function watchDrain(
  drain: Drain,
  scheduler: Scheduler,
  isAlive: () => boolean,
  onOver: (step: Step) => void,
): void {
  scheduler.after(LOOK_MS, WORLD, () => {
    if (!isAlive()) return;
    drain.look();
    if (drain.isOver) onOver(drain.step);
    else watchDrain(drain, scheduler, isAlive, onOver);
  });
}
