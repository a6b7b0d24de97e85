/**
 * What readers of the log are given: whole committed blocks in order, or one record at a known
 * offset.
 */
import type { RecordMemory } from "../records/memory.ts";

export interface RecordVisitor {
  /** One record; `memory` is valid during the call only. */
  onRecord(
    type: number,
    memory: RecordMemory,
    offset: number,
    lengthBytes: number,
    logOffset: number,
  ): void;
}

/** Reads the log front to back, never past the committed offset. */
export interface LogTailer {
  /** Log offset behind the last visited block: where a new tailer would go on. */
  readonly position: number;
  /**
   * Visits whole committed blocks until about `bytesMax` bytes are read; returns the number of
   * records.
   */
  poll(visitor: RecordVisitor, bytesMax: number): number;
}

/** Bodies that were moved out of the log before their segment went. */
export interface MovedBodies {
  /**
   * The ACCEPT that stood at `logOffset`, whole, valid until the next call; undefined if it was
   * never moved, or nobody wants it any more.
   */
  find(logOffset: number): Uint8Array | undefined;
}

/** Reads single ACCEPT records by log offset, in chunks: neighbours come from memory. */
export interface RecordLoader {
  /** Memory of the last loaded record; valid until the next `load`. */
  readonly memory: RecordMemory;
  /** Offset in `memory` of the ACCEPT at `logOffset`, or -1 if it cannot be had or is not one. */
  load(logOffset: number): number;
}
