import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BlockTailer } from "../../src/journal/log-tailer.ts";
import { openNodeLogDirectory } from "../../src/journal/node-log-directory.ts";
import { recoverLog } from "../../src/journal/recovery.ts";
import { waitingDoorbell } from "../../src/ring/doorbell.ts";
import { allocateRing } from "../../src/ring/layout.ts";
import { allocateLogTable, LogTable, LogWord } from "../../src/tables/log-table.ts";
import { assertComplete, CollectingVisitor } from "../support/journal-rig.ts";
import type { AppenderAgentData } from "./appender-agent.ts";
import type { JournalAgentData } from "./journal-agent.ts";
import { startThread } from "./threads.ts";

const APPENDERS = 3;
const RECORDS = 20_000;
const SEGMENT = 1 << 20;

for (const durability of ["disk", "process"] as const) {
  test(`nothing is lost, doubled, torn or out of order over four threads (${durability})`, {
    timeout: 170_000,
  }, async (context) => {
    const path = mkdtempSync(join(tmpdir(), "smsgw-journal-"));
    try {
      await run(context, path, durability);
    } finally {
      rmSync(path, { recursive: true, force: true });
    }
  });
}

async function run(
  context: TestContext,
  path: string,
  durability: "disk" | "process",
): Promise<void> {
  const staging = Array.from({ length: APPENDERS }, () => allocateRing(65536));
  const notices = Array.from({ length: APPENDERS }, () => allocateRing(16384));
  const bells = new SharedArrayBuffer(4 * (APPENDERS + 2));
  const logTable = allocateLogTable(APPENDERS);
  const stop = new SharedArrayBuffer(4);
  const journalData: JournalAgentData = {
    path,
    durability,
    staging,
    notices,
    bells,
    logTable,
    stop,
    segmentBytes: SEGMENT,
  };
  const journal = startThread(context, "./journal-agent.js", import.meta.url, journalData);
  const appenders = staging.map((ring, index) => {
    const data: AppenderAgentData = {
      index,
      bells,
      logTable,
      staging: ring,
      notices: notices[index] as SharedArrayBuffer,
      journalBell: APPENDERS + 1,
      records: RECORDS,
    };
    return startThread(context, "./appender-agent.js", import.meta.url, data);
  });
  const visitor = new CollectingVisitor();
  const table = new LogTable(logTable);
  const all = Promise.all([...appenders, tail(path, table, visitor)]);
  const places = (await Promise.race([all, journal])) as Float64Array[];
  Atomics.store(new Int32Array(stop), 0, 1);
  waitingDoorbell(new Int32Array(bells), APPENDERS + 1).ring();
  await journal;
  assertComplete(
    visitor.records,
    Array.from({ length: APPENDERS }, () => RECORDS),
  );
  for (const { appender, sequence, logOffset } of visitor.records) {
    assert.equal(logOffset, places[appender]?.[sequence]);
  }
  const found = recoverLog(openNodeLogDirectory(path), { segmentBytes: SEGMENT, from: null });
  assert.equal(found.nextOffset, table.load(LogWord.COMMITTED));
  assert.equal(found.cut, 0);
}

/** Follows the log until every record was seen. */
async function tail(path: string, table: LogTable, visitor: CollectingVisitor): Promise<void> {
  const tailer = new BlockTailer(openNodeLogDirectory(path), table, 0, 65536);
  while (visitor.records.length < APPENDERS * RECORDS) {
    if (tailer.poll(visitor, 1 << 20) === 0) await new Promise((wake) => setTimeout(wake, 1));
    else await new Promise(setImmediate);
  }
  tailer.close();
}
