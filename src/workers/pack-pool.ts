/**
 * The pool of threads for work with an end: compression of CDR files. The only file that imports
 * piscina.
 */
import { Piscina } from "piscina";
import type { CdrManifest } from "../sink/cdr-files.ts";
import type { PackRequest } from "./pack-task.ts";

/** Files are made one after the other, so that their rows leave the store in order. */
const THREADS = 1;
/** Lines of rows are garbage at once: a small space is as good as a large one. */
const YOUNG_GENERATION_MIB = 4;

export class PackPool {
  readonly #pool = new Piscina<PackRequest, CdrManifest>({
    filename: new URL("./pack-task.js", import.meta.url).href,
    name: "pack",
    // Its loop must turn between tasks, or the last read of the ledger's store stays open.
    atomics: "disabled",
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    // None before the first cut: a process that ends while a thread loads its modules aborts.
    minThreads: 0,
    idleTimeout: Number.POSITIVE_INFINITY,
    maxThreads: THREADS,
    // Compression gives way to what messages wait for.
    niceIncrement: 5,
  });

  /** Makes the file of a cut; rejects with what went wrong in the pool. */
  async pack(request: PackRequest): Promise<CdrManifest> {
    return await this.#pool.run(request);
  }
}
