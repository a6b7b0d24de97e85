/**
 * Makes the log fit to go on: cuts a torn tail, refuses corruption, leaves everything it returns durable.
 *
 *   before   blocks ... │ torn bytes │ zeros     next segment, prepared or torn
 *   after    blocks ... │ zeros ............ │   (removed)
 *                       nextOffset
 *
 * It may itself be interrupted anywhere and run again. Start-up only, before the journal exists.
 */
import { LogCorruptionError, isNoRoom } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";
import { examineLog, type LogExamination } from "./log-examination.ts";
import { listSegments, segmentName } from "./segments.ts";

const SLICE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(SLICE_BYTES);

export interface RecoveryOptions {
  /** Size of new segments in bytes; existing ones keep theirs. */
  readonly segmentBytes: number;
  /** The ledger's durable position in the log, null if it has none. */
  readonly from: number | null;
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
}

/**
 * Recovers the log in `directory` as docs/JOURNAL.md says. Throws LogCorruptionError where damage is no torn tail,
 * and what the directory throws.
 */
export function recoverLog(directory: LogDirectory, options: RecoveryOptions): RecoveredLog {
  const found = examineLog(directory, options.from);
  const { damage } = found;
  if (damage !== null && !damage.torn) {
    throw new LogCorruptionError(damage.segment, damage.offset, damage.reason);
  }
  return {
    nextOffset: repairTail(directory, found, options),
    nextNumber: found.nextNumber,
    epochSeen: found.epochSeen,
    cut: damage?.lostBytes ?? 0,
    firstOffset: found.firstOffset,
  };
}

/** Clears everything behind the last intact block. Returns where the log goes on. */
function repairTail(
  directory: LogDirectory,
  found: LogExamination,
  options: RecoveryOptions,
): number {
  const starts = listSegments(directory);
  if (starts.length === 0) return 0;
  const cutAt = found.damage?.offset ?? found.endOffset;
  const cursor = options.from ?? 0;
  removeBehind(directory, starts, Math.max(cutAt, cursor));
  const last = starts.at(-1) as number;
  let end = last;
  for (const [i, start] of starts.entries()) {
    const file = directory.open(segmentName(start), false);
    try {
      const next = starts[i + 1];
      if (next === undefined || next > cutAt) {
        const wanted = next === undefined ? options.segmentBytes : next - start;
        clear(file, Math.max(0, cutAt - start), wanted);
      }
      file.dataSync();
      end = start + file.sizeBytes();
    } finally {
      file.close();
    }
  }
  if (cursor <= cutAt) return cutAt;
  // Without a sync (durability: process) a power failure took blocks that the ledger had read. Their offsets are
  // not used again: the log goes on in the next segment.
  if (end < cursor) {
    throw new LogCorruptionError(segmentName(last), end, "the log ends before the ledger's cursor");
  }
  return end;
}

/** Removes, last one first, every segment that starts behind `offset`; takes them off `starts`. */
function removeBehind(directory: LogDirectory, starts: number[], offset: number): void {
  for (let start = starts.at(-1) as number; start > offset; start = starts.at(-1) as number) {
    directory.remove(segmentName(start));
    directory.sync();
    starts.pop();
    if (starts.length === 0) return;
  }
}

/** Overwrites [from, end) of a file with zeros where it is not zero yet, and extends it to `sizeWanted`. */
function clear(file: LogFile, from: number, sizeWanted: number): void {
  const size = file.sizeBytes();
  const window = Buffer.alloc(SLICE_BYTES);
  for (let at = from; at < size; at += SLICE_BYTES) {
    const length = file.read(window, 0, Math.min(SLICE_BYTES, size - at), at);
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
