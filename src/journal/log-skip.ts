/**
 * Gives up a damaged stretch of the log by an operator's decision, so that the gateway can start:
 * skipped blocks take its place, and readers pass over them.
 *
 *   before   block, block, ✗ damaged ✗ ✗, block, …        the start refuses
 *   after    block, block, │ skipped     │, block, …       numbers go on behind it
 *
 * The bytes are kept beside the log first (`skipped-<16 hex digits of the offset>`). What can still
 * be read of the stretch is shown to a visitor: a block whose checksum is wrong has often all its
 * records. Command line only, while no gateway runs.
 */
import { recordMemory, type RecordMemory } from "../records/memory.ts";
import {
  Block,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  sealSkipped,
  visitRecords,
  type BlockStamp,
} from "./block.ts";
import type { LogDirectory } from "./log-directory.ts";
import { examineForStart, examineLog, isHeadGone, type LogDamage } from "./log-examination.ts";
import type { RecordVisitor } from "./log-reading.ts";
import { listSegments, segmentName } from "./segments.ts";
import { makeSkippedSegment, numberAt, planHead, restoreHead, skippedLengths } from "./log-head.ts";
import { skippedName } from "./skipped-stretches.ts";

const LAST_BYTE = new Uint8Array(1);

/** What `planSkip` found, and what `skipDamage` will do. */
export interface SkipPlan {
  readonly damage: LogDamage;
  /** Log offsets: nothing in [from, to) will be read any more. */
  readonly from: number;
  readonly to: number;
  /** Of the ledger: where it lies in the stretch a block must begin, or the start refuses. */
  readonly cursor: number;
  /** At most the cursor: from where on the ledger reads, and the log has to begin no later. */
  readonly readFrom: number;
  /** Blocks that stood there, by the numbers before and behind; null if nothing is behind. */
  readonly blocksLost: number | null;
  /** Of the last skipped block; those before it count down. */
  readonly stamp: BlockStamp;
  /** Whether it lies before the oldest segment, so that nothing of it is there: log-head.ts. */
  readonly isHead: boolean;
}

/** Why there is nothing that could be skipped. */
export class SkipRefusedError extends Error {}

/**
 * Finds the first corruption of the whole log, or the one that a start with the ledger's `cursor`
 * refuses. `readFrom`: from where on that start reads. `heldFrom`: from where on the ledger still
 * wants texts. Throws SkipRefusedError if there is none that can be skipped.
 */
export function planSkip(
  directory: LogDirectory,
  cursor: number,
  readFrom: number = cursor,
  heldFrom: number = readFrom,
): SkipPlan {
  const found = examineForStart(directory, examineLog(directory, null), { cursor, readFrom });
  const { damage } = found;
  if (damage === null) throw new SkipRefusedError("the log is intact: there is nothing to skip");
  if (damage.torn) {
    throw new SkipRefusedError("a torn tail is no corruption: the next start cuts it by itself");
  }
  if (isHeadGone(listSegments(directory), damage.offset)) {
    return planHead(directory, { cursor, readFrom, heldFrom, damage });
  }
  const from = damage.offset;
  const to = damage.nextIntact >= 0 ? damage.nextIntact : cursor;
  if (to - from < BLOCK_HEADER_BYTES) {
    throw new SkipRefusedError(`${damage.reason}: no bytes lie there that could be skipped`);
  }
  const behind = damage.nextIntact >= 0 ? numberAt(directory, to) : -1;
  const count = skippedCount(stretchesOf(directory, { from, to, cursor }));
  const number = behind >= 0 ? behind - 1 : found.nextNumber + count - 1;
  if (number - count + 1 < found.nextNumber) {
    throw new SkipRefusedError("the blocks behind the damage are older than those before it");
  }
  return {
    damage,
    from,
    to,
    cursor,
    readFrom,
    isHead: false,
    blocksLost: behind >= 0 ? behind - found.nextNumber : null,
    stamp: {
      number,
      offset: from,
      synced: Math.min(found.syncedOffset, from),
      writtenAt: 0,
      epoch: found.epochSeen,
      flags: 0,
    },
  };
}

/**
 * Shows what is readable in the stretch, unverified: records of blocks whose headers are in place.
 * Returns how many such blocks there were.
 */
export function salvage(directory: LogDirectory, plan: SkipPlan, visitor: RecordVisitor): number {
  let count = 0;
  if (plan.isHead) return count;
  for (const stretch of stretchesOf(directory, plan)) {
    if (stretch.isMissing) continue;
    const { offset } = stretch;
    const bytes = readStretch(directory, stretch);
    const memory = recordMemory(bytes);
    for (let at = 0; at + BLOCK_HEADER_BYTES <= bytes.length; at += 8) {
      const length = plausibleLength(memory, at, offset);
      if (length === 0) continue;
      visitRecords(memory, at, length, offset + at, visitor);
      count += 1;
      at += length - 8;
    }
  }
  return count;
}

/**
 * Copies the stretch aside and puts skipped blocks in its place, durably. Returns the copy's name.
 * Interrupted, it can be done again.
 */
export function skipDamage(directory: LogDirectory, plan: SkipPlan): string {
  if (plan.isHead) return restoreHead(directory, plan);
  const name = skippedName(plan.from);
  const stretches = stretchesOf(directory, plan);
  // One that was interrupted may have left it longer, with bytes that are nowhere else by now.
  const copy = directory.open(name, true);
  for (const stretch of stretches) {
    const bytes = stretch.isMissing ? LAST_BYTE : readStretch(directory, stretch);
    const end = stretch.offset + stretch.length - plan.from;
    copy.write(bytes, bytes.length, end - bytes.length);
  }
  copy.dataSync();
  copy.close();
  directory.sync();
  // From the last one on: until the first is in place, the damage is found where it was.
  let next = plan.stamp.number + 1;
  for (const { segment, offset, length, isMissing } of stretches.toReversed()) {
    if (isMissing) {
      const lengths = skippedLengths(length);
      next -= lengths.length;
      makeSkippedSegment(directory, length, lengths, { ...plan.stamp, number: next, offset });
      continue;
    }
    next -= 1;
    const block = recordMemory(new Uint8Array(length));
    sealSkipped(block, { ...plan.stamp, number: next, offset });
    const file = directory.open(segmentName(segment), false);
    file.write(block.bytes, length, offset - segment);
    file.dataSync();
    file.close();
  }
  directory.sync();
  return name;
}

interface Stretch {
  /** Start of the segment it lies in. */
  readonly segment: number;
  /** Log offset of its first byte. */
  readonly offset: number;
  readonly length: number;
  /** Whether no file has it: it may be of any length then, otherwise a segment's at most. */
  readonly isMissing: boolean;
}

/** Skipped blocks that stand for them: one each, and several for a long gap. */
function skippedCount(stretches: readonly Stretch[]): number {
  return stretches.reduce(
    (sum, { length, isMissing }) => sum + (isMissing ? skippedLengths(length).length : 1),
    0,
  );
}

function readStretch(directory: LogDirectory, { segment, offset, length }: Stretch): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = directory.open(segmentName(segment), false);
  file.read(bytes, 0, length, offset - segment);
  file.close();
  return bytes;
}

/** The parts of [from, to) by segment, and before and behind the cursor. */
function stretchesOf(
  directory: LogDirectory,
  { from, to, cursor }: Pick<SkipPlan, "from" | "to" | "cursor">,
): Stretch[] {
  const starts = listSegments(directory);
  const found: Stretch[] = [];
  for (let at = from; at < to; ) {
    const index = starts.findLastIndex((start) => start <= at);
    const start = starts[index] as number;
    const file = directory.open(segmentName(start), false);
    const fileEnd = start + file.sizeBytes();
    file.close();
    const isMissing = at >= fileEnd;
    const next = starts[index + 1] ?? to;
    const split = cursor > at ? cursor : to;
    const end = Math.min(to, next, split, isMissing ? next : fileEnd);
    // A rest too small for a header stays zero, as at the end of any segment.
    if (end - at >= BLOCK_HEADER_BYTES) {
      found.push({ segment: isMissing ? at : start, offset: at, length: end - at, isMissing });
    }
    at = end;
  }
  return found;
}

/** Length of what looks like a block at `at`, whatever its checksum says; 0 if nothing does. */
function plausibleLength(memory: RecordMemory, at: number, offset: number): number {
  const { view } = memory;
  if (view.getUint32(at, true) !== BLOCK_MAGIC) return 0;
  const length = view.getUint32(at + Block.LENGTH, true);
  const fits = length >= BLOCK_HEADER_BYTES && length % 8 === 0;
  if (!fits || at + length > memory.bytes.length) return 0;
  return view.getFloat64(at + Block.OFFSET, true) === offset + at ? length : 0;
}
