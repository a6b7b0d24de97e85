/**
 * Entry of the sink thread: files and uploads what the ledger has cut. Nothing waits for it but
 * disk.
 *
 * A thread of its own, so that neither a slow bucket nor a long compression (in the pool's thread)
 * takes time from the ledger.
 */
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { ledgerPath, ledgerSyncs } from "../ledger/store/lmdb-store.ts";
import { Counter, MetricBlock } from "../metrics/block.ts";
import { CdrSink } from "../sink/cdr-sink.ts";
import { ConditionalWrites } from "../sink/conditional-writes.ts";
import { LogArchive } from "../sink/log-archive.ts";
import type { ObjectStore } from "../sink/object-store.ts";
import { LogTable } from "../tables/log-table.ts";
import { packThreadIndex, sinkThreadIndex } from "../tables/plan.ts";
import { ticksIndex } from "../tables/thread-table.ts";
import { threadClock } from "./clock.ts";
import { threadLog } from "./log.ts";
import { PackPool } from "./pack-pool.ts";
import { giveWay, leaveSystemId } from "./thread-cpu.ts";
import type {
  CutNote,
  FiledNote,
  SinkThreadData,
  ThreadCommand,
  ThreadNote,
} from "./thread-data.ts";

giveWay();

const TICK_MS = 250;
const LOOK_MS = 10;
/** At the end of the process, for what is left to upload. */
const UPLOAD_MS_MAX = 5000;

const data = workerData as SinkThreadData;
const { plan, memory, config } = data;
const self = sinkThreadIndex(plan);
const bells = new Int32Array(memory.bells);
const clock = threadClock(data.clock);
const { dataDir, name: node, region } = config.node;
const ledgerStore = {
  store: ledgerPath(config),
  bytesMax: config.ledger.bytesMax,
  syncs: ledgerSyncs(config),
};
const folder = join(dataDir, "cdr");
let isDraining = false;
const pool = new PackPool(bells, packThreadIndex(plan));

leaveSystemId(bells, self);

const metrics = new MetricBlock(memory.metrics, self);
const log = threadLog("sink", config);
const store = await bucket();
const logArchive = config.log.archive
  ? new LogArchive({
      node,
      folder: dataDir,
      store,
      bytesMax: config.log.archiveBytesMax,
      clock,
      log,
    })
  : null;

const sink = new CdrSink({
  node,
  folder,
  store,
  pack: (cut) => pool.pack({ ...ledgerStore, node, region, folder, cut }),
  onBehind: (isBehind) => pool.hurry(isBehind || isDraining),
  onFiled: () => data.ledger.postMessage({ kind: "filed" } satisfies FiledNote),
  logTable: new LogTable(memory.log),
  metrics,
  clock,
  random: Math.random,
  log,
  sleep,
});

setInterval(() => {
  Atomics.add(bells, ticksIndex(self), 1);
  sink.onTick();
  void logArchive?.onTick();
}, TICK_MS);
parentPort?.on("message", (command: ThreadCommand) => {
  if (command.kind === "drain") drain();
  else if (command.kind === "close") close();
});
await sink.open();
data.ledger.on("message", ({ cut }: CutNote) => sink.take(cut));

/** Loads the SDK only where there is a bucket: it takes 10 MB and half a second. */
async function bucket(): Promise<ObjectStore | null> {
  const { cdr, s3 } = config;
  if (cdr.bucket === null || s3 === null) return null;
  const { S3ObjectStore } = await import("../sink/s3-store.ts");
  const conditions = new ConditionalWrites({
    clock,
    log,
    onUnconditional: () => metrics.add(Counter.cdrUnconditionalPuts, 1),
  });
  return new S3ObjectStore(s3, cdr.bucket, cdr.prefix, conditions);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Lets uploads under way and files in hand finish, for a while. */
function drain(): void {
  isDraining = true;
  pool.hurry(true);
  const giveUpAt = clock.monotonicMs() + UPLOAD_MS_MAX;
  const timer = setInterval(() => {
    if (!sink.isDone() && clock.monotonicMs() < giveUpAt) return;
    clearInterval(timer);
    sink.stop();
    note({ kind: "drained" });
  }, LOOK_MS);
}

/** What is under way is broken off: a file begun is made anew at the next start. */
function close(): void {
  sink.stop();
  data.ledger.removeAllListeners("message");
  void pool.settle().then(() => note({ kind: "closed" }));
}

function note(message: ThreadNote): void {
  parentPort?.postMessage(message);
}
