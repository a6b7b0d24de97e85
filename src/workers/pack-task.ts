/**
 * Entry of the pool's threads: makes the file of one cut of CDR rows.
 *
 *   chunks ─► a piece ─► rest ─► a piece ─► rest ─► ... ─► file
 *
 * Reads the rows from the ledger's store by itself, so that they pass through no other thread. It
 * rests as PackPace says, unless somebody waits for the file.
 */
import { workerData } from "node:worker_threads";
import { chunkRecordedAt } from "../ledger/cdr/cdr-format.ts";
import { LmdbCdrReader } from "../ledger/store/lmdb-store.ts";
import type { CdrManifest } from "../sink/cdr-files.ts";
import { type CdrChunk, packCut, type PackTask } from "../sink/cdr-pack.ts";
import { PackPace } from "../sink/pack-pace.ts";
import { stopIndex } from "../tables/thread-table.ts";
import type { PackThreadData } from "./pack-pool.ts";
import { leaveSystemId } from "./thread-cpu.ts";

export interface PackRequest extends PackTask {
  /** Path of the ledger's store. */
  readonly store: string;
  /** `ledger.bytes_max`. */
  readonly bytesMax: number;
  /** Whether the store was opened so. */
  readonly syncs: boolean;
}

const { bells, index, haste } = workerData as PackThreadData;
let reader: LmdbCdrReader | null = null;

/** The pool calls the default export of its entry by this name. */
export async function pack(request: PackRequest): Promise<CdrManifest> {
  const { store, bytesMax, syncs, ...task } = request;
  reader ??= openReader(store, bytesMax, syncs);
  const chunks = untilStopped(reader.chunks(task.cut.from, task.cut.until));
  return await packCut(task, withRests(chunks, new PackPace(performance.now(), task.cut.at)));
}

/** Throws between two chunks once the process ends: the rows are still there at the next start. */
function* untilStopped(chunks: Iterable<CdrChunk>): Generator<CdrChunk> {
  for (const chunk of chunks) {
    if (Atomics.load(bells, stopIndex(index)) === 1) throw new Error("the process ends");
    yield chunk;
  }
}

function* withRests(chunks: Iterable<CdrChunk>, pace: PackPace): Generator<CdrChunk> {
  for (const chunk of chunks) {
    const restMs = pace.restMs(performance.now(), chunkRecordedAt(chunk.bytes));
    if (restMs > 0) {
      // Returns at once while there is haste, and as soon as there is.
      Atomics.wait(haste, 0, 0, restMs);
      pace.resume(performance.now());
    }
    yield chunk;
  }
}

/** A thread that is ended within a call of LMDB aborts the process: so it counts as loading. */
function openReader(store: string, bytesMax: number, syncs: boolean): LmdbCdrReader {
  try {
    return new LmdbCdrReader(store, bytesMax, syncs);
  } finally {
    leaveSystemId(bells, index);
  }
}
