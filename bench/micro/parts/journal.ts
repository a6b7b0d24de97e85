/**
 * The journal on the real disk: records staged and committed by one thread, 64 KB at a time, beside
 * a bare write and fdatasync of as many bytes.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { JournalAppender } from "../../../src/journal/appender.ts";
import { Journal } from "../../../src/journal/journal.ts";
import { openNodeLogDirectory } from "../../../src/journal/node-log-directory.ts";
import { allocateMetrics, MetricBlock } from "../../../src/metrics/block.ts";
import { ACCEPT_TYPE } from "../../../src/records/accept.ts";
import { Doorbell } from "../../../src/ring/doorbell.ts";
import { allocateRing } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { removalAtOnce } from "../../../test/support/removal-directory.ts";
import { type MicroRow, type MicroSpan, nsOf } from "../row.ts";

const RECORD_BYTES = 256;
const RECORDS = 256;
const BLOCK_BYTES = RECORD_BYTES * RECORDS;
const RING_BYTES = 1 << 20;
const SEGMENT_BYTES = 64 << 20;
const FILE_BLOCKS = 256;

export async function runJournalBench(span: MicroSpan): Promise<MicroRow[]> {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-micro-"));
  try {
    const rows: MicroRow[] = [];
    for (const durability of ["disk", "process"] as const) {
      const write = makeWrite(join(folder, `plain-${durability}`), durability === "disk");
      const referenceNs = await nsOf(write.once, RECORDS, span);
      write.close();
      const journal = makeJournal(join(folder, durability), durability);
      rows.push({
        what: `journal: append and commit a record, ${durability}, ${RECORDS} a block`,
        ns: await nsOf(journal.commit, RECORDS, span),
        reference: `${write.name} of 64 KB ÷ ${RECORDS}`,
        referenceNs,
      });
      journal.close();
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a block over and over in a file that has its full length. */
function makeWrite(
  path: string,
  syncs: boolean,
): { name: string; once: () => void; close: () => void } {
  const bytes = Buffer.alloc(BLOCK_BYTES, 1);
  const file = openSync(path, "w");
  for (let i = 0; i < FILE_BLOCKS; i++) writeSync(file, bytes, 0, BLOCK_BYTES, i * BLOCK_BYTES);
  fdatasyncSync(file);
  let next = 0;
  return {
    name: syncs ? "writeSync + fdatasyncSync" : "writeSync",
    once: () => {
      writeSync(file, bytes, 0, BLOCK_BYTES, (next++ % FILE_BLOCKS) * BLOCK_BYTES);
      if (syncs) fdatasyncSync(file);
    },
    close: () => closeSync(file),
  };
}

function makeJournal(
  path: string,
  durability: "disk" | "process",
): { commit: () => void; close: () => void } {
  const staging = new RingMemory(allocateRing(RING_BYTES));
  const notices = new RingMemory(allocateRing(RING_BYTES));
  const words = new Int32Array(new SharedArrayBuffer(4));
  const bell = new Doorbell(words, 0, () => undefined);
  const table = new LogTable(allocateLogTable(1));
  const directory = openNodeLogDirectory(path);
  const removal = removalAtOnce(directory, table);
  const appender = new JournalAppender(new RingProducer(staging), new RingConsumer(notices), bell);
  const journal = new Journal(
    {
      directory,
      appenders: [{ staging: new RingConsumer(staging), notices: new RingProducer(notices), bell }],
      ledgerBell: bell,
      logTable: table,
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      metrics: new MetricBlock(allocateMetrics(1), 0),
    },
    {
      durability,
      segmentBytes: SEGMENT_BYTES,
      blockBytesMax: 1 << 20,
      epoch: 1,
      nextOffset: 0,
      nextNumber: 1,
    },
  );
  const visitor = { onCommitted: (): void => undefined };
  const commit = (): void => {
    for (let i = 0; i < RECORDS; i++) {
      const at = appender.claim(RECORD_BYTES, ACCEPT_TYPE);
      if (at < 0) throw new Error("the staging ring is full");
      appender.memory.bytes.fill(i, at + 8, at + RECORD_BYTES);
    }
    appender.publish();
    do {
      journal.doWork();
    } while (appender.pollCommitted(visitor) === 0 || appender.pendingBytes() > 0);
    // What a ledger would have applied: the journal may remove it.
    table.store(LogWord.RELEASABLE, table.load(LogWord.COMMITTED));
    removal.onTick();
  };
  return { commit, close: () => journal.close() };
}
