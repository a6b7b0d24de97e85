/**
 * Reads the log front to back, block by block, for the ledger.
 *
 *   position ─► block ─► block ─► … ─► committed     zeros at a segment's end lead to the next one
 *
 * Every block is checked: below the committed offset anything but an intact block is corruption.
 * One thread per instance.
 */
import { LogWord, type LogTable } from "../tables/log-table.ts";
import { Block, BLOCK_FLAG_SKIPPED, BLOCK_NEWER, BLOCK_NONE, visitRecords } from "./block.ts";
import { BlockReader } from "./block-reader.ts";
import { LogCorruptionError } from "./errors.ts";
import type { LogDirectory } from "./log-directory.ts";
import type { LogTailer, RecordVisitor } from "./log-reading.ts";
import { segmentName, SegmentFiles, type LocatedSegment } from "./segments.ts";

/** Bytes read at a time unless the owner says otherwise. */
export const TAILER_WINDOW_BYTES = 1024 * 1024;

export class BlockTailer implements LogTailer {
  readonly #table: LogTable;
  readonly #files: SegmentFiles;
  readonly #reader: BlockReader;
  #segment: LocatedSegment | null = null;
  /** Not a number at first: so V8 keeps a log offset as a float from the start, as any will be. */
  #position: number = Number.NaN;
  /** Number of the next block, or -1 while none was read. */
  #number = -1;

  /**
   * Starts at log offset `position`: the start of a block, the end of the last one, or the end of
   * its segment.
   */
  constructor(
    directory: LogDirectory,
    table: LogTable,
    position: number,
    windowBytes: number = TAILER_WINDOW_BYTES,
  ) {
    this.#table = table;
    this.#files = new SegmentFiles(directory, 1);
    this.#reader = new BlockReader(windowBytes);
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  /**
   * Visits whole committed blocks until about `bytesMax` bytes are read; returns the number of
   * records. Throws LogCorruptionError, and what the files throw.
   */
  poll(visitor: RecordVisitor, bytesMax: number): number {
    const committed = this.#table.load(LogWord.COMMITTED);
    let count = 0;
    let bytes = 0;
    while (this.#position < committed && bytes < bytesMax) {
      const segment = this.#segmentAt(this.#position);
      const limit = Math.min(committed, segment.end);
      const length = this.#reader.read(segment.file, segment.start, this.#position, limit);
      if (length === BLOCK_NONE) {
        this.#position = this.#nextSegmentStart(segment, committed);
        continue;
      }
      if (length < 0) this.#fail(length === BLOCK_NEWER ? "newer version" : "checksum or header");
      count += this.#visit(length, visitor);
      this.#position += length;
      bytes += length;
    }
    return count;
  }

  close(): void {
    this.#files.close();
    this.#segment = null;
  }

  #visit(length: number, visitor: RecordVisitor): number {
    const reader = this.#reader;
    const number = reader.field(Block.NUMBER);
    const skips = (reader.flags & BLOCK_FLAG_SKIPPED) !== 0 && number > this.#number;
    if (this.#number >= 0 && number !== this.#number && !skips) this.#fail("blocks are missing");
    const count = visitRecords(reader.memory, reader.at, length, this.#position, visitor);
    if (count < 0) this.#fail("records do not add up");
    this.#number = number + 1;
    return count;
  }

  #segmentAt(offset: number): LocatedSegment {
    const known = this.#segment;
    if (known !== null && offset < known.end) return known;
    const found = this.#files.locate(offset, known === null) ?? this.#files.locate(offset, true);
    if (found === null) this.#fail("segment is missing");
    this.#segment = found;
    return found;
  }

  /** Start of the segment behind `segment`, in which no block is left to read. */
  #nextSegmentStart(segment: LocatedSegment, committed: number): number {
    let { end } = segment;
    if (end === Number.POSITIVE_INFINITY) {
      // By the position: a segment that is full to its last byte may have been removed.
      const found = this.#files.locate(this.#position, true) ?? segment;
      this.#segment = found;
      end = found.start > segment.start ? found.start : found.end;
    }
    if (end === Number.POSITIVE_INFINITY) {
      // Without a next segment the log can only stand at the very end of this one.
      end = segment.start + segment.file.sizeBytes();
      if (end !== committed) this.#fail("block is missing");
    }
    if (end > committed || end < this.#position) this.#fail("block is missing");
    return end;
  }

  #fail(reason: string): never {
    throw new LogCorruptionError(segmentName(this.#segment?.start ?? 0), this.#position, reason);
  }
}
