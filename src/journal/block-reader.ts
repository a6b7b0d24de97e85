/**
 * Reads blocks of one log through one window of memory.
 *
 *   windowStart ...... block ...... windowEnd      log offsets; a refill starts at the block
 *
 * What is below the limit a caller gives never changes, so a window stays good. It grows for a
 * block longer than itself. One thread per instance.
 */
import {
  Block,
  BLOCK_DAMAGED,
  BLOCK_HEADER_BYTES,
  BLOCK_NONE,
  BLOCK_PARTIAL,
  checkBlock,
} from "./block.ts";
import type { LogFile } from "./log-directory.ts";
import { recordMemory, type RecordMemory } from "../records/memory.ts";

export class BlockReader {
  /** The window; replaced when it grows. */
  memory: RecordMemory;
  /** Where the block of the last `read` stands in `memory`. */
  at = 0;
  /** Not a number: there is no window yet. */
  #windowStart: number = Number.NaN;
  #windowEnd: number = Number.NaN;

  constructor(windowBytes: number) {
    this.memory = recordMemory(new Uint8Array(windowBytes));
  }

  /**
   * Brings the block at log offset `offset` into memory and checks it. `file` is its segment, which
   * starts at `segmentStart`; nothing at or beyond `limit` is looked at. Returns its length or a
   * BLOCK_ sentinel, never BLOCK_PARTIAL. Throws what `file` throws.
   */
  read(file: LogFile, segmentStart: number, offset: number, limit: number): number {
    if (limit - offset < BLOCK_HEADER_BYTES) return BLOCK_NONE;
    const inWindow = offset >= this.#windowStart && offset + BLOCK_HEADER_BYTES <= this.#windowEnd;
    if (!inWindow) this.#refill(file, segmentStart, offset, limit);
    let found = this.#check(offset, limit);
    if (found !== BLOCK_PARTIAL) return found;
    const length = this.memory.view.getUint32(this.at + Block.LENGTH, true);
    if (length > this.memory.bytes.length) this.memory = recordMemory(new Uint8Array(length));
    this.#refill(file, segmentStart, offset, limit);
    found = this.#check(offset, limit);
    return found === BLOCK_PARTIAL ? BLOCK_DAMAGED : found;
  }

  /**
   * Field of the header of the block that `read` found; `field` is an offset of an f64 in `Block`.
   */
  field(field: number): number {
    return this.memory.view.getFloat64(this.at + field, true);
  }

  get epoch(): number {
    return this.memory.view.getUint32(this.at + Block.EPOCH, true);
  }

  get flags(): number {
    return this.memory.view.getUint16(this.at + Block.FLAGS, true);
  }

  #check(offset: number, limit: number): number {
    // An integer to V8, too, where the difference of two floats is none.
    this.at = (offset - this.#windowStart) | 0;
    const available = this.#windowEnd - offset;
    return checkBlock(this.memory, this.at, available, offset, limit - offset);
  }

  #refill(file: LogFile, segmentStart: number, offset: number, limit: number): void {
    const { bytes } = this.memory;
    const length = Math.min(bytes.length, limit - offset);
    this.#windowStart = offset;
    this.#windowEnd = offset;
    this.#windowEnd += file.read(bytes, 0, length, offset - segmentStart);
  }
}
