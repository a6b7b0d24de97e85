/**
 * Entry of an SMPP worker thread: its sessions, its share of the links, its event loop.
 */
import { parentPort, workerData } from "node:worker_threads";
import { JournalAppender } from "../journal/appender.ts";
import { openNodeLogDirectory } from "../journal/node-log-directory.ts";
import { ChunkedRecordLoader } from "../journal/record-loader.ts";
import { ledgerPath, ledgerSyncs, LmdbMovedBodies } from "../ledger/store/lmdb-store.ts";
import { MetricBlock } from "../metrics/block.ts";
import { nodeDial } from "../smpp/session/node-dial.ts";
import { assignSessions } from "../smpp/plan.ts";
import { SmppWorker } from "../smpp/worker.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { QueueTable } from "../tables/queue-table.ts";
import { LogTable } from "../tables/log-table.ts";
import { journalThreadIndex, producerCount, workerAppenderIndex } from "../tables/plan.ts";
import { doorbells, ownBell } from "./bell-ports.ts";
import { threadClock } from "./clock.ts";
import { EventLoopRunner } from "./event-loop-runner.ts";
import { threadLog } from "./log.ts";
import { ringConsumer, ringProducer } from "./shared-memory.ts";
import { leaveSystemId } from "./thread-cpu.ts";
import type { ThreadCommand, ThreadNote, WorkerThreadData } from "./thread-data.ts";

const DRAIN_LOOK_MS = 10;
/** Windows have so long to finish in a drain. */
const DRAIN_WINDOWS_MS = 20_000;
const LOADER_LOOK_MS = 1000;

const data = workerData as WorkerThreadData;
const { plan, memory, config } = data;
const self = workerAppenderIndex(plan, data.worker);
const bells = new Int32Array(memory.bells);
const ring = doorbells(data.ports, bells, plan);

leaveSystemId(bells, self);

const loader = new ChunkedRecordLoader(
  openNodeLogDirectory(config.node.dataDir),
  new LogTable(memory.log),
  new LmdbMovedBodies(ledgerPath(config), config.ledger.bytesMax, ledgerSyncs(config)),
);
const clock = threadClock(data.clock);

const worker = new SmppWorker({
  clock,
  random: Math.random,
  dial: nodeDial,
  log: threadLog(`worker-${data.worker}`, config),
  wake: () => runner.wake(),
  appender: new JournalAppender(
    ringProducer(memory.staging[self]),
    ringConsumer(memory.notices[self]),
    ring[journalThreadIndex(plan)] as (typeof ring)[number],
  ),
  loader,
  submits: memory.submit.map((byWorker) => ringConsumer(byWorker[data.worker])),
  returns: (memory.returns[data.worker] ?? []).map((buffer) => ringProducer(buffer)),
  producerBells: ring.slice(0, producerCount(plan)),
  credits: new CreditTable(memory.credits, plan),
  queueTable: new QueueTable(memory.queues, plan),
  linkWords: new Int32Array(memory.links),
  dialWords: new Int32Array(memory.dials),
  sessionWords: new Int32Array(memory.sessions),
  contracts: memory.contracts.map((tokens) => new Int32Array(tokens)),
  references: memory.references,
  metrics: new MetricBlock(memory.metrics, self),
  inHand: new Float64Array(memory.inHand).subarray(self, self + 1),
  onStalled: (linkId) => {
    parentPort?.postMessage({ kind: "stalled", linkId } satisfies ThreadNote);
  },
  plan: data.pools,
  workerIndex: data.worker,
  sessions: assignSessions(data.pools.links, plan.workerCount)[data.worker] ?? [],
});
const runner: EventLoopRunner = new EventLoopRunner(
  worker,
  ownBell(data.ports, bells, self, () => runner.wake()),
  bells,
  self,
);
runner.start();
setInterval(() => loader.closeRemoved(), LOADER_LOOK_MS);

parentPort?.on("message", (command: ThreadCommand) => {
  if (command.kind === "drain") {
    drain();
  } else if (command.kind === "reload") {
    const { pools } = command;
    worker.reload(pools, assignSessions(pools.links, plan.workerCount)[data.worker] ?? []);
    note({ kind: "reloaded" });
  } else if (command.kind === "close") {
    runner.stop();
    note({ kind: "closed" });
  } else if (command.kind === "dump") {
    const { question, linkId } = command;
    note({ kind: "dumped", question, recordings: worker.recordingsOf(linkId, config.log.redact) });
  }
});

function drain(): void {
  worker.drain();
  const deadline = clock.monotonicMs() + DRAIN_WINDOWS_MS;
  const timer = setInterval(() => {
    if (clock.monotonicMs() > deadline) worker.cutShort();
    if (!worker.isDrained()) return;
    clearInterval(timer);
    note({ kind: "drained" });
  }, DRAIN_LOOK_MS);
}

function note(message: ThreadNote): void {
  parentPort?.postMessage(message);
}
