/**
 * Makes the log fit to go on: cuts a torn tail, refuses corruption, leaves everything it returns
 * durable.
 *
 *   before   blocks ... │ torn bytes │ zeros     next segment, prepared or torn
 *   after    blocks ... │ zeros ............ │   (removed)
 *                       nextOffset
 *
 * It may itself be interrupted anywhere and run again. Start-up only, before the journal exists.
 */
import { BLOCK_FLAG_UNSYNCED, BLOCK_HEADER_BYTES, sealSkipped } from "./block.ts";
import { LogCorruptionError, isNoRoom } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";
import {
  type ExaminationVisitor,
  examineLog,
  firstNonZero,
  type LogExamination,
} from "./log-examination.ts";
import { recordMemory } from "../records/memory.ts";
import { listSegments, segmentName } from "./segments.ts";

const SLICE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(SLICE_BYTES);

export interface RecoveryOptions {
  /** Size of new segments in bytes; existing ones keep theirs. */
  readonly segmentBytes: number;
  /** The ledger's durable position in the log, null if it has none. */
  readonly from: number | null;
  /** Log offset not behind it, from which on the ledger reads once more; default: none. */
  readonly replayFrom?: number;
}

export interface RecoveredLog {
  /** Where the next block goes. */
  readonly nextOffset: number;
  readonly nextNumber: number;
  /** Highest epoch in the examined blocks, 0 if there are none. */
  readonly epochSeen: number;
  /** Bytes of torn tail that were cut, 0 for none. */
  readonly cut: number;
  /** Start of the oldest segment. */
  readonly firstOffset: number;
  /** Where the ledger's tailer starts: the first block from `replayFrom` on, at most `from`. */
  readonly tailFrom: number;
}

/**
 * Recovers the log in `directory` as docs/JOURNAL.md says. Throws LogCorruptionError where damage
 * is no torn tail, and what the directory throws.
 */
export function recoverLog(directory: LogDirectory, options: RecoveryOptions): RecoveredLog {
  const { from, replayFrom } = options;
  const cursor = from ?? 0;
  // Blocks may have been given up since, and skipped ones stand where others began.
  let tailFrom = cursor;
  const visitor: ExaminationVisitor = {
    onBlock: (offset) => {
      if (offset < tailFrom && replayFrom !== undefined && offset >= replayFrom) tailFrom = offset;
    },
    onRecord: () => {},
  };
  const found = examineLog(directory, from, visitor, from === null ? null : (replayFrom ?? from));
  const { damage } = found;
  if (damage !== null && !damage.torn) {
    throw new LogCorruptionError(damage.segment, damage.offset, damage.reason);
  }
  return {
    ...repairTail(directory, found, options),
    epochSeen: found.epochSeen,
    cut: damage?.lostBytes ?? 0,
    firstOffset: found.firstOffset,
    tailFrom: cursor > 0 ? tailFrom : found.firstOffset,
  };
}

/**
 * Clears everything behind the last intact block and makes the log durable. Returns where and how
 * it goes on.
 */
function repairTail(
  directory: LogDirectory,
  found: LogExamination,
  options: RecoveryOptions,
): { nextOffset: number; nextNumber: number } {
  const starts = listSegments(directory);
  const cutAt = found.damage?.offset ?? found.endOffset;
  const cursor = options.from ?? 0;
  let { nextNumber } = found;
  removeBehind(directory, starts, Math.max(cutAt, cursor));
  for (const [i, start] of starts.entries()) {
    const file = directory.open(segmentName(start), false);
    try {
      const end = starts[i + 1] ?? start + Math.max(options.segmentBytes, file.sizeBytes());
      if (!found.unsynced) writeAgain(file, start, found.syncedOffset, Math.min(end, cutAt));
      if (end > cutAt) clear(file, Math.max(0, cutAt - start), end - start);
      const lostFrom = Math.max(start, cutAt);
      if (standIn(file, start, lostFrom, Math.min(end, cursor), { ...found, nextNumber })) {
        nextNumber++;
      }
      file.dataSync();
    } finally {
      file.close();
    }
  }
  removeUseless(directory, starts, options.segmentBytes);
  return { nextOffset: Math.max(cutAt, cursor), nextNumber };
}

/**
 * Writes the bytes in [from, to) over themselves, so that the sync that follows writes them. They
 * may come from a run that ended by a failed sync: the system then takes its pages for clean,
 * though they never reached the disk.
 */
function writeAgain(file: LogFile, start: number, from: number, to: number): void {
  const window = Buffer.alloc(Math.max(0, Math.min(SLICE_BYTES, to - Math.max(from, start))));
  for (let at = Math.max(from, start); at < to; at += window.length) {
    const length = file.read(window, 0, Math.min(window.length, to - at), at - start);
    if (length === 0) return;
    file.write(window, length, at - start);
  }
}

/**
 * Without syncs (`durability: process`) a power failure may take blocks that the ledger has read.
 * Their offsets are not used again: a skipped block stands for them in [from, to). Returns whether
 * there was need of one.
 */
function standIn(
  file: LogFile,
  start: number,
  from: number,
  to: number,
  found: LogExamination,
): boolean {
  if (to - from < BLOCK_HEADER_BYTES) return false;
  const block = recordMemory(new Uint8Array(to - from));
  sealSkipped(block, {
    number: found.nextNumber,
    offset: from,
    synced: 0,
    writtenAt: 0,
    epoch: found.epochSeen,
    flags: BLOCK_FLAG_UNSYNCED,
  });
  file.write(block.bytes, block.bytes.length, from - start);
  return true;
}

/**
 * Removes a last segment that is empty and that a full disk has kept short: it would be of no use.
 */
function removeUseless(
  directory: LogDirectory,
  starts: readonly number[],
  segmentBytes: number,
): void {
  const last = starts.at(-1);
  if (last === undefined) return;
  const file = directory.open(segmentName(last), false);
  const size = file.sizeBytes();
  const useless = size < segmentBytes && firstNonZero(file, last, last, last + size) < 0;
  file.close();
  if (!useless) return;
  directory.remove(segmentName(last));
  directory.sync();
}

/** Removes, last one first, every segment that starts behind `offset`; takes them off `starts`. */
function removeBehind(directory: LogDirectory, starts: number[], offset: number): void {
  for (let start = starts.at(-1); start !== undefined && start > offset; start = starts.at(-1)) {
    directory.remove(segmentName(start));
    directory.sync();
    starts.pop();
  }
}

/**
 * Overwrites [from, end) of a file with zeros where it is not zero yet, and extends it to
 * `sizeWanted`.
 */
function clear(file: LogFile, from: number, sizeWanted: number): void {
  const size = file.sizeBytes();
  const window = Buffer.allocUnsafe(Math.max(0, Math.min(SLICE_BYTES, size - from)));
  for (let at = from; at < size; at += SLICE_BYTES) {
    const length = file.read(window, 0, Math.min(window.length, size - at), at);
    if (window.compare(ZEROS, 0, length, 0, length) !== 0) file.write(ZEROS, length, at);
  }
  try {
    for (let at = Math.max(from, size); at < sizeWanted; at += SLICE_BYTES) {
      file.write(ZEROS, Math.min(SLICE_BYTES, sizeWanted - at), at);
    }
  } catch (error) {
    if (!isNoRoom(error)) throw error;
    // The segment stays as short as it is; the next one is made when there is room.
  }
  const end = file.sizeBytes();
  if (end % 8 !== 0) file.truncate(end - (end % 8));
}
