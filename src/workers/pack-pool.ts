/**
 * The pool of threads for work with an end: compression of CDR files. The only file that imports
 * piscina.
 *
 *   calm       Niceness.PACK: takes what the traffic leaves over
 *   pressing   Niceness.SINK, as the thread that starts it: for files that pile up
 *
 * A thread may give way to others by itself, but only a privileged process may take that back: so
 * each way has a thread of its own, made when it is first needed.
 */
import { Piscina } from "piscina";
import type { CdrManifest } from "../sink/cdr-files.ts";
import type { PackRequest } from "./pack-task.ts";
import { hasLoaded } from "./thread-cpu.ts";

/** There is little garbage: a small space is as good as a large one. */
const YOUNG_GENERATION_MIB = 4;
const LOOK_MS = 5;

/** What a thread of the pool is given at its start. */
export interface PackThreadData {
  readonly bells: Int32Array;
  /** Its index in the thread table. */
  readonly index: number;
  /** Whether it gives way to all other threads. */
  readonly isCalm: boolean;
}

/** Indices in the thread table of the pool's two threads. */
export interface PackIndices {
  readonly calm: number;
  readonly pressing: number;
}

export class PackPool {
  readonly #calm: PackThread;
  readonly #pressing: PackThread;

  constructor(bells: Int32Array, indices: PackIndices) {
    this.#calm = new PackThread({ bells, index: indices.calm, isCalm: true });
    this.#pressing = new PackThread({ bells, index: indices.pressing, isCalm: false });
  }

  /**
   * Makes the file of a cut, at the lowest priority unless it `isPressing`; rejects with what went
   * wrong in the pool. One at a time, so that rows leave the store in order.
   */
  async pack(request: PackRequest, isPressing: boolean): Promise<CdrManifest> {
    return await (isPressing ? this.#pressing : this.#calm).pack(request);
  }

  /**
   * Resolves when its threads may be ended with the process: none that is loading its modules, or
   * Node aborts. No further cut may be packed.
   */
  async settle(): Promise<void> {
    await this.#calm.settle();
    await this.#pressing.settle();
  }
}

/** A pool of one thread, of one priority. */
class PackThread {
  readonly #pool: Piscina<PackRequest, CdrManifest>;
  readonly #data: PackThreadData;

  constructor(data: PackThreadData) {
    this.#data = data;
    this.#pool = new Piscina<PackRequest, CdrManifest>({
      filename: new URL("./pack-task.js", import.meta.url).href,
      name: "pack",
      workerData: data,
      // Its loop must turn between tasks, or the last read of the ledger's store stays open.
      atomics: "disabled",
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
      // None before the first cut: many gateways never make one.
      minThreads: 0,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxThreads: 1,
    });
  }

  async pack(request: PackRequest): Promise<CdrManifest> {
    return await this.#pool.run(request);
  }

  async settle(): Promise<void> {
    const { bells, index } = this.#data;
    while (this.#pool.threads.length > 0 && !hasLoaded(bells, index)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
