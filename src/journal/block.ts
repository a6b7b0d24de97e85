/**
 * Commit blocks: what one commit writes, and the only thing a reader trusts, because of its
 * checksum.
 *
 *    0 magic "SGJ1" u32      4 length u32 (header included, multiple of 8)
 *    8 number f64           16 log offset of this block f64
 *   24 synced offset known when it was written f64
 *   32 written at f64 (wall ms)   40 epoch u32   44 version u16   46 flags u16   48 reserved
 *   60 CRC-32 u32 of bytes [0, 60) and [64, length)
 *   64 runs, back to back:  length u32 (these 8 bytes included) | appender u8 | 0 u8 ×3 | records
 *
 * Little-endian. The journal builds blocks; recovery, the tailer and the command line check and
 * walk them. Nothing here throws.
 */
import { crc32 } from "node:zlib";
import {
  alignRecord,
  PADDING_TYPE,
  RECORD_BYTES_MAX,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH_OFFSET,
  RECORD_TYPE_OFFSET,
} from "../ring/layout.ts";
import { copyBytes, recordMemory, type RecordMemory } from "../records/memory.ts";
import type { RecordVisitor } from "./log-reading.ts";

/** Offsets from the block's start. */
export const Block = {
  MAGIC: 0,
  LENGTH: 4,
  NUMBER: 8,
  OFFSET: 16,
  SYNCED: 24,
  WRITTEN_AT: 32,
  EPOCH: 40,
  VERSION: 44,
  FLAGS: 46,
  RESERVED: 48,
  CRC: 60,
} as const;

/** "SGJ1" as its bytes stand in the file. */
export const BLOCK_MAGIC = 0x314a4753;
export const BLOCK_VERSION = 1;
export const BLOCK_HEADER_BYTES = 64;
export const RUN_HEADER_BYTES = 8;

/** Flag: published before it was synced (`durability: process`). */
export const BLOCK_FLAG_UNSYNCED = 1;
/** Flag: stands for blocks that were given up; it has no runs, and its number may be ahead. */
export const BLOCK_FLAG_SKIPPED = 2;

/** Any record, alone in a block, fits into this. */
export const BLOCK_BYTES_MIN = BLOCK_HEADER_BYTES + RUN_HEADER_BYTES + RECORD_BYTES_MAX;

/** `checkBlock`: nothing but zeros, or too little room for a header: no block here. */
export const BLOCK_NONE = -1;
/** `checkBlock`: not a block, or one that was changed. */
export const BLOCK_DAMAGED = -2;
/** `checkBlock`: it may be one, but not all of it is in memory. */
export const BLOCK_PARTIAL = -3;
/** `checkBlock`: intact, but of a version this program does not know. */
export const BLOCK_NEWER = -4;

/** `visitRecords`: runs and records do not add up to the block. */
export const RECORDS_INCONSISTENT = -1;

/** What a header says beyond its length. */
export interface BlockStamp {
  number: number;
  offset: number;
  synced: number;
  writtenAt: number;
  epoch: number;
  flags: number;
}

/** Gathers runs into one preallocated block. One thread. */
export class BlockBuilder {
  readonly bytes: Uint8Array;
  readonly #memory: RecordMemory;
  readonly #checkedHeader: Uint8Array;
  #length = BLOCK_HEADER_BYTES;

  /** `bytesMax` is the longest block, ≥ BLOCK_BYTES_MIN. */
  constructor(bytesMax: number) {
    if (!(bytesMax >= BLOCK_BYTES_MIN)) {
      throw new RangeError(`a block of ${bytesMax} bytes holds no record of the largest size`);
    }
    this.bytes = new Uint8Array(bytesMax);
    this.#memory = recordMemory(this.bytes);
    this.#checkedHeader = this.bytes.subarray(0, Block.CRC);
  }

  /** Length so far, header included, in bytes. */
  get length(): number {
    return this.#length;
  }

  /** Forgets all runs. */
  clear(): void {
    this.#length = BLOCK_HEADER_BYTES;
  }

  /**
   * Appends `length` bytes of whole records as a run of `appender`. Returns where the first record
   * stands in the block. The caller has made sure of the room.
   */
  appendRun(appender: number, from: Uint8Array, fromOffset: number, length: number): number {
    const { view } = this.#memory;
    const at = this.#length;
    view.setUint32(at, RUN_HEADER_BYTES + length, true);
    view.setUint32(at + 4, appender, true);
    copyBytes(from, fromOffset, this.bytes, at + RUN_HEADER_BYTES, length);
    this.#length = at + RUN_HEADER_BYTES + length;
    return at + RUN_HEADER_BYTES;
  }

  /** Writes header and checksum. Returns the block's length in bytes. */
  seal(stamp: Readonly<BlockStamp>): number {
    const { view } = this.#memory;
    const length = this.#length;
    writeHeader(view, length, stamp);
    view.setUint32(Block.CRC, this.#checksum(length), true);
    return length;
  }

  #checksum(length: number): number {
    const ofHeader = crc32(this.#checkedHeader);
    return crc32(this.bytes.subarray(BLOCK_HEADER_BYTES, length), ofHeader);
  }
}

/**
 * Makes all of `block`, whose bytes beyond a header's stay as they are, one skipped block.
 * `bytes.length` is a multiple of 8.
 */
export function sealSkipped(block: RecordMemory, stamp: Readonly<BlockStamp>): void {
  writeHeader(block.view, block.bytes.length, {
    ...stamp,
    flags: stamp.flags | BLOCK_FLAG_SKIPPED,
  });
  const ofHeader = crc32(block.bytes.subarray(0, Block.CRC));
  block.view.setUint32(Block.CRC, crc32(block.bytes.subarray(BLOCK_HEADER_BYTES), ofHeader), true);
}

/**
 * Checks the bytes at `at`, of which `available` are in memory, as the block at `logOffset` that
 * may be up to `lengthMax` long. Returns its length, or one of the BLOCK_ sentinels.
 */
export function checkBlock(
  memory: RecordMemory,
  at: number,
  available: number,
  logOffset: number,
  lengthMax: number,
): number {
  if (available < BLOCK_HEADER_BYTES) return BLOCK_NONE;
  const { view } = memory;
  if (view.getUint32(at, true) !== BLOCK_MAGIC) {
    return headerIsZero(view, at) ? BLOCK_NONE : BLOCK_DAMAGED;
  }
  const length = view.getUint32(at + Block.LENGTH, true);
  if (length < BLOCK_HEADER_BYTES || length % 8 !== 0 || length > lengthMax) return BLOCK_DAMAGED;
  if (view.getFloat64(at + Block.OFFSET, true) !== logOffset) return BLOCK_DAMAGED;
  if (length > available) return BLOCK_PARTIAL;
  const ofHeader = crc32(memory.bytes.subarray(at, at + Block.CRC));
  const checksum = crc32(memory.bytes.subarray(at + BLOCK_HEADER_BYTES, at + length), ofHeader);
  if (checksum !== view.getUint32(at + Block.CRC, true)) return BLOCK_DAMAGED;
  if (view.getUint16(at + Block.VERSION, true) > BLOCK_VERSION) return BLOCK_NEWER;
  const synced = view.getFloat64(at + Block.SYNCED, true);
  return synced >= 0 && synced <= logOffset ? length : BLOCK_DAMAGED;
}

/**
 * Tells `visitor` of each record of a checked block, padding left out. Returns their number, or
 * RECORDS_INCONSISTENT; records before the inconsistency have been visited then.
 */
export function visitRecords(
  memory: RecordMemory,
  at: number,
  length: number,
  logOffset: number,
  visitor: RecordVisitor,
): number {
  const { view } = memory;
  const end = at + length;
  if ((view.getUint16(at + Block.FLAGS, true) & BLOCK_FLAG_SKIPPED) !== 0) return 0;
  const toLog = logOffset - at;
  let count = 0;
  for (let run = at + BLOCK_HEADER_BYTES; run < end; ) {
    const runLength = view.getUint32(run, true);
    const runEnd = run + runLength;
    if (runLength < RUN_HEADER_BYTES || runEnd > end) return RECORDS_INCONSISTENT;
    for (let record = run + RUN_HEADER_BYTES; record < runEnd; ) {
      if (record + RECORD_HEADER_BYTES > runEnd) return RECORDS_INCONSISTENT;
      const lengthBytes = view.getUint32(record + RECORD_LENGTH_OFFSET, true);
      const type = view.getUint8(record + RECORD_TYPE_OFFSET);
      const next = record + alignRecord(lengthBytes);
      if (lengthBytes < RECORD_HEADER_BYTES || lengthBytes > RECORD_BYTES_MAX || next > runEnd) {
        return RECORDS_INCONSISTENT;
      }
      if (type !== PADDING_TYPE) {
        visitor.onRecord(type, memory, record, lengthBytes, toLog + record);
        count++;
      }
      record = next;
    }
    run = runEnd;
  }
  return count;
}

/** Writes all of a header but the checksum and the reserved bytes. */
function writeHeader(view: DataView, length: number, stamp: Readonly<BlockStamp>): void {
  view.setUint32(Block.MAGIC, BLOCK_MAGIC, true);
  view.setUint32(Block.LENGTH, length, true);
  view.setFloat64(Block.NUMBER, stamp.number, true);
  view.setFloat64(Block.OFFSET, stamp.offset, true);
  view.setFloat64(Block.SYNCED, stamp.synced, true);
  view.setFloat64(Block.WRITTEN_AT, stamp.writtenAt, true);
  view.setUint32(Block.EPOCH, stamp.epoch, true);
  view.setUint16(Block.VERSION, BLOCK_VERSION, true);
  view.setUint16(Block.FLAGS, stamp.flags, true);
}

function headerIsZero(view: DataView, at: number): boolean {
  for (let i = 0; i < BLOCK_HEADER_BYTES; i += 4) {
    if (view.getUint32(at + i, true) !== 0) return false;
  }
  return true;
}
