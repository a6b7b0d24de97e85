/**
 * The pool of threads for work with an end: compression of CDR files. The only file that imports
 * piscina.
 *
 * It has one thread, which is as far behind the others as the sink's that starts it.
 */
import { Piscina } from "piscina";
import type { CdrManifest } from "../sink/cdr-files.ts";
import type { PackRequest } from "./pack-task.ts";
import { stopIndex } from "../tables/thread-table.ts";
import { hasLoaded } from "./thread-cpu.ts";

/** There is little garbage: a small space is as good as a large one. */
const YOUNG_GENERATION_MIB = 4;
const LOOK_MS = 5;

/** What a thread of the pool is given at its start. */
export interface PackThreadData {
  readonly bells: Int32Array;
  /** Its index in the thread table. */
  readonly index: number;
  /** One word; 1: somebody waits for the files, 0: nobody. */
  readonly haste: Int32Array;
}

export class PackPool {
  readonly #pool: Piscina<PackRequest, CdrManifest>;
  readonly #data: PackThreadData;
  #running: Promise<unknown> = Promise.resolve();

  /** `index`: of its thread in the thread table. */
  constructor(bells: Int32Array, index: number) {
    this.#data = { bells, index, haste: new Int32Array(new SharedArrayBuffer(4)) };
    this.#pool = new Piscina<PackRequest, CdrManifest>({
      filename: new URL("./pack-task.js", import.meta.url).href,
      name: "pack",
      workerData: this.#data,
      // Its loop must turn between tasks, or the last read of the ledger's store stays open.
      atomics: "disabled",
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
      // None before the first cut: many gateways never make one.
      minThreads: 0,
      idleTimeout: Number.POSITIVE_INFINITY,
      maxThreads: 1,
    });
  }

  /**
   * Makes the file of a cut; rejects with what went wrong in the pool. One at a time, so that rows
   * leave the store in order.
   */
  async pack(request: PackRequest): Promise<CdrManifest> {
    const made = this.#pool.run(request);
    this.#running = made.catch(() => null);
    return await made;
  }

  /** While somebody waits for files they are made without rests, also the one that is begun. */
  hurry(isAwaited: boolean): void {
    const { haste } = this.#data;
    Atomics.store(haste, 0, Number(isAwaited));
    Atomics.notify(haste, 0);
  }

  /**
   * Resolves when its thread may be ended with the process: not while it loads its modules or reads
   * the ledger's store, or Node aborts. A file that is being made is given up. No further cut may
   * be packed.
   */
  async settle(): Promise<void> {
    const { bells, index } = this.#data;
    Atomics.store(bells, stopIndex(index), 1);
    await this.#running;
    while (this.#pool.threads.length > 0 && !hasLoaded(bells, index)) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}
