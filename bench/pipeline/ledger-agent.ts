/**
 * The ledger of the ledger bench, on a thread like the gateway's: told how far the log is
 * committed, it works until that is applied and flushed, and says so.
 */
import { setImmediate as turn } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { BlockTailer } from "../../src/journal/log-tailer.ts";
import { openNodeLogDirectory } from "../../src/journal/node-log-directory.ts";
import { ChunkedRecordLoader } from "../../src/journal/record-loader.ts";
import { movedBodiesIn } from "../../src/ledger/body-moves.ts";
import { type BooksReport, verifyBooks } from "../../src/ledger/books.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { openLmdbStore } from "../../src/ledger/store/lmdb-store.ts";
import { allocateMetrics, MetricBlock } from "../../src/metrics/block.ts";
import { LogTable, LogWord } from "../../src/tables/log-table.ts";
import { POLICY } from "../../test/unit/ledger/harness.ts";
import { FEED_SEGMENT_BYTES, feedAppender, type FeedRings } from "./ledger-feed.ts";

const STORE_BYTES_MAX = 1e12;

/** What the thread is started with. */
export interface LedgerAgentData {
  readonly directory: string;
  readonly storePath: string;
  readonly logTable: SharedArrayBuffer;
  readonly rings: FeedRings;
}

/** What it is told. */
export type LedgerAgentOrder =
  | { readonly kind: "apply"; readonly committed: number; readonly wallMs: number }
  | { readonly kind: "measure" | "close" };

/** What it says when that is done. */
export interface LedgerAgentAnswer {
  readonly liveBytes: number;
  readonly books: BooksReport | null;
}

const data = workerData as LedgerAgentData;
const table = new LogTable(data.logTable);
const directory = openNodeLogDirectory(data.directory);
const store = openLmdbStore(data.storePath, STORE_BYTES_MAX);
// Wall time is the feed's, so that the ledger's waits and deadlines fit its records.
let wallMs = 0;
let toldAt = 0;
const clock = {
  wallMs: () => wallMs + performance.now() - toldAt,
  monotonicMs: () => performance.now(),
};
const ledger = new Ledger({
  node: "bench",
  epoch: 1,
  tailer: new BlockTailer(directory, table, 0),
  loader: new ChunkedRecordLoader(directory, table, movedBodiesIn(store)),
  appender: feedAppender(data.rings),
  store,
  submitterOf: () => ({
    submit: () => true,
    doWork: () => 0,
    cancel: () => undefined,
    waitingCount: 0,
    isFull: () => false,
  }),
  logTable: table,
  clock,
  random: Math.random,
  log: { write: (level, operation, fields) => console.error(level, operation, fields) },
  metrics: new MetricBlock(allocateMetrics(1), 0),
  inHand: Float64Array.of(-1),
  inHandIndex: 0,
  quarantined: new Set(),
  policy: { ...POLICY, bytesMax: STORE_BYTES_MAX, segmentBytes: FEED_SEGMENT_BYTES },
});

parentPort?.on("message", (order: LedgerAgentOrder) => void follow(order));

async function follow(order: LedgerAgentOrder): Promise<void> {
  if (order.kind === "apply") await apply(order.committed, order.wallMs);
  const books = order.kind === "close" ? verifyBooks(store) : null;
  const answer: LedgerAgentAnswer = {
    liveBytes: order.kind === "apply" ? 0 : store.usedBytes(),
    books,
  };
  if (order.kind === "close") {
    await store.close();
    parentPort?.removeAllListeners("message");
  }
  parentPort?.postMessage(answer);
}

async function apply(committed: number, now: number): Promise<void> {
  wallMs = now;
  toldAt = performance.now();
  while (table.load(LogWord.LEDGER_FLUSHED) < committed) {
    if (table.load(LogWord.LEDGER_APPLIED) >= committed) ledger.requestFlush();
    ledger.doWork();
    await turn();
  }
}
