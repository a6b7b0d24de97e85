/**
 * Entry of the ledger thread: recovers the log, then tails it for as long as the process lives.
 *
 * Order at start: store → cursor → recovery of the log → epoch → "recovered" (the main thread
 * starts the journal) → STARTED applied → "ready" (the main thread starts workers and listens).
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import type { PoolPlan } from "../config/derive.ts";
import { EXIT_CODES, type ExitName } from "../errors.ts";
import { Dispatcher } from "../dispatch/dispatcher.ts";
import { JournalAppender } from "../journal/appender.ts";
import { quarantinedRecords, readLastExit, readNodeFile, startEpoch } from "../journal/data-dir.ts";
import { DataDirError, isNoRoom, LogCorruptionError } from "../journal/errors.ts";
import { BlockTailer } from "../journal/log-tailer.ts";
import { openNodeLogDirectory } from "../journal/node-log-directory.ts";
import { openNodeRemovalDirectory } from "../journal/node-removal-directory.ts";
import { ChunkedRecordLoader } from "../journal/record-loader.ts";
import { type RecoveredLog, recoverLog } from "../journal/recovery.ts";
import { SegmentRemoval } from "../journal/segment-removal.ts";
import { readSkipped } from "../journal/skipped-stretches.ts";
import { CdrRows } from "../ledger/cdr/cdr-rows.ts";
import { resolveHeld } from "../ledger/flow/held.ts";
import { IdempotencyKeys } from "../ledger/idempotency-keys.ts";
import { Ledger } from "../ledger/ledger.ts";
import {
  ledgerPath,
  ledgerSyncs,
  type LmdbLedgerStore,
  openLmdbStore,
} from "../ledger/store/lmdb-store.ts";
import { StoreFullError } from "../ledger/store/store-room.ts";
import { movedBodiesIn } from "../ledger/body-moves.ts";
import { isRecordDone } from "../ledger/flow/record-done.ts";
import { readPosition } from "../ledger/store/meta.ts";
import { ledgerPlanOf } from "../ledger/policy.ts";
import { MetricBlock } from "../metrics/block.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { IdempotencyTable } from "../tables/idempotency-table.ts";
import { allocateLogTable, LogTable, LogWord } from "../tables/log-table.ts";
import { journalThreadIndex, ledgerIndex } from "../tables/plan.ts";
import { doorbells, ownBell } from "./bell-ports.ts";
import { threadClock } from "./clock.ts";
import { EventLoopRunner } from "./event-loop-runner.ts";
import { threadLog } from "./log.ts";
import { watchMain } from "./main-watch.ts";
import { linkDirectory, producerEnds } from "./producer-ends.ts";
import { queueReasonOf, type QueueReasonTables } from "./queue-reason.ts";
import { ringConsumer, ringProducer } from "./shared-memory.ts";
import { leaveSystemId } from "./thread-cpu.ts";
import type {
  CutNote,
  LedgerAnswer,
  LedgerOrder,
  LedgerQuestion,
  LedgerThreadData,
  ThreadCommand,
  ThreadNote,
} from "./thread-data.ts";

const WAITING_MAX = 8_000_000;
const LOOK_INTERVAL_MS = 5;
const LOADER_LOOK_MS = 1000;
/** Between two looks of others at what is learnt of links' receipts. */
const LINKS_SHOWN_MS = 500;
const FILED_MS_MAX = 5000;
/** Longest that a thread that broke waits for its store to close before it says so. */
const CLOSED_MS_MAX = 2000;

const data = workerData as LedgerThreadData;
const { plan, memory, config } = data;
const self = ledgerIndex(plan);
const bells = new Int32Array(memory.bells);
const ring = doorbells(data.ports, bells, plan);
const log = threadLog("ledger", config);
const directory = openNodeLogDirectory(config.node.dataDir);
const logTable = new LogTable(memory.log);
const clock = threadClock(data.clock);
const reasonTables: QueueReasonTables = {
  workerCount: plan.workerCount,
  credits: new CreditTable(memory.credits, plan),
  linkWords: new Int32Array(memory.links),
  sessionWords: new Int32Array(memory.sessions),
  contracts: memory.contracts.map((contract) => new Int32Array(contract)),
};
let poolPlan = data.pools;
let ledgerPlan = ledgerPlanOf(data.pools, null);
let dispatcher: Dispatcher | null = null;
let openedStore: LmdbLedgerStore | null = null;
let endWork = (): void => undefined;
let closed: Promise<void> | null = null;

process.on("uncaughtException", (error: unknown) => {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  leaveSystemId(bells, self);
  // A store whose disk fails may never close.
  const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSED_MS_MAX));
  void Promise.race([stop(), late]).then(() => note({ kind: "broken", reason }));
});

parentPort?.on("message", (command: ThreadCommand) => {
  if (command.kind === "drain") drain();
  else if (command.kind === "reload") reload(command.pools);
  else if (command.kind === "close") close("closed");
});

const { store, recovered, epoch, quarantined } = await recover();
logLastCrash();
const cdrRows = makeCdrRows();
const keys = makeKeys();
const ledger = makeLedger();
const removal = new SegmentRemoval({
  directory: openNodeRemovalDirectory(config.node.dataDir),
  logTable,
  log,
  after: (ms, run) => setTimeout(run, ms),
});
const runner: EventLoopRunner = new EventLoopRunner(
  {
    doWork: () => ledger.doWork(),
    onTick: () => {
      ledger.onTick();
      removal.onTick();
    },
    isQuiet: (aheadMs) => ledger.isQuiet(aheadMs),
  },
  ownBell(data.ports, bells, self, () => runner.wake()),
  bells,
  self,
  // Nobody waits for the log to be read; workers may wait for messages that are to be sent anew.
  () => !ledger.isRecovering() && (dispatcher === null || dispatcher.waitingCount === 0),
);
for (const port of data.queries) {
  port.on("message", (question: LedgerQuestion) => answer(question, port));
}
data.sink?.on("message", () => {
  cdrRows?.noteFiled();
  runner.wake();
});
// Within a call of LMDB, of which recovery makes many, it cannot be ended any more than in loading.
leaveSystemId(bells, self);
note({
  kind: "recovered",
  epoch,
  nextOffset: recovered.nextOffset,
  nextNumber: recovered.nextNumber,
});
runner.start();
setInterval(() => ledger.showLinks(reasonTables.linkWords, rowOfLink), LINKS_SHOWN_MS);
const endWatch = watchMain({
  bells,
  inHand: new Float64Array(memory.inHand),
  epoch,
  clock,
  directory,
  kill: () => process.kill(process.pid, "SIGKILL"),
});
endWork = () => {
  endWatch();
  runner.stop();
};
const readyTimer = setInterval(() => {
  if (!ledger.isReady()) return;
  clearInterval(readyTimer);
  note({ kind: "ready" });
}, LOOK_INTERVAL_MS);

/** Opens the store and recovers the log; says why and waits for its end if that is refused. */
async function recover() {
  try {
    const opened = openLmdbStore(ledgerPath(config), config.ledger.bytesMax, ledgerSyncs(config));
    openedStore = opened;
    const { cursor: position, replayFrom } = readPosition(opened);
    const found = recoverLog(directory, {
      segmentBytes: config.journal.segmentBytes,
      from: position > 0 ? position : null,
      replayFrom,
    });
    if (found.cut > 0) log.write("warn", "cut a torn tail of the log", { bytes: found.cut });
    // The log is durable now. A run with `none` has left the store without a sync: what follows,
    // the removal of segments above all, would rest on it.
    const syncs = ledgerSyncs(config);
    if (syncs && readNodeFile(directory)?.storeSynced !== true) await opened.makeDurable();
    const started = startEpoch(directory, config.node.name, found.epochSeen, syncs);
    return {
      store: opened,
      recovered: found,
      epoch: started.epoch,
      quarantined: quarantine(opened, replayFrom, found),
    };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === null) throw error;
    note({ kind: "refused", exitCode: EXIT_CODES[refusal].code, reason: (error as Error).message });
    leaveSystemId(bells, self);
    return await new Promise<never>(() => undefined);
  }
}

/** The row of EXIT_CODES that a start ends with that cannot go on; null for what is no refusal. */
function refusalOf(error: unknown): ExitName | null {
  if (error instanceof LogCorruptionError || error instanceof DataDirError) return error.exit;
  return error instanceof StoreFullError || isNoRoom(error) ? "failure" : null;
}

/** Rows go to the sink thread; without one there are none. */
function makeCdrRows(): CdrRows | null {
  const { sink } = data;
  if (sink === null) return null;
  const { format, rollIntervalS, rollBytesMax, diskBytesMax } = config.cdr;
  return new CdrRows({
    store,
    logTable,
    epoch,
    clock: threadClock(data.clock),
    random: Math.random,
    log,
    format,
    rollIntervalMs: rollIntervalS * 1000,
    rollBytesMax,
    diskBytesMax,
    onCut: (cut) => sink.postMessage({ cut } satisfies CutNote),
  });
}

/** Puts the keys that the store has into shared memory. */
function makeKeys(): IdempotencyKeys {
  const { ttlH, keysMax, appKeysMax } = config.idempotency;
  return new IdempotencyKeys({
    store,
    table: new IdempotencyTable(memory.idempotency),
    metrics: new MetricBlock(memory.metrics, self),
    bounds: { ttlMs: ttlH * 3_600_000, keysMax, appKeysMax },
  });
}

function makeLedger(): Ledger {
  const loader = new ChunkedRecordLoader(directory, logTable, movedBodiesIn(store));
  setInterval(() => loader.closeRemoved(), LOADER_LOOK_MS);
  return new Ledger({
    node: config.node.name,
    epoch,
    tailer: new BlockTailer(directory, logTable, recovered.tailFrom),
    loader,
    appender: new JournalAppender(
      ringProducer(memory.staging[self]),
      ringConsumer(memory.notices[self]),
      ring[journalThreadIndex(plan)] as (typeof ring)[number],
    ),
    store,
    submitterOf: (owner) => {
      dispatcher = new Dispatcher({
        ...producerEnds(memory, data.pools, self, ring),
        waitingMax: WAITING_MAX,
        owner,
      });
      return dispatcher;
    },
    logTable,
    clock,
    random: Math.random,
    log,
    metrics: new MetricBlock(memory.metrics, self),
    inHand: new Float64Array(memory.inHand),
    inHandIndex: self,
    quarantined,
    isSkipped: readSkipped(directory),
    observers: cdrRows === null ? [keys] : [keys, cdrRows],
    cancelOrders: (producer, cancel) =>
      data.queries[producer]?.postMessage({ cancel } satisfies LedgerOrder),
    queueReasonOf: (poolIndex) =>
      queueReasonOf(poolPlan, reasonTables, poolIndex, clock.monotonicMs()),
    policy: {
      retentionMs: config.ledger.retentionH * 3_600_000,
      bytesMax: config.ledger.bytesMax,
      segmentBytes: config.journal.segmentBytes,
      logBytesMax: config.journal.bytesMax,
      eventsMax: config.ledger.eventsMax,
      eventsTtlMs: config.ledger.eventsTtlH * 3_600_000,
      keepsDeadTexts: config.ledger.deadLetterTexts,
      receiptGraceMs: config.ledger.receiptGraceS * 1000,
      plan: ledgerPlan,
    },
  });
}

function rowOfLink(linkId: number): number | undefined {
  return poolPlan.links.find(({ config: link }) => link.id === linkId)?.linkIndex;
}

/** Pools first: what waits may be for one that this plan brings. */
function reload(pools: PoolPlan): void {
  poolPlan = pools;
  ledgerPlan = ledgerPlanOf(pools, ledgerPlan);
  dispatcher?.reload(linkDirectory(pools));
  ledger.reload(ledgerPlan);
  runner.wake();
  note({ kind: "reloaded" });
}

/** A run that was killed for its stall could not say so itself. */
function logLastCrash(): void {
  const last = readLastExit(directory);
  if (last === null || last.epoch !== epoch - 1) return;
  const { code, reason, thread } = last;
  log.write("warn", "the run before this one crashed", { code, of: thread, cause: reason });
}

/** Offsets of the records that this run leaves out. */
function quarantine(
  opened: LmdbLedgerStore,
  replayFrom: number,
  { firstOffset, nextOffset }: RecoveredLog,
): ReadonlySet<number> {
  // The journal, which tells others what is committed, has not started yet.
  const durable = new LogTable(allocateLogTable(0));
  durable.store(LogWord.OLDEST, firstOffset);
  durable.store(LogWord.COMMITTED, nextOffset);
  const loader = new ChunkedRecordLoader(directory, durable, movedBodiesIn(opened));
  const found = quarantinedRecords(directory, (logOffset) =>
    isRecordDone(logOffset, replayFrom, loader, opened),
  );
  loader.close();
  for (const logOffset of found) {
    log.write("error", "quarantine a record that was in hand at two crashes", {
      log_offset: logOffset,
    });
  }
  return found;
}

function answer(question: LedgerQuestion, port: MessagePort): void {
  if (question.kind === "cancel_refused") {
    ledger.refuseCancel(question);
    return;
  }
  const reply = (document: unknown): void =>
    port.postMessage({ question: question.question, document } satisfies LedgerAnswer);
  switch (question.kind) {
    case "status":
      reply(ledger.status());
      break;
    case "message":
      reply(ledger.getMessage(question, question.appId));
      break;
    case "cancel":
      ledger.cancel(question, question.appId, reply);
      break;
    case "answer":
      ledger.awaitAnswer(question, question.appId, clock.wallMs() + question.waitMs, reply);
      break;
    case "list":
      if (!ledger.list(question.list, reply)) reply("late");
      break;
    case "events":
      reply(ledger.events(question.appId, question.after, question.limit));
      break;
    case "held":
      reply(ledger.held(question.after, question.limit));
      break;
    case "resolve":
      resolveHeld(ledger, question.keys, question.decision, reply);
      break;
    case "dead_letters":
      reply(ledger.deadLetters(question.filter, question.after, question.limit));
      break;
    case "claim":
      reply(ledger.claimDeadLetters(question.keys));
      break;
    case "release":
      reply(ledger.releaseDeadLetters(question.keys));
      break;
    default:
  }
  runner.wake();
}

/**
 * Applies and flushes everything that is committed; nobody appends any more but the ledger itself.
 * Then the rows become files, for which it waits a little: what does not, does at the next start.
 */
function drain(): void {
  const clock = threadClock(data.clock);
  const giveUpAt = clock.monotonicMs() + FILED_MS_MAX;
  const timer = setInterval(() => {
    const committed = logTable.load(LogWord.COMMITTED);
    const isFlushed = logTable.load(LogWord.LEDGER_FLUSHED) >= committed && ledger.isAllDurable();
    const isFiled = cdrRows === null || cdrRows.isFiled() || clock.monotonicMs() >= giveUpAt;
    if (!isFlushed || !isFiled) {
      if (isFlushed) cdrRows?.requestCut();
      ledger.requestFlush();
      runner.wake();
      return;
    }
    clearInterval(timer);
    close("drained");
  }, LOOK_INTERVAL_MS);
}

/** Nothing is committed any more; `done` is said when what was is in the store. */
function close(done: "closed" | "drained"): void {
  void stop().then(() => note({ kind: done }));
}

/**
 * Ends all work, and resolves when what was committed is in the store and that is closed: LMDB's
 * write thread would wait for a thread that goes before.
 */
function stop(): Promise<void> {
  endWork();
  for (const port of data.queries) port.removeAllListeners("message");
  closed ??= openedStore?.close().catch(() => undefined) ?? Promise.resolve();
  return closed;
}

function note(message: ThreadNote): void {
  parentPort?.postMessage(message);
}
