/**
 * Entry of the journal thread: commits as long as something is staged, otherwise sleeps in
 * Atomics.wait.
 *
 * While much is staged it rests between commits (CommitPace). It has no event loop to serve. It
 * stops when it is told to and nothing is staged any more; what it throws ends the process.
 */
import { workerData } from "node:worker_threads";
import { CommitPace } from "../journal/commit-pace.ts";
import { openNodeLogDirectory } from "../journal/node-log-directory.ts";
import { Journal } from "../journal/journal.ts";
import { MetricBlock } from "../metrics/block.ts";
import { DoorbellOwner } from "../ring/doorbell.ts";
import { LogTable } from "../tables/log-table.ts";
import { journalThreadIndex, ledgerIndex } from "../tables/plan.ts";
import { bellIndex, blockedIndex, stopIndex, ticksIndex } from "../tables/thread-table.ts";
import { doorbells } from "./bell-ports.ts";
import { threadClock } from "./clock.ts";
import { ringConsumer, ringProducer } from "./shared-memory.ts";
import { leaveSystemId } from "./thread-cpu.ts";
import type { JournalThreadData } from "./thread-data.ts";

const BLOCK_BYTES_MAX = 1024 * 1024;

const data = workerData as JournalThreadData;
const { plan, memory, config } = data;
const self = journalThreadIndex(plan);
const bells = new Int32Array(memory.bells);
const clock = threadClock(data.clock);
const pace = new CommitPace(config.journal.commitIntervalUs / 1000);
/** Nobody wakes this thread from a rest: what comes meanwhile is what it rests for. */
const restWord = new Int32Array(new SharedArrayBuffer(4));
const bell = new DoorbellOwner(bells, bellIndex(self));
const ring = doorbells(data.ports, bells, plan);

leaveSystemId(bells, self);

const journal = new Journal(
  {
    directory: openNodeLogDirectory(config.node.dataDir),
    appenders: memory.staging.map((staging, appender) => ({
      staging: ringConsumer(staging),
      notices: ringProducer(memory.notices[appender]),
      bell: ring[appender] as (typeof ring)[number],
    })),
    ledgerBell: ring[ledgerIndex(plan)] as (typeof ring)[number],
    logTable: new LogTable(memory.log),
    clock,
    metrics: new MetricBlock(memory.metrics, self),
    onCommitted: (startedMs, bytes) => pace.committed(startedMs, bytes),
  },
  {
    durability: config.journal.durability === "disk" ? "disk" : "process",
    segmentBytes: config.journal.segmentBytes,
    blockBytesMax: BLOCK_BYTES_MAX,
    epoch: data.epoch,
    nextOffset: data.nextOffset,
    nextNumber: data.nextNumber,
  },
);

for (;;) {
  const restMs = pace.restMs(clock.monotonicMs());
  if (restMs > 0) Atomics.wait(restWord, 0, 0, restMs);
  const count = work();
  if (count > 0) continue;
  if (Atomics.load(bells, stopIndex(self)) === 1) break;
  bell.arm();
  if (work() > 0) bell.disarm();
  else bell.sleep(journal.sleepMsMax);
}
journal.close();

/** One round, marked as time spent with the disk. */
function work(): number {
  Atomics.add(bells, ticksIndex(self), 1);
  Atomics.store(bells, blockedIndex(self), 1);
  const count = journal.doWork();
  Atomics.store(bells, blockedIndex(self), 0);
  return count;
}
