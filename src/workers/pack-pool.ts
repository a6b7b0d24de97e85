/**
 * The pool of threads for work with an end: compression of CDR files. The only file that imports
 * piscina.
 */
import { Piscina } from "piscina";
import type { CdrManifest } from "../sink/cdr-files.ts";
import type { PackRequest } from "./pack-task.ts";
import { hasLoaded } from "./thread-cpu.ts";

/** Files are made one after the other, so that their rows leave the store in order. */
const THREADS = 1;
/** Lines of rows are garbage at once: a small space is as good as a large one. */
const YOUNG_GENERATION_MIB = 4;
const LOOK_MS = 5;

/** What the pool's thread is given at its start. */
export interface PackThreadData {
  readonly bells: Int32Array;
  /** Its index in the thread table. */
  readonly index: number;
}

export class PackPool {
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
      maxThreads: THREADS,
      // Compression gives way to what messages wait for.
      niceIncrement: 5,
    });
  }

  /** Makes the file of a cut; rejects with what went wrong in the pool. */
  async pack(request: PackRequest): Promise<CdrManifest> {
    return await this.#pool.run(request);
  }

  /**
   * Resolves when its thread may be ended with the process: none that is loading its modules, or
   * Node aborts. No further cut may be packed.
   */
  async settle(): Promise<void> {
    const { bells, index } = this.#data;
    while (this.#pool.threads.length > 0 && !hasLoaded(bells, index)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
