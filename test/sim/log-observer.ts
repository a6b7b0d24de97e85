/**
 * Reads the journal off the simulated disk as docs/JOURNAL.md describes it, with a reader of its
 * own.
 *
 * It follows what is *safe*: the durable bytes after each sync (mode disk), or the written bytes
 * after each write (mode process). What it has seen once must never change or vanish before its
 * segment is removed: that is what a promise rests on. Records go to a visitor in log order.
 */
import { crc32 } from "node:zlib";
import type { SimulatedDisk, SimulatedInode } from "./simulated-directory.ts";

const BLOCK_HEADER_BYTES = 64;
const MAGIC = 0x314a4753;

export interface ObservedRecordVisitor {
  onRecord(type: number, view: DataView, offset: number, length: number, logOffset: number): void;
}

/** How far a file has been read. */
interface Cursor {
  readonly inode: SimulatedInode;
  /** Log offset of its first byte. */
  readonly first: number;
  position: number;
  /** Over the bytes of the inode as they lay last time. */
  view: DataView;
}

const LOG_NAME = /^log-([0-9a-f]{16})$/;

export class LogObserver {
  /** Log offset behind the last block that was seen safe. */
  safeEnd = 0;
  readonly #disk: SimulatedDisk;
  readonly #durable: boolean;
  readonly #visitor: ObservedRecordVisitor;
  readonly #cursors = new Map<string, Cursor>();
  #blocks = 0;
  #epoch = 0;

  /** `durable`: only synced bytes count (mode disk). */
  constructor(disk: SimulatedDisk, durable: boolean, visitor: ObservedRecordVisitor) {
    this.#disk = disk;
    this.#durable = durable;
    this.#visitor = visitor;
    const follow = (name: string, inode: SimulatedInode): void => this.#follow(name, inode);
    if (durable) disk.onSynced = follow;
    else disk.onWritten = follow;
  }

  get blocks(): number {
    return this.#blocks;
  }

  /** After a crash: what the disk holds now is what recovery will find. */
  rescan(): void {
    for (const name of [...this.#disk.names.keys()].sort()) {
      this.#follow(name, this.#disk.names.get(name) as SimulatedInode);
    }
  }

  #follow(name: string, inode: SimulatedInode): void {
    let cursor = this.#cursors.get(name);
    if (cursor === undefined || cursor.inode !== inode) {
      const match = LOG_NAME.exec(name);
      if (match === null) return;
      const first = Number.parseInt(match[1] as string, 16);
      cursor = { inode, first, position: 0, view: new DataView(new ArrayBuffer(0)) };
      this.#cursors.set(name, cursor);
    }
    const { first } = cursor;
    const bytes = this.#durable ? inode.durable : inode.current;
    const size = this.#durable ? inode.durableSize : inode.size;
    if (cursor.view.buffer !== bytes.buffer) cursor.view = new DataView(bytes.buffer);
    const { view } = cursor;
    for (;;) {
      const length = blockLength(bytes, view, cursor.position, size, first + cursor.position);
      if (length === 0) return;
      // A block of an earlier run behind one of a later run is what a cut left lying there.
      const epoch = view.getUint32(cursor.position + 40, true);
      if (epoch < this.#epoch && first + cursor.position >= this.safeEnd) return;
      this.#epoch = Math.max(this.#epoch, epoch);
      if (first + cursor.position >= this.safeEnd) {
        this.#visitBlock(view, cursor.position, length, first);
        this.safeEnd = first + cursor.position + length;
        this.#blocks++;
      }
      cursor.position += length;
    }
  }

  #visitBlock(view: DataView, block: number, length: number, first: number): void {
    let run = block + BLOCK_HEADER_BYTES;
    while (run + 8 <= block + length) {
      const runLength = view.getUint32(run, true);
      if (runLength === 0) return;
      const end = run + runLength;
      for (let at = run + 8; at < end; ) {
        const recordLength = view.getUint32(at, true);
        const type = view.getUint8(at + 4);
        if (type !== 0) this.#visitor.onRecord(type, view, at, recordLength, first + at);
        at += (recordLength + 7) & ~7;
      }
      run = end;
    }
  }
}

/** Length of the valid block at `position`, or 0. */
function blockLength(
  bytes: Uint8Array,
  view: DataView,
  position: number,
  size: number,
  logOffset: number,
): number {
  if (position + BLOCK_HEADER_BYTES > size) return 0;
  if (view.getUint32(position, true) !== MAGIC) return 0;
  const length = view.getUint32(position + 4, true);
  if (length < BLOCK_HEADER_BYTES || position + length > size) return 0;
  if (view.getFloat64(position + 16, true) !== logOffset) return 0;
  let checksum = crc32(bytes.subarray(position, position + 60));
  checksum = crc32(bytes.subarray(position + BLOCK_HEADER_BYTES, position + length), checksum);
  return checksum === view.getUint32(position + 60, true) ? length : 0;
}
