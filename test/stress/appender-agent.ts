/**
 * An appender as a thread: stages records of random sizes, checks each commit, says where each one
 * lies.
 */
import assert from "node:assert/strict";
import { parentPort, workerData } from "node:worker_threads";
import { JournalAppender } from "../../src/journal/appender.ts";
import { DoorbellOwner, waitingDoorbell } from "../../src/ring/doorbell.ts";
import { RING_FULL } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { LogTable, LogWord } from "../../src/tables/log-table.ts";
import { checkFiller, FILLER, writeFiller } from "../support/filler-record.ts";
import { integerIn, seededRandom } from "../support/seeded-random.ts";

export interface AppenderAgentData {
  readonly index: number;
  readonly staging: SharedArrayBuffer;
  readonly notices: SharedArrayBuffer;
  readonly bells: SharedArrayBuffer;
  readonly journalBell: number;
  readonly logTable: SharedArrayBuffer;
  readonly records: number;
}

const data = workerData as AppenderAgentData;
const bells = new Int32Array(data.bells);
const owner = new DoorbellOwner(bells, data.index);
const table = new LogTable(data.logTable);
const appender = new JournalAppender(
  new RingProducer(new RingMemory(data.staging)),
  new RingConsumer(new RingMemory(data.notices)),
  waitingDoorbell(bells, data.journalBell),
);
const random = seededRandom(data.index + 1);
const logOffsets = new Float64Array(data.records);
let committed = 0;
let staged = 0;
const visitor = {
  onCommitted: (_type: number, offset: number, lengthBytes: number, logOffset: number): void => {
    const said = checkFiller(appender.memory, offset, lengthBytes);
    assert.deepEqual(said, { appender: data.index, sequence: committed });
    assert.ok(logOffset + lengthBytes <= table.load(LogWord.COMMITTED), "told before committed");
    logOffsets[committed] = logOffset;
    committed++;
  },
};
while (committed < data.records) {
  const burst = integerIn(random, 1, 30);
  for (let i = 0; i < burst && staged < data.records; i++) {
    const bytesMax = random() < 0.05 ? 8192 : 600;
    const offset = appender.claim(integerIn(random, 24, bytesMax), FILLER);
    if (offset === RING_FULL) break;
    writeFiller(appender.memory, offset, data.index, staged);
    staged++;
  }
  appender.publish();
  if (random() < 0.3 && staged < data.records) continue;
  if (appender.pollCommitted(visitor) > 0) continue;
  owner.arm();
  if (appender.hasNotices()) owner.disarm();
  else owner.sleep(Number.POSITIVE_INFINITY);
}
parentPort?.postMessage(logOffsets);
