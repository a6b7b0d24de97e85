/** The journal as a thread: works, and sleeps in Atomics.wait, until told to stop. */
import { parentPort, workerData } from "node:worker_threads";
import { Journal } from "../../src/journal/journal.ts";
import { openNodeLogDirectory } from "../../src/journal/node-log-directory.ts";
import { allocateMetrics, Counter, MetricBlock } from "../../src/metrics/block.ts";
import { DoorbellOwner, waitingDoorbell } from "../../src/ring/doorbell.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { LogTable } from "../../src/tables/log-table.ts";

export interface JournalAgentData {
  readonly path: string;
  readonly durability: "disk" | "process";
  readonly staging: readonly SharedArrayBuffer[];
  readonly notices: readonly SharedArrayBuffer[];
  /** Bells of the appenders, then the ledger's, then the journal's. */
  readonly bells: SharedArrayBuffer;
  readonly logTable: SharedArrayBuffer;
  /** Not 0: stop. */
  readonly stop: SharedArrayBuffer;
  readonly segmentBytes: number;
}

const data = workerData as JournalAgentData;
const bells = new Int32Array(data.bells);
const appenders = data.staging.map((staging, i) => ({
  staging: new RingConsumer(new RingMemory(staging)),
  notices: new RingProducer(new RingMemory(data.notices[i] as SharedArrayBuffer)),
  bell: waitingDoorbell(bells, i),
}));
const metrics = new MetricBlock(allocateMetrics(1), 0);
const journal = new Journal(
  {
    directory: openNodeLogDirectory(data.path),
    appenders,
    ledgerBell: waitingDoorbell(bells, appenders.length),
    logTable: new LogTable(data.logTable),
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    metrics,
  },
  {
    durability: data.durability,
    segmentBytes: data.segmentBytes,
    blockBytesMax: 256 * 1024,
    epoch: 1,
    nextOffset: 0,
    nextNumber: 1,
  },
);
const owner = new DoorbellOwner(bells, appenders.length + 1);
const stop = new Int32Array(data.stop);
while (Atomics.load(stop, 0) === 0) {
  if (journal.doWork() > 0) continue;
  owner.arm();
  if (journal.doWork() > 0) owner.disarm();
  else owner.sleep(journal.sleepMsMax);
}
journal.close();
parentPort?.postMessage({ commits: metrics.read(Counter.commits) });
