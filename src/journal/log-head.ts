/**
 * The head of the log is gone: its oldest segment begins behind where the ledger reads on, or there
 * is none. What an operator gives up then, and what stands in its place.
 *
 *   before       the ledger reads on ▼ ········· ▼ cursor? ··· │ block, block, …   (or nothing)
 *   after             log-<readFrom>: │ skipped … │ skipped …  │ block, block, …
 *   and     skipped-<heldFrom>: zeros of that length, by which texts are known to be gone
 *
 * A block has to begin at the cursor, and one to end there if nothing follows. So where the ledger
 * reads from its cursor on, the segment begins a header before it. Offline, with the data
 * directory's lock held.
 */
import { recordMemory } from "../records/memory.ts";
import { Block, BLOCK_HEADER_BYTES, type BlockStamp, sealSkipped } from "./block.ts";
import { BlockReader } from "./block-reader.ts";
import type { LogDirectory } from "./log-directory.ts";
import type { LogDamage } from "./log-examination.ts";
import type { SkipPlan } from "./log-skip.ts";
import { listSegments, segmentName } from "./segments.ts";
import { skippedName } from "./skipped-stretches.ts";

const LAST_BYTE = new Uint8Array(1);
/**
 * Of a gap of any length: what reads a block has all of it in memory, and its length is a u32. More
 * than a commit's block, so that a gap has no more of these than it had of those.
 */
const SKIPPED_BYTES_MAX = 4 * 1024 * 1024;

/** Lengths of the skipped blocks that stand for `bytes`; none if a header has no room in them. */
export function skippedLengths(bytes: number): number[] {
  const lengths: number[] = [];
  for (let rest = bytes; rest >= BLOCK_HEADER_BYTES; rest -= lengths.at(-1) as number) {
    // A rest too small for a header would be no block.
    lengths.push(rest - SKIPPED_BYTES_MAX < BLOCK_HEADER_BYTES ? rest : SKIPPED_BYTES_MAX);
  }
  return lengths;
}

/**
 * Makes a segment of `bytes` that has skipped blocks of these lengths and nothing else, durably but
 * for its name. Only headers are written, and the last byte: a long gap takes no room. The first
 * block has the number and the offset of `first`. Interrupted, it has made nothing.
 */
export function makeSkippedSegment(
  directory: LogDirectory,
  bytes: number,
  lengths: readonly number[],
  first: Readonly<BlockStamp>,
): void {
  const aside = `${segmentName(first.offset)}.new`;
  const file = directory.open(aside, true);
  // One that was interrupted may have left it longer.
  file.truncate(0);
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const zeros = new Uint8Array(longest);
  let at = 0;
  for (const [i, length] of lengths.entries()) {
    const block = recordMemory(zeros.subarray(0, length));
    block.bytes.fill(0, 0, BLOCK_HEADER_BYTES);
    sealSkipped(block, { ...first, number: first.number + i, offset: first.offset + at });
    file.write(block.bytes, BLOCK_HEADER_BYTES, at);
    at += length;
  }
  if (bytes > BLOCK_HEADER_BYTES) file.write(LAST_BYTE, LAST_BYTE.length, bytes - 1);
  file.dataSync();
  file.close();
  directory.rename(aside, segmentName(first.offset));
}

interface LostHead {
  readonly cursor: number;
  /** From where on a start reads. */
  readonly readFrom: number;
  /** From where on the ledger still wants texts. */
  readonly heldFrom: number;
  readonly damage: LogDamage;
}

export function planHead(
  directory: LogDirectory,
  { cursor, readFrom, heldFrom, damage }: LostHead,
): SkipPlan {
  const oldest = listSegments(directory)[0];
  const to = oldest ?? cursor;
  const behind = oldest === undefined ? -1 : numberAt(directory, oldest);
  const { start, lengths } = skippedSegment({ cursor, readFrom, to });
  return {
    damage,
    isHead: true,
    from: Math.min(heldFrom, readFrom, to - BLOCK_HEADER_BYTES),
    to,
    cursor,
    readFrom,
    blocksLost: null,
    // Without one behind it that is intact, any number will do: later ones may be ahead.
    stamp: {
      number: behind >= 0 ? behind - 1 : lengths.length,
      offset: to - (lengths.at(-1) as number),
      synced: start,
      writtenAt: 0,
      epoch: 0,
      flags: 0,
    },
  };
}

/** Where the segment begins, and the lengths of its blocks. */
function skippedSegment({ cursor, readFrom, to }: Pick<SkipPlan, "cursor" | "readFrom" | "to">): {
  start: number;
  lengths: number[];
} {
  const start = Math.min(readFrom, cursor - BLOCK_HEADER_BYTES, to - BLOCK_HEADER_BYTES);
  const split = Math.min(cursor, to);
  // A rest too small for a header stays zero, as at the end of any segment.
  return { start, lengths: [...skippedLengths(split - start), ...skippedLengths(to - split)] };
}

/** Makes the segment and the note of what is gone, durably; returns the note's name. */
export function restoreHead(directory: LogDirectory, plan: SkipPlan): string {
  const { from, to, stamp } = plan;
  const name = skippedName(from);
  const note = directory.open(name, true);
  note.write(LAST_BYTE, LAST_BYTE.length, to - from - LAST_BYTE.length);
  // It may be there and longer, from an interrupted skip of more.
  note.truncate(to - from);
  note.dataSync();
  note.close();
  const { start, lengths } = skippedSegment(plan);
  const number = stamp.number - lengths.length + 1;
  makeSkippedSegment(directory, to - start, lengths, { ...stamp, number, offset: start });
  directory.sync();
  return name;
}

/** Number of the block at `offset`, or -1 if none is intact there. */
export function numberAt(directory: LogDirectory, offset: number): number {
  const start = listSegments(directory).findLast((candidate) => candidate <= offset) as number;
  const file = directory.open(segmentName(start), false);
  try {
    const reader = new BlockReader(BLOCK_HEADER_BYTES);
    const length = reader.read(file, start, offset, start + file.sizeBytes());
    return length > 0 ? reader.field(Block.NUMBER) : -1;
  } finally {
    file.close();
  }
}
