/**
 * `smsgw journal skip`: gives up one damaged stretch of the log, and says exactly what is given up.
 *
 * Without `--at` it only shows; with it, the offset must be the one that it shows.
 */
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
import { writeMessageKey } from "../ledger/messages/message-state.ts";
import { LedgerTable, type LedgerStore } from "../ledger/store/store.ts";
import { Accept } from "../records/accept.ts";
import { Attempt } from "../records/attempt.ts";
import { MESSAGE_KEY_BYTES } from "../records/message-key.ts";
import type { RecordMemory } from "../records/memory.ts";
import { RecordType } from "../records/types.ts";
import { recordFields, typeName } from "./journal-records.ts";
import { positionOf, withLedgerStore } from "./ledger-store.ts";
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
  /** Its effect is in the ledger's store and stays, only its bytes go. */
  readonly applied: boolean;
}

/** The caller holds the lock of the data directory. */
export async function skip(
  directory: LogDirectory,
  options: SkipOptions,
  io: CliIo,
): Promise<number> {
  let plan: SkipPlan;
  let lost: LostRecord[];
  try {
    [plan, lost] = await withLedgerStore(options.dataDir, (store) => {
      const { cursor, replayFrom, heldFrom } = positionOf(store);
      const found = planSkip(directory, cursor, replayFrom, heldFrom);
      return [found, lostRecords(directory, found, store)];
    });
  } catch (error) {
    if (!(error instanceof SkipRefusedError)) throw error;
    io.stderr(`smsgw journal skip: ${error.message}\n`);
    return EXIT_CODES.failure.code;
  }
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

function lostRecords(
  directory: LogDirectory,
  plan: SkipPlan,
  store: LedgerStore | null,
): LostRecord[] {
  const node = readNodeFile(directory)?.node ?? "?";
  const lost: LostRecord[] = [];
  salvage(directory, plan, {
    onRecord: (type, memory, offset, lengthBytes, logOffset) => {
      const { id } = recordFields(type, memory, offset, lengthBytes, node);
      lost.push({
        log_offset: logOffset,
        type: typeName(type),
        id: typeof id === "string" ? id : null,
        applied: isApplied(plan, store, { type, memory, offset, logOffset }),
      });
    },
  });
  return lost;
}

interface RecordPlace {
  readonly type: number;
  readonly memory: RecordMemory;
  readonly offset: number;
  readonly logOffset: number;
}

/**
 * Whether the store has what the record says. Between where a start reads and the cursor it lacks
 * ACCEPT and SENDING of messages without a row, and nothing else.
 */
function isApplied(
  { cursor, readFrom }: SkipPlan,
  store: LedgerStore | null,
  { type, memory: { view }, offset, logOffset }: RecordPlace,
): boolean {
  if (logOffset >= cursor || store === null) return false;
  if (logOffset < readFrom) return true;
  const isAccept = type === RecordType.ACCEPT;
  if (!isAccept && type !== RecordType.SENDING) return true;
  const sequence = view.getFloat64(offset + (isAccept ? Accept : Attempt).SEQUENCE, true);
  const origin = view.getUint32(offset + (isAccept ? Accept : Attempt).ORIGIN, true);
  const key = new Uint8Array(MESSAGE_KEY_BYTES);
  writeMessageKey(new DataView(key.buffer), 0, sequence, origin);
  return store.get(LedgerTable.ROWS, key) !== undefined;
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
  const { damage, from, to, readFrom, blocksLost, isHead } = plan;
  const blocks = blocksLost === null ? "an unknown number of" : `${blocksLost}`;
  const unread = `${to - readFrom} bytes that the ledger had still to read`;
  const lines = [
    `${damage.segment}, log offsets ${from} to ${to}: ${damage.reason}`,
    isHead
      ? `${unread}; texts in ${to - from} bytes are gone`
      : `${blocks} blocks, ${to - from} bytes; readable, unverified: ${lost.length} records`,
    ...lost.map(({ log_offset: offset, type, id, applied }) => {
      const fate = applied ? "the ledger has it" : "lost";
      return `${String(offset).padStart(12)} ${type.padEnd(9)} ${id ?? "-"} ${fate}`;
    }),
    copy === null
      ? `nothing is changed. To give this up: smsgw journal skip --at ${from}`
      : `given up; the bytes are kept in ${copy}. Run smsgw journal verify: there may be more`,
  ];
  return `${lines.join("\n")}\n`;
}
