/**
 * Reads single ACCEPT records by log offset.
 *
 *   chunk   start ...... end      log offsets; below the committed offset when it was read
 *
 * Waiting messages are read in about the order they were accepted in, one order per queue: a few
 * chunks keep the neighbours at hand. Blocks are not checked here; the record is, and its reader
 * checks the key. What the log does not have any more is asked for among the moved bodies. One
 * thread per instance.
 */
import { ACCEPT_TYPE, acceptIsConsistent } from "../records/accept.ts";
import { recordMemory, type RecordMemory } from "../records/memory.ts";
import { RECORD_VERSION } from "../records/types.ts";
import {
  alignRecord,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH_OFFSET,
  RECORD_TYPE_OFFSET,
  RECORD_VERSION_OFFSET,
} from "../ring/layout.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import type { LogDirectory } from "./log-directory.ts";
import type { MovedBodies, RecordLoader } from "./log-reading.ts";
import { SegmentFiles } from "./segments.ts";

const CHUNK_BYTES = 256 * 1024;
const CHUNK_COUNT = 4;
const FILES_MAX = 4;
/** Chunks start at a multiple of it in their file. */
const READ_ALIGNMENT = 4096;
const CHUNK_BYTES_MIN = READ_ALIGNMENT + RECORD_BYTES_MAX;
const NOT_HERE = -1;

class Chunk {
  readonly memory: RecordMemory;
  /** At first it holds no offset. */
  start: number = Number.POSITIVE_INFINITY;
  end: number = Number.NEGATIVE_INFINITY;
  usedAt = 0;

  constructor(bytes: number) {
    this.memory = recordMemory(new Uint8Array(bytes));
  }

  /** Offset in memory of the record at `logOffset` if all of it is here, or NOT_HERE. */
  find(logOffset: number): number {
    if (logOffset < this.start || logOffset + RECORD_HEADER_BYTES > this.end) return NOT_HERE;
    const at = (logOffset - this.start) | 0;
    const lengthBytes = this.memory.view.getUint32(at + RECORD_LENGTH_OFFSET, true);
    return logOffset + alignRecord(lengthBytes) <= this.end ? at : NOT_HERE;
  }
}

export class ChunkedRecordLoader implements RecordLoader {
  readonly #table: LogTable;
  readonly #files: SegmentFiles;
  readonly #chunks: readonly Chunk[];
  readonly #moved: MovedBodies | null;
  readonly #movedChunk = new Chunk(RECORD_BYTES_MAX);
  #last: Chunk;
  #uses = 0;

  /** `chunkBytes` (≥ 12288) are read at a time. `moved` null: nothing ever leaves the log. */
  constructor(
    directory: LogDirectory,
    table: LogTable,
    moved: MovedBodies | null,
    chunkBytes: number = CHUNK_BYTES,
  ) {
    this.#moved = moved;
    if (chunkBytes < CHUNK_BYTES_MIN) throw new RangeError("a chunk holds no longest record");
    this.#table = table;
    this.#files = new SegmentFiles(directory, FILES_MAX);
    this.#chunks = Array.from({ length: CHUNK_COUNT }, () => new Chunk(chunkBytes));
    this.#last = this.#chunks[0] as Chunk;
  }

  get memory(): RecordMemory {
    return this.#last.memory;
  }

  /**
   * Offset in `memory` of the ACCEPT at `logOffset`; -1 if its segment is gone and it was not
   * moved, it is not committed, or there is no consistent ACCEPT. Throws what the files throw,
   * except for a missing one.
   */
  load(logOffset: number): number {
    this.#uses++;
    let at = this.#last.find(logOffset);
    for (let i = 0; at === NOT_HERE && i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] as Chunk;
      at = chunk.find(logOffset);
      if (at !== NOT_HERE) this.#last = chunk;
    }
    if (at === NOT_HERE) at = this.#read(logOffset);
    if (at === NOT_HERE) at = this.#findMoved(logOffset);
    if (at === NOT_HERE) return -1;
    this.#last.usedAt = this.#uses;
    return isAccept(this.#last.memory, at) ? at : -1;
  }

  /**
   * Closes files that were removed meanwhile: open ones take disk space. To be called now and then.
   */
  closeRemoved(): void {
    this.#files.closeBelow(this.#table.load(LogWord.OLDEST));
  }

  close(): void {
    this.#files.close();
  }

  #read(logOffset: number): number {
    const committed = this.#table.load(LogWord.COMMITTED);
    const oldest = this.#table.load(LogWord.OLDEST);
    this.#files.closeBelow(oldest);
    if (!(logOffset >= oldest && logOffset < committed) || logOffset % 8 !== 0) return NOT_HERE;
    let segment = this.#files.locate(logOffset, false);
    // A listing without a later segment may be too old to know the one that is meant.
    if (segment === null || segment.end === Number.POSITIVE_INFINITY) {
      segment = this.#files.locate(logOffset, true);
    }
    if (segment === null) return NOT_HERE;
    const chunk = this.#chunkFor(logOffset);
    const { bytes } = chunk.memory;
    const start = logOffset - ((logOffset - segment.start) % READ_ALIGNMENT);
    const length = Math.min(bytes.length, Math.min(committed, segment.end) - start);
    chunk.start = start;
    chunk.end = start;
    chunk.end += segment.file.read(bytes, 0, length, start - segment.start);
    if (logOffset < this.#table.load(LogWord.OLDEST)) {
      // Released meanwhile, perhaps cut while it was read: those bytes need not be its own.
      chunk.end = chunk.start;
      return NOT_HERE;
    }
    this.#last = chunk;
    return chunk.find(logOffset);
  }

  #findMoved(logOffset: number): number {
    if (this.#moved === null || logOffset >= this.#table.load(LogWord.OLDEST)) return NOT_HERE;
    const found = this.#moved.find(logOffset);
    if (found === undefined || found.length > RECORD_BYTES_MAX) return NOT_HERE;
    this.#movedChunk.memory.bytes.set(found);
    this.#last = this.#movedChunk;
    return 0;
  }

  /**
   * The chunk to read into: the one that ends near `logOffset` and is being outgrown, or the least
   * used.
   */
  #chunkFor(logOffset: number): Chunk {
    let chosen = this.#chunks[0] as Chunk;
    for (const chunk of this.#chunks) {
      if (logOffset >= chunk.start && logOffset <= chunk.end + RECORD_BYTES_MAX) return chunk;
      if (chunk.usedAt < chosen.usedAt) chosen = chunk;
    }
    return chosen;
  }
}

function isAccept(memory: RecordMemory, at: number): boolean {
  const { view } = memory;
  const lengthBytes = view.getUint32(at + RECORD_LENGTH_OFFSET, true);
  if (lengthBytes > RECORD_BYTES_MAX) return false;
  if (view.getUint8(at + RECORD_TYPE_OFFSET) !== ACCEPT_TYPE) return false;
  if (view.getUint8(at + RECORD_VERSION_OFFSET) > RECORD_VERSION) return false;
  return acceptIsConsistent(memory, at, lengthBytes);
}
