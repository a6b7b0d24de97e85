/**
 * Entry of the pool's threads: makes the file of one cut of CDR rows.
 *
 *   chunks ─► a millisecond of packing ─► rest ─► a millisecond of packing ─► rest ─► ...
 *
 * Reads the rows from the ledger's store by itself, so that they pass through no other thread. Half
 * a second of packing at once would be half a second in which others wait for their CPU, whatever
 * the priorities: a scheduler lets who runs run for milliseconds.
 */
import { workerData } from "node:worker_threads";
import { LmdbCdrReader } from "../ledger/store/lmdb-store.ts";
import type { CdrManifest } from "../sink/cdr-files.ts";
import { type CdrChunk, packCut, type PackTask } from "../sink/cdr-pack.ts";
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
  /** Whether somebody waits for the file: then it is made without rests. */
  readonly isUrgent: boolean;
}

/** Of rows as the ledger keeps them: about a millisecond of packing. */
const BYTES_BETWEEN_RESTS = 128 * 1024;
const REST_MS = 2;

const { bells, index } = workerData as PackThreadData;
/** Nobody wakes this thread from a rest. */
const restWord = new Int32Array(new SharedArrayBuffer(4));
let reader: LmdbCdrReader | null = null;

/** The pool calls the default export of its entry by this name. */
export async function pack(request: PackRequest): Promise<CdrManifest> {
  const { store, bytesMax, syncs, isUrgent, ...task } = request;
  reader ??= openReader(store, bytesMax, syncs);
  const chunks = untilStopped(reader.chunks(task.cut.from, task.cut.until));
  return await packCut(task, isUrgent ? chunks : withRests(chunks));
}

/** Throws between two chunks once the process ends: the rows are still there at the next start. */
function* untilStopped(chunks: Iterable<CdrChunk>): Generator<CdrChunk> {
  for (const chunk of chunks) {
    if (Atomics.load(bells, stopIndex(index)) === 1) throw new Error("the process ends");
    yield chunk;
  }
}

function* withRests(chunks: Iterable<CdrChunk>): Generator<CdrChunk> {
  let bytes = 0;
  for (const chunk of chunks) {
    if (bytes >= BYTES_BETWEEN_RESTS) {
      bytes = 0;
      Atomics.wait(restWord, 0, 0, REST_MS);
    }
    bytes += chunk.bytes.length;
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
