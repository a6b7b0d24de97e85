/**
 * `smsgw journal skip`: gives up one damaged stretch of the log, and says exactly what is given up.
 *
 * Without `--at` it only shows; with it, the offset must be the one that it shows.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CODES } from "../errors.ts";
import { readNodeFile } from "../journal/data-dir.ts";
import type { LogDirectory } from "../journal/log-directory.ts";
import {
  planSkip,
  salvage,
  skipDamage,
  type SkipPlan,
  SkipRefusedError,
} from "../journal/log-skip.ts";
import { openLmdbStore } from "../ledger/store/lmdb-store.ts";
import { readMeta } from "../ledger/store/meta.ts";
import { recordFields, typeName } from "./journal-records.ts";
import { printJson } from "./output.ts";
import type { CliIo } from "./output.ts";

export interface SkipOptions {
  readonly dataDir: string;
  readonly json: boolean;
  /** Log offset that the operator has decided to give up, or null to be shown it. */
  readonly at: number | null;
}

interface LostRecord {
  readonly log_offset: number;
  readonly type: string;
  readonly id: string | null;
  /** The ledger had read it before: its effect stays, only its bytes go. */
  readonly applied: boolean;
}

/** The caller holds the lock of the data directory. */
export async function skip(
  directory: LogDirectory,
  options: SkipOptions,
  io: CliIo,
): Promise<number> {
  const { cursor, replayFrom, heldFrom } = await positionOf(options.dataDir);
  let plan: SkipPlan;
  try {
    plan = planSkip(directory, cursor, heldFrom);
  } catch (error) {
    if (!(error instanceof SkipRefusedError)) throw error;
    io.stderr(`smsgw journal skip: ${error.message}\n`);
    return EXIT_CODES.failure.code;
  }
  const lost = lostRecords(directory, plan, replayFrom);
  const isDecided = options.at === plan.from;
  const copy = isDecided ? skipDamage(directory, plan) : null;
  if (options.json) printJson(io, reportJson(plan, lost, copy));
  else io.stdout(reportText(plan, lost, copy));
  if (isDecided) return EXIT_CODES.ok.code;
  if (options.at !== null) {
    io.stderr(`smsgw journal skip: the damage is at ${plan.from}, not at ${options.at}\n`);
  }
  return EXIT_CODES.failure.code;
}

interface LedgerPosition {
  /** Where the ledger stands durably, 0 without a store. */
  readonly cursor: number;
  /** From where on messages may be that its store does not have. */
  readonly replayFrom: number;
  /** From where on it wants texts. */
  readonly heldFrom: number;
}

async function positionOf(dataDir: string): Promise<LedgerPosition> {
  const path = join(dataDir, "ledger");
  if (!existsSync(path)) return { cursor: 0, replayFrom: 0, heldFrom: 0 };
  const store = openLmdbStore(path, 0);
  try {
    const { cursor, replayFrom, holds } = readMeta(store);
    return { cursor, replayFrom, heldFrom: Math.min(replayFrom, holds.lowest()) };
  } finally {
    await store.close();
  }
}

function lostRecords(directory: LogDirectory, plan: SkipPlan, readFrom: number): LostRecord[] {
  const node = readNodeFile(directory)?.node ?? "?";
  const lost: LostRecord[] = [];
  salvage(directory, plan, {
    onRecord: (type, memory, offset, lengthBytes, logOffset) => {
      const { id } = recordFields(type, memory, offset, lengthBytes, node);
      lost.push({
        log_offset: logOffset,
        type: typeName(type),
        id: typeof id === "string" ? id : null,
        applied: logOffset < readFrom,
      });
    },
  });
  return lost;
}

function reportJson(plan: SkipPlan, lost: readonly LostRecord[], copy: string | null): object {
  const { damage, from, to, blocksLost } = plan;
  const { segment, reason } = damage;
  return {
    segment,
    from,
    to,
    reason,
    blocks: blocksLost,
    skipped: copy !== null,
    copy,
    records: lost,
  };
}

function reportText(plan: SkipPlan, lost: readonly LostRecord[], copy: string | null): string {
  const { damage, from, to, cursor, blocksLost, isHead } = plan;
  const blocks = blocksLost === null ? "an unknown number of" : `${blocksLost}`;
  const unread = `${to - cursor} bytes that the ledger had not read`;
  const lines = [
    `${damage.segment}, log offsets ${from} to ${to}: ${damage.reason}`,
    isHead
      ? `${unread}; texts in ${to - from} bytes are gone`
      : `${blocks} blocks, ${to - from} bytes; readable, unverified: ${lost.length} records`,
    ...lost.map(({ log_offset: offset, type, id, applied }) => {
      const fate = applied ? "the ledger had read it" : "lost";
      return `${String(offset).padStart(12)} ${type.padEnd(9)} ${id ?? "-"} ${fate}`;
    }),
    copy === null
      ? `nothing is changed. To give this up: smsgw journal skip --at ${from}`
      : `given up; the bytes are kept in ${copy}. Run smsgw journal verify: there may be more`,
  ];
  return `${lines.join("\n")}\n`;
}
