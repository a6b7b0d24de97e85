/**
 * Small files of the data directory: who the node is, its epoch, and how the last run ended.
 *
 *   node.json        { node, epoch, store_synced }
 *   last-exit.json   { code, reason, thread, at, epoch, in_hand, strikes: [{ log_offset, count }] }
 *   last-drain.json  { epoch, boot, monotonic_ms, wall_ms }: by then that epoch had sent everything
 *
 * Each is replaced as a whole: written aside, synced, renamed, directory synced. Start-up and the
 * end of the process only; one thread at a time.
 */
import type { LastSent, SystemInstant } from "../environment.ts";
import { EPOCH_MAX } from "../records/message-key.ts";
import { DataDirError, systemCode } from "./errors.ts";
import type { LogDirectory, LogFile } from "./log-directory.ts";
import { listSegments } from "./segments.ts";

const NODE_FILE = "node.json";
const LAST_EXIT_FILE = "last-exit.json";
const LAST_DRAIN_FILE = "last-drain.json";
const FILE_BYTES_MAX = 64 * 1024;
/** Records with strikes that are kept; beyond it the one that was struck longest ago goes. */
export const STRUCK_MAX = 256;
const STRIKES_TO_QUARANTINE = 2;

export interface NodeFile {
  readonly node: string;
  readonly epoch: number;
  /** Whether that epoch syncs the ledger's store. If not, only the system has written it back. */
  readonly storeSynced: boolean;
}

export interface StartedEpoch extends NodeFile {
  /** Name under which the directory was used before, if it was another one. */
  readonly previousNode: string | null;
}

/** Crashes of a thread with one record in hand; the file's own words. */
export interface Strikes {
  readonly log_offset: number;
  readonly count: number;
}

/** How a run ended; the file's own words. */
export interface LastExit {
  /** Exit code, see EXIT_CODES. */
  readonly code: number;
  readonly reason: string;
  /** Thread that ended it. */
  readonly thread: string;
  /** Wall time in ms. */
  readonly at: number;
  /** Of the run that ended; 0 if it had none yet. */
  readonly epoch: number;
  /** Log offset of the record that was being worked on, null for none. */
  readonly in_hand: number | null;
  /** Of this crash and of earlier ones, the record that was struck last at the end. */
  readonly strikes: readonly Strikes[];
}

/** What a run says when it ends. */
export interface ExitNote {
  readonly code: number;
  readonly reason: string;
  readonly thread: string;
  readonly atMs: number;
  readonly epoch: number;
  readonly inHand: number | null;
}

/**
 * The node's name and last epoch; null in a new directory. Throws DataDirError if the file is
 * unreadable.
 */
export function readNodeFile(directory: LogDirectory): NodeFile | null {
  const found = readJson(directory, NODE_FILE);
  if (found === null) return null;
  const { node, epoch } = found;
  if (typeof node !== "string" || !Number.isSafeInteger(epoch) || (epoch as number) < 0) {
    throw new DataDirError("damaged", `${NODE_FILE} does not say node and epoch`);
  }
  return { node, epoch: epoch as number, storeSynced: found["store_synced"] === true };
}

/**
 * Begins the next epoch: one more than the highest ever used, by the file or (`epochSeen`) by the
 * log. `storeSynced`: whether it will sync the ledger's store. It is durable when this returns.
 * Throws DataDirError if the file is unreadable or epochs have run out.
 */
export function startEpoch(
  directory: LogDirectory,
  node: string,
  epochSeen: number,
  storeSynced: boolean = true,
): StartedEpoch {
  const before = readNodeFile(directory);
  const epoch = Math.max(before?.epoch ?? 0, epochSeen) + 1;
  if (epoch > EPOCH_MAX) {
    throw new DataDirError("damaged", `epoch ${epoch} is beyond the last one, ${EPOCH_MAX}`);
  }
  writeJson(directory, NODE_FILE, { node, epoch, store_synced: storeSynced });
  const renamed = before !== null && before.node !== node;
  return { node, epoch, storeSynced, previousNode: renamed ? before.node : null };
}

/** How the last run ended; null if none has, or if its note is unreadable: it is advice only. */
export function readLastExit(directory: LogDirectory): LastExit | null {
  let found: Record<string, unknown> | null;
  try {
    found = readJson(directory, LAST_EXIT_FILE);
  } catch (error) {
    if (error instanceof DataDirError) return null;
    throw error;
  }
  if (found === null) return null;
  const { code, reason, thread, at, epoch, in_hand: inHand, strikes } = found;
  return {
    code: numberOr(code, 0),
    reason: typeof reason === "string" ? reason : "",
    thread: typeof thread === "string" ? thread : "",
    at: numberOr(at, 0),
    epoch: numberOr(epoch, 0),
    in_hand: typeof inHand === "number" ? inHand : null,
    strikes: Array.isArray(strikes) ? strikes.filter(isStrikes) : [],
  };
}

/**
 * Writes how this run ends: one more strike against the record in hand, those of other records
 * stay. Returns what was written; throws what the directory throws.
 */
export function writeLastExit(directory: LogDirectory, note: ExitNote): LastExit {
  const before = readLastExit(directory)?.strikes ?? [];
  const written: LastExit = {
    code: note.code,
    reason: note.reason,
    thread: note.thread,
    at: note.atMs,
    epoch: note.epoch,
    in_hand: note.inHand,
    strikes: note.inHand === null ? before : struck(before, note.inHand),
  };
  writeJson(directory, LAST_EXIT_FILE, { ...written });
  return written;
}

/**
 * Forgets the strikes of records that `isDone` says are not worked on any more, and returns the log
 * offsets of those that are to be quarantined: a record with two strikes. Throws what the directory
 * throws.
 */
export function quarantinedRecords(
  directory: LogDirectory,
  isDone: (logOffset: number) => boolean,
): ReadonlySet<number> {
  const last = readLastExit(directory);
  if (last === null) return new Set();
  const strikes = last.strikes.filter((record) => !isDone(record.log_offset));
  if (strikes.length < last.strikes.length) {
    writeJson(directory, LAST_EXIT_FILE, { ...last, strikes });
  }
  const quarantined = strikes.filter(({ count }) => count >= STRIKES_TO_QUARANTINE);
  return new Set(quarantined.map((record) => record.log_offset));
}

function struck(before: readonly Strikes[], logOffset: number): readonly Strikes[] {
  const count = 1 + (before.find((record) => record.log_offset === logOffset)?.count ?? 0);
  const others = before.filter((record) => record.log_offset !== logOffset);
  return [...others, { log_offset: logOffset, count }].slice(-STRUCK_MAX);
}

function isStrikes(value: unknown): value is Strikes {
  if (typeof value !== "object" || value === null) return false;
  const { log_offset: logOffset, count } = value as Partial<Strikes>;
  return Number.isSafeInteger(logOffset) && Number.isSafeInteger(count);
}

/**
 * The run with this epoch has drained: nothing of it leaves after `at`. Throws what the directory
 * throws.
 */
export function writeLastDrain(directory: LogDirectory, epoch: number, at: SystemInstant): void {
  const { boot, monotonicMs, wallMs } = at;
  writeJson(directory, LAST_DRAIN_FILE, {
    epoch,
    boot,
    monotonic_ms: monotonicMs,
    wall_ms: wallMs,
  });
}

/**
 * By when the runs before the next epoch had sent everything; to be asked before that epoch starts.
 * A note of another epoch than the last one says nothing: that one has sent since.
 */
export function readLastSent(directory: LogDirectory): LastSent {
  try {
    const node = readNodeFile(directory);
    if (node === null) return listSegments(directory).length === 0 ? "never" : "unknown";
    const found = readJson(directory, LAST_DRAIN_FILE);
    if (found === null || found["epoch"] !== node.epoch) return "unknown";
    const { boot, monotonic_ms: monotonicMs, wall_ms: wallMs } = found;
    if (typeof boot !== "string") return "unknown";
    return { boot, monotonicMs: numberOr(monotonicMs, NaN), wallMs: numberOr(wallMs, NaN) };
  } catch (error) {
    if (error instanceof DataDirError) return "unknown";
    throw error;
  }
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

function readJson(directory: LogDirectory, name: string): Record<string, unknown> | null {
  let file: LogFile;
  try {
    file = directory.open(name, false);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(Math.min(file.sizeBytes(), FILE_BYTES_MAX));
    const length = file.read(bytes, 0, bytes.length, 0);
    const value: unknown = JSON.parse(bytes.toString("utf8", 0, length));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw new SyntaxError("no object");
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new DataDirError("damaged", `${name} is not readable as JSON`, error);
  } finally {
    file.close();
  }
}

function writeJson(directory: LogDirectory, name: string, value: Record<string, unknown>): void {
  const bytes = Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  const aside = `${name}.new`;
  const file = directory.open(aside, true);
  try {
    file.truncate(0);
    file.write(bytes, bytes.length, 0);
    file.dataSync();
  } finally {
    file.close();
  }
  directory.rename(aside, name);
  directory.sync();
}
