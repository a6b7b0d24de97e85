/**
 * `smsgw journal`: looks into the log of a data directory.
 *
 * `verify` checks every block of every segment, which needs a gateway that is stopped. `inspect`
 * prints records and may run beside one. Only `skip` changes anything.
 */
import { statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/parse.ts";
import { EXIT_CODES } from "../errors.ts";
import { readNodeFile } from "../journal/data-dir.ts";
import { type DataDirLock, lockDataDir } from "../journal/data-dir-lock.ts";
import { DataDirError, systemCode } from "../journal/errors.ts";
import type { LogDirectory } from "../journal/log-directory.ts";
import {
  examineForStart,
  examineLog,
  type ExaminationVisitor,
  type LogDamage,
  type LogExamination,
} from "../journal/log-examination.ts";
import { openNodeLogDirectory } from "../journal/node-log-directory.ts";
import { type BooksReport, verifyBooks } from "../ledger/books.ts";
import type { LedgerStore } from "../ledger/store/store.ts";
import { listSegments } from "../journal/segments.ts";
import { recordFields, typeName } from "./journal-records.ts";
import { skip } from "./journal-skip.ts";
import { type LedgerPosition, positionOf, withLedgerStore } from "./ledger-store.ts";
import { printJson, UsageError } from "./output.ts";
import type { CliIo } from "./output.ts";

export const usage = `Usage: smsgw journal verify [options]
       smsgw journal inspect [--from OFFSET] [--limit N] [options]
       smsgw journal skip [--at OFFSET] [options]

verify   checks every block of the log, and that it goes from where the ledger reads on to where
         it stands; the gateway must be stopped. A torn tail is what a crash leaves and is cut by
         the next start (exit code 0); corruption is not (73).
inspect  prints records, one a line: log offset, type, fields. Message text is never shown,
         numbers are masked.
skip     shows the first corrupt stretch of the log and the ids in it; with --at and the log offset
         that it shows, gives that stretch up for ever, so that the gateway starts without it.
         The gateway must be stopped.

Options:
  -c, --config FILE  configuration that names the data directory (smsgw.yaml)
  --data-dir DIR     the data directory itself, instead of a configuration
  --from OFFSET      first log offset to print (0)
  --limit N          records to print at most (100)
  --at OFFSET        with skip: the log offset of the damage that is given up
  --conservation     with verify: also recount the books from the ledger's rows; exit code 1 if they
                     disagree
  --json             print JSON, for inspect one object a line
`;

const ACTIONS: readonly string[] = ["verify", "inspect", "skip"];

/** A finished `inspect` stops the walk with it. */
class EnoughError extends Error {}

interface Options {
  readonly dataDir: string;
  readonly json: boolean;
  readonly conservation: boolean;
  readonly from: number;
  readonly limit: number;
  /** Of `skip`; null: only show. */
  readonly at: number | null;
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      "data-dir": { type: "string" },
      from: { type: "string", default: "0" },
      limit: { type: "string", default: "100" },
      at: { type: "string" },
      conservation: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const [action, ...rest] = positionals;
  if (action === undefined || !ACTIONS.includes(action) || rest.length > 0) {
    throw new UsageError("say verify, inspect or skip");
  }
  const options: Options = {
    from: wholeNumber("--from", values.from),
    limit: wholeNumber("--limit", values.limit),
    at: values.at === undefined ? null : wholeNumber("--at", values.at),
    json: values.json,
    conservation: values.conservation,
    dataDir: resolve(io.cwd, values["data-dir"] ?? configuredDataDir(values.config, io)),
  };
  if (statSync(options.dataDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new Error(`${options.dataDir} is not a directory`);
  }
  const directory = openNodeLogDirectory(options.dataDir);
  try {
    if (isForeign(directory)) throw new Error(`${options.dataDir} is no gateway's data directory`);
    if (action === "verify") return await verify(directory, options, io);
    if (action === "skip") return await skipLocked(directory, options, io);
    return await inspect(directory, options, io);
  } catch (error) {
    if (!(error instanceof DataDirError)) throw error;
    io.stderr(`smsgw journal: ${error.message}\n`);
    return EXIT_CODES[error.exit].code;
  }
}

/** Whether nothing in the directory is of a gateway. An empty log would be intact. */
function isForeign(directory: LogDirectory): boolean {
  if (listSegments(directory).length > 0 || directory.list().includes("ledger")) return false;
  return readNodeFile(directory) === null;
}

async function verify(directory: LogDirectory, options: Options, io: CliIo): Promise<number> {
  const lock = await lockDataDir(options.dataDir);
  try {
    const { position, books } = await withLedgerStore(options.dataDir, (store) => ({
      position: positionOf(store),
      books: options.conservation ? recount(options.dataDir, store) : null,
    }));
    const counts = new Map<string, number>();
    const whole = examineLog(directory, null, {
      onBlock: () => {},
      onRecord: (type) => {
        const name = typeName(type);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      },
    });
    const found = { ...whole, damage: damageOf(directory, whole, position) };
    const segments = listSegments(directory).length;
    if (options.json) {
      const report = reportJson(options.dataDir, segments, found, counts);
      printJson(io, books === null ? report : { ...report, conservation: books });
    } else {
      io.stdout(reportText(options.dataDir, segments, found, counts));
      if (books !== null) io.stdout(booksText(books));
    }
    if (books?.ok === false && found.damage === null) return EXIT_CODES.failure.code;
    return exitOf(found.damage);
  } finally {
    lock.release();
  }
}

async function skipLocked(directory: LogDirectory, options: Options, io: CliIo): Promise<number> {
  const lock = await lockDataDir(options.dataDir);
  try {
    return await skip(directory, options, io);
  } finally {
    lock.release();
  }
}

/** Recounts the books of the ledger's store, as of its cursor. */
function recount(dataDir: string, store: LedgerStore | null): BooksReport {
  if (store === null) {
    throw new Error(`${join(dataDir, "ledger")} is not there: nothing to recount`);
  }
  return verifyBooks(store);
}

/** What a start refuses or cuts, or the first corruption anywhere; null if there is none. */
function damageOf(
  directory: LogDirectory,
  whole: LogExamination,
  { cursor, replayFrom: readFrom }: LedgerPosition,
): LogDamage | null {
  return examineForStart(directory, whole, { cursor, readFrom }).damage;
}

function booksText({ ok, mismatches, books, rows }: BooksReport): string {
  const final = Object.entries(books.final).map(([status, count]) => `${status} ${count}`);
  return [
    `books    accepted ${books.accepted} = open ${books.open} + ${final.join(" + ")}`,
    ok ? `recounted from ${rows} rows: they agree` : mismatches.join("\n"),
    "",
  ].join("\n");
}

async function inspect(directory: LogDirectory, options: Options, io: CliIo): Promise<number> {
  const isRunning = await isLocked(options.dataDir);
  const node = readNodeFile(directory)?.node ?? "?";
  let from = options.from;
  let printed = 0;
  const visitor: ExaminationVisitor = {
    onBlock: () => {},
    onRecord: (type, memory, offset, lengthBytes, logOffset) => {
      if (logOffset < from) return;
      if (printed === options.limit) throw new EnoughError();
      printed++;
      from = logOffset + 1;
      const fields = recordFields(type, memory, offset, lengthBytes, node);
      const name = typeName(type);
      if (options.json) printJson(io, { log_offset: logOffset, type: name, ...fields });
      else io.stdout(`${String(logOffset).padStart(12)} ${name.padEnd(9)} ${fieldText(fields)}\n`);
    },
  };
  try {
    const whole = walk(directory, visitor, isRunning);
    const position = isRunning ? null : await stoppedPosition(options.dataDir);
    // What a running gateway is writing looks torn.
    const damage = position === null ? null : damageOf(directory, whole, position);
    if (damage === null) return EXIT_CODES.ok.code;
    io.stderr(`${damageText(damage)}\n`);
    return exitOf(damage);
  } catch (error) {
    if (error instanceof EnoughError) return EXIT_CODES.ok.code;
    throw error;
  }
}

/**
 * Examines the log. A segment that a running gateway removes meanwhile is missing or ends early:
 * then it looks again.
 */
function walk(
  directory: LogDirectory,
  visitor: ExaminationVisitor,
  isRunning: boolean,
): LogExamination {
  for (;;) {
    const [before = 0] = listSegments(directory);
    try {
      const whole = examineLog(directory, null, visitor);
      const [oldest = 0] = listSegments(directory);
      if (!isRunning || oldest === before) return whole;
      if (whole.damage === null || whole.damage.offset > oldest) return whole;
    } catch (error) {
      if (!isRunning || systemCode(error) !== "ENOENT") throw error;
    }
  }
}

async function isLocked(dataDir: string): Promise<boolean> {
  const lock = await lockUnlessHeld(dataDir);
  lock?.release();
  return lock === null;
}

/** Where the next start reads on; null while a gateway runs. */
async function stoppedPosition(dataDir: string): Promise<LedgerPosition | null> {
  const lock = await lockUnlessHeld(dataDir);
  if (lock === null) return null;
  try {
    return await withLedgerStore(dataDir, positionOf);
  } finally {
    lock.release();
  }
}

async function lockUnlessHeld(dataDir: string): Promise<DataDirLock | null> {
  try {
    return await lockDataDir(dataDir);
  } catch (error) {
    if (error instanceof DataDirError) return null;
    throw error;
  }
}

function configuredDataDir(path: string, io: CliIo): string {
  return loadConfig(resolve(io.cwd, path), io.env, io.readFile).node.dataDir;
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new UsageError(`${option} must be a whole number, found ${JSON.stringify(text)}`);
}

function exitOf(damage: LogDamage | null): number {
  return damage === null || damage.torn ? EXIT_CODES.ok.code : EXIT_CODES.dataDir.code;
}

function reportText(
  dataDir: string,
  segments: number,
  found: LogExamination,
  counts: ReadonlyMap<string, number>,
): string {
  const records = [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
  return [
    `${dataDir}: ${segments} segments, log offsets ${found.firstOffset} to ${found.endOffset}`,
    `blocks   ${found.blockCount}, the last of epoch ${found.epochSeen}`,
    `records  ${records === "" ? "none" : records}`,
    found.damage === null ? "intact" : damageText(found.damage),
    "",
  ].join("\n");
}

function damageText({ torn, segment, offset, reason, lostBytes, nextIntact }: LogDamage): string {
  const place = `${segment}, log offset ${offset}: ${reason}`;
  if (torn) return `torn tail in ${place}; the next start cuts ${lostBytes} bytes`;
  const behind = nextIntact < 0 ? "none" : `the first at log offset ${nextIntact}`;
  return `corruption in ${place}; intact blocks behind it: ${behind}`;
}

function reportJson(
  dataDir: string,
  segments: number,
  found: LogExamination,
  counts: ReadonlyMap<string, number>,
): object {
  const { damage } = found;
  return {
    data_dir: dataDir,
    segments,
    first_offset: found.firstOffset,
    end_offset: found.endOffset,
    blocks: found.blockCount,
    epoch: found.epochSeen,
    records: Object.fromEntries(counts),
    damage: damage && {
      segment: damage.segment,
      offset: damage.offset,
      reason: damage.reason,
      torn: damage.torn,
      lost_bytes: damage.lostBytes,
      next_intact: damage.nextIntact < 0 ? null : damage.nextIntact,
    },
  };
}

function fieldText(fields: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
