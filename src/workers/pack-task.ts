/**
 * Entry of the pool's threads: makes the file of one cut of CDR rows.
 *
 * Reads the rows from the ledger's store by itself, so that they pass through no other thread.
 */
import { LmdbCdrReader } from "../ledger/lmdb-store.ts";
import type { CdrManifest } from "../sink/cdr-files.ts";
import { packCut, type PackTask } from "../sink/cdr-pack.ts";

export interface PackRequest extends PackTask {
  /** Path of the ledger's store. */
  readonly store: string;
  /** `ledger.bytes_max`. */
  readonly bytesMax: number;
}

let reader: LmdbCdrReader | null = null;

/** The pool calls the default export of its entry by this name. */
export async function pack({ store, bytesMax, ...task }: PackRequest): Promise<CdrManifest> {
  reader ??= new LmdbCdrReader(store, bytesMax);
  return await packCut(task, reader.chunks(task.cut.from, task.cut.until));
}
