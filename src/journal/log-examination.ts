/**
 * Walks the log block by block and says where it ends, or where it is damaged and whether that can
 * be a torn tail.
 *
 *   block, block, block, zeros │ block, block, ✗ ............ block?      │ zeros
 *                              next segment    damage         intact: says what was synced
 *
 * Reads only; recovery and `smsgw journal` decide what follows. Any thread, while no journal
 * writes.
 */
import {
  Block,
  BLOCK_BYTES_MIN,
  BLOCK_DAMAGED,
  BLOCK_FLAG_SKIPPED,
  BLOCK_FLAG_UNSYNCED,
  BLOCK_MAGIC,
  BLOCK_NEWER,
  BLOCK_NONE,
  visitRecords,
} from "./block.ts";
import { BlockReader } from "./block-reader.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";
import type { RecordVisitor } from "./log-reading.ts";
import { listSegments, segmentName } from "./segments.ts";

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);

/** The first place where the log is not as it was written. */
export interface LogDamage {
  readonly segment: string;
  /** Log offset where an intact block should start. */
  readonly offset: number;
  readonly reason: string;
  /** Whether nothing at or behind it is known to have been synced: a crash explains it. */
  readonly torn: boolean;
  /** Bytes from `offset` to the last byte that is not zero; counted for a torn tail only. */
  readonly lostBytes: number;
  /** Log offset of the first intact block behind the damage, or -1. */
  readonly nextIntact: number;
}

export interface LogExamination {
  /** Start of the oldest segment. */
  readonly firstOffset: number;
  /** Behind the last intact block before the end or the damage. */
  readonly endOffset: number;
  /** Number that the next block will have. */
  readonly nextNumber: number;
  /** Highest epoch that was met, 0 if none. */
  readonly epochSeen: number;
  readonly blockCount: number;
  /** Whether the last intact block was published before it was synced (`durability: process`). */
  readonly unsynced: boolean;
  /** What the last intact block says was synced when it was written; 0 without a block. */
  readonly syncedOffset: number;
  readonly damage: LogDamage | null;
}

/** Is told of every intact block. */
export interface ExaminationVisitor extends RecordVisitor {
  onBlock(logOffset: number, lengthBytes: number, number: number, epoch: number): void;
}

const NO_VISITOR: ExaminationVisitor = { onBlock: () => {}, onRecord: () => {} };

/**
 * Examines the log from the segment of `cursor`, the ledger's durable position, or all of it if
 * that is null. `readFrom`: an offset before the cursor from which on the ledger reads once more.
 * Throws what the directory throws; damage is a result.
 */
export function examineLog(
  directory: LogDirectory,
  cursor: number | null,
  visitor: ExaminationVisitor = NO_VISITOR,
  readFrom: number | null = cursor,
): LogExamination {
  const starts = listSegments(directory);
  let first =
    readFrom === null
      ? 0
      : Math.max(
          0,
          starts.findLastIndex((start) => start < readFrom),
        );
  for (;;) {
    const walk = new Walk(directory, starts, { cursor, readFrom, visitor });
    const found = walk.run(first);
    // Without a block the number of the next one is not known: it is in an earlier segment.
    if (found.blockCount > 0 || first === 0) return found;
    first--;
  }
}

/**
 * `whole`, the examination of all of the log, if it has found corruption, or else that of a start
 * whose ledger stands at `cursor` (0: it has no store) and reads from `readFrom` on.
 */
export function examineForStart(
  directory: LogDirectory,
  whole: LogExamination,
  { cursor, readFrom }: { readonly cursor: number; readonly readFrom: number },
): LogExamination {
  if (cursor === 0 || whole.damage?.torn === false) return whole;
  return examineLog(directory, cursor, NO_VISITOR, readFrom);
}

/** Whether `readFrom`, where the ledger reads on, is in no segment, and in none before either. */
export function isHeadGone(starts: readonly number[], readFrom: number): boolean {
  return readFrom < (starts[0] ?? Number.POSITIVE_INFINITY);
}

/** Log offset of the first byte in [from, limit) of a segment that is not zero, or -1. */
export function firstNonZero(file: LogFile, start: number, from: number, limit: number): number {
  const window = Buffer.allocUnsafe(Math.max(0, Math.min(WINDOW_BYTES, limit - from)));
  for (let offset = from; offset < limit; ) {
    const length = file.read(window, 0, Math.min(window.length, limit - offset), offset - start);
    if (length === 0) return -1;
    if (window.compare(ZEROS, 0, length, 0, length) !== 0) {
      return offset + window.findIndex((byte) => byte !== 0);
    }
    offset += length;
  }
  return -1;
}

interface Found {
  readonly segment: string;
  readonly offset: number;
  readonly reason: string;
  /** Whether the block there is intact and yet wrong: no crash leaves such a thing. */
  readonly intact: boolean;
}

const MISSING = "blocks are missing";
const HEAD_IS_GONE = "the log starts behind where the ledger reads on: first segments are gone";

class Walk {
  readonly #directory: LogDirectory;
  readonly #starts: readonly number[];
  readonly #cursor: number | null;
  readonly #readFrom: number;
  readonly #visitor: ExaminationVisitor;
  readonly #reader: BlockReader;
  #found: Found | null = null;
  #end = 0;
  #nextNumber = -1;
  #epoch = 0;
  #flags = 0;
  #synced = 0;
  #blockCount = 0;
  #cursorSeen = false;
  /** End of the blocks of a segment that has room for more, or -1: only the last one may be so. */
  #openAt = -1;

  constructor(
    directory: LogDirectory,
    starts: readonly number[],
    options: { cursor: number | null; readFrom: number | null; visitor: ExaminationVisitor },
  ) {
    this.#directory = directory;
    this.#starts = starts;
    this.#cursor = options.cursor;
    this.#readFrom = options.readFrom ?? 0;
    this.#visitor = options.visitor;
    const span = (starts[1] ?? Number.POSITIVE_INFINITY) - (starts[0] ?? 0);
    this.#reader = new BlockReader(Math.min(WINDOW_BYTES, span));
  }

  run(first: number): LogExamination {
    this.#end = this.#starts[first] ?? 0;
    for (let i = first; i < this.#starts.length && this.#found === null; i++) {
      this.#withSegment(i, (file, start, limit, end) => this.#walkSegment(file, start, limit, end));
    }
    return {
      firstOffset: this.#starts[0] ?? 0,
      endOffset: this.#end,
      nextNumber: this.#nextNumber < 0 ? 1 : this.#nextNumber,
      epochSeen: this.#epoch,
      blockCount: this.#blockCount,
      unsynced: (this.#flags & BLOCK_FLAG_UNSYNCED) !== 0,
      syncedOffset: this.#synced,
      damage: this.#concludeDamage(),
    };
  }

  #walkSegment(file: LogFile, start: number, limit: number, end: number): void {
    const reader = this.#reader;
    for (let offset = start; ; ) {
      const length = reader.read(file, start, offset, limit);
      if (length === BLOCK_NONE) {
        this.#see(offset, limit);
        if (firstNonZero(file, start, offset, limit) >= 0) {
          this.#damaged(offset, "bytes where a block should start", false);
        }
        if (end - offset >= BLOCK_BYTES_MIN && this.#openAt < 0) this.#openAt = offset;
        return;
      }
      this.#see(offset, offset);
      if (length < 0) {
        return this.#damaged(offset, reasonOf(length), length === BLOCK_NEWER);
      }
      const reason = this.#refusal(length, offset);
      if (reason !== null) return this.#damaged(offset, reason, reason !== MISSING);
      offset += length;
      this.#end = offset;
    }
  }

  /** Takes an intact block into account, or says why it does not belong here. */
  #refusal(length: number, offset: number): string | null {
    const reader = this.#reader;
    const number = reader.field(Block.NUMBER);
    const skips = (reader.flags & BLOCK_FLAG_SKIPPED) !== 0 && number > this.#nextNumber;
    if (this.#openAt >= 0) return MISSING;
    if (this.#nextNumber >= 0 && number !== this.#nextNumber && !skips) return MISSING;
    if (reader.epoch < this.#epoch) return "epoch goes back";
    this.#visitor.onBlock(offset, length, number, reader.epoch);
    const records = visitRecords(reader.memory, reader.at, length, offset, this.#visitor);
    if (records < 0) return "records do not add up";
    this.#nextNumber = number + 1;
    this.#epoch = reader.epoch;
    this.#flags = reader.flags;
    this.#synced = reader.field(Block.SYNCED);
    this.#blockCount++;
    return null;
  }

  /** Notes that every offset in [from, to] is one where a reader may go on. */
  #see(from: number, to: number): void {
    if (this.#cursor !== null && this.#cursor >= from && this.#cursor <= to) {
      this.#cursorSeen = true;
    }
  }

  /** Notes damage at `at`, or where blocks are missing before it. */
  #damaged(at: number, reason: string, intact: boolean): void {
    const offset = this.#openAt >= 0 ? this.#openAt : at;
    this.#found = { segment: segmentName(this.#startOf(offset)), offset, reason, intact };
  }

  #concludeDamage(): LogDamage | null {
    const cursor = this.#cursor ?? -1;
    const unsynced = (this.#flags & BLOCK_FLAG_UNSYNCED) !== 0;
    if (cursor > 0 && isHeadGone(this.#starts, this.#readFrom)) {
      const { nextIntact } = this.#scan(this.#readFrom);
      return { ...this.#corruption(this.#readFrom, HEAD_IS_GONE), nextIntact };
    }
    const end = this.#found?.offset ?? this.#end;
    // What the ledger has read was committed; in mode disk it was synced, too.
    if (cursor > end && !unsynced) {
      const reason = this.#found?.reason ?? "the log ends before the ledger's cursor";
      return { ...this.#corruption(end, reason), nextIntact: this.#scan(end).nextIntact };
    }
    if (cursor > 0 && cursor <= this.#end && !this.#cursorSeen) {
      return this.#corruption(cursor, "the ledger's cursor is not at a block");
    }
    if (this.#found === null) return null;
    const { segment, offset, reason, intact } = this.#found;
    const behind = this.#scan(offset);
    return { segment, offset, reason, ...behind, torn: behind.torn && !intact };
  }

  #corruption(offset: number, reason: string): LogDamage {
    const segment = segmentName(this.#startOf(offset));
    return { segment, offset, reason, torn: false, lostBytes: 0, nextIntact: -1 };
  }

  #startOf(offset: number): number {
    return this.#starts.findLast((candidate) => candidate <= offset) ?? this.#starts[0] ?? 0;
  }

  /** Looks behind the damage at `from` for intact blocks and for the last byte that is not zero. */
  #scan(from: number): { torn: boolean; lostBytes: number; nextIntact: number } {
    const scan: TailScan = { from, synced: 0, nextIntact: -1, usedEnd: from };
    const home = Math.max(
      0,
      this.#starts.findLastIndex((start) => start <= from),
    );
    for (let i = home; i < this.#starts.length && scan.synced <= from; i++) {
      this.#withSegment(i, (file, start, limit) => scanSegment(file, start, limit, scan));
    }
    const torn = scan.synced <= from;
    return { torn, lostBytes: torn ? scan.usedEnd - from : 0, nextIntact: scan.nextIntact };
  }

  #withSegment(
    index: number,
    visit: (file: LogFile, start: number, limit: number, end: number) => void,
  ): void {
    const start = this.#starts[index] as number;
    const file = this.#directory.open(segmentName(start), false);
    try {
      const size = file.sizeBytes();
      const end = this.#starts[index + 1] ?? start + size;
      visit(file, start, Math.min(end, start + size), end);
    } finally {
      file.close();
    }
  }
}

interface TailScan {
  readonly from: number;
  /** Highest synced offset of the intact blocks that were found. */
  synced: number;
  nextIntact: number;
  /** Behind the last bytes that are not zero. */
  usedEnd: number;
}

/**
 * Looks at every aligned offset behind the damage, but not inside intact blocks: bodies may look
 * like blocks.
 */
function scanSegment(file: LogFile, start: number, limit: number, scan: TailScan): void {
  let reader: BlockReader | null = null;
  let windowEnd = Math.max(start, scan.from);
  const window = Buffer.allocUnsafe(Math.max(0, Math.min(WINDOW_BYTES, limit - windowEnd)));
  let windowStart = windowEnd;
  for (let offset = windowEnd; offset + 8 <= limit; offset += 8) {
    if (offset + 8 > windowEnd) {
      windowStart = offset;
      const length = Math.min(window.length, limit - offset);
      windowEnd = offset + file.read(window, 0, length, offset - start);
      if (windowEnd - offset < 8) return;
      if (window.compare(ZEROS, 0, windowEnd - offset, 0, windowEnd - offset) === 0) {
        offset += windowEnd - offset - ((windowEnd - offset) % 8) - 8;
        continue;
      }
    }
    const word = window.readUInt32LE(offset - windowStart);
    if (word !== 0 || window.readUInt32LE(offset - windowStart + 4) !== 0)
      scan.usedEnd = offset + 8;
    if (word !== BLOCK_MAGIC) continue;
    reader ??= new BlockReader(window.length);
    const length = reader.read(file, start, offset, limit);
    if (length <= 0) continue;
    if (scan.nextIntact < 0) scan.nextIntact = offset;
    scan.synced = Math.max(scan.synced, reader.field(Block.SYNCED));
    if (scan.synced > scan.from) return;
    scan.usedEnd = offset + length;
    offset += length - 8;
  }
}

function reasonOf(sentinel: number): string {
  if (sentinel === BLOCK_NEWER) return "written by a newer version";
  return sentinel === BLOCK_DAMAGED ? "checksum or header does not match" : "unreadable";
}
