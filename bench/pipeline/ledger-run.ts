/**
 * What a message costs the ledger when so many are stored already: CPU, memory, disk.
 *
 *   feed: some thousand messages into the log ─► ledger: applies and flushes them ─► again
 *         not measured                            measured
 *
 * The store, the log and the ledger are the gateway's own, the ledger on a thread started as the
 * gateway starts it. The CPU is that of the whole process while the ledger works: its thread, the
 * garbage collector and LMDB's writer.
 */
import { once } from "node:events";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { openNodeLogDirectory } from "../../src/journal/node-log-directory.ts";
import { allocateLogTable, LogTable } from "../../src/tables/log-table.ts";
import { threadLimits } from "../../src/workers/threads.ts";
import type { LedgerAgentAnswer, LedgerAgentData, LedgerAgentOrder } from "./ledger-agent.ts";
import { allocateFeedRings, LedgerFeed, timeOf } from "./ledger-feed.ts";

/** Messages that are fed between two turns of the ledger. */
const BATCH = 20_000;
const PRODUCERS = 2;
const FILE_BLOCK_BYTES = 512;

export interface LedgerBenchOptions {
  /** Empty; holds log and store. */
  readonly directory: string;
  /** Messages stored at which the cost is taken, ascending. */
  readonly stored: readonly number[];
  /** Messages over which it is taken. */
  readonly sample: number;
  /** Messages that are open at once. */
  readonly open: number;
  /** Messages that were accepted before and are never sent. */
  readonly waiting: number;
  readonly onProgress: (stored: number) => void;
}

/** Figures at one number of stored messages. */
export interface LedgerPoint {
  readonly stored: number;
  /** Process CPU, user and system, while the ledger worked. */
  readonly cpuUsPerMessage: number;
  readonly messagesPerS: number;
  /** RssAnon and RssShmem of the process, the feed's share included. */
  readonly memoryBytes: number;
  /** The store's files by message stored, and its live pages. */
  readonly diskBytesPerMessage: number;
  readonly liveBytesPerMessage: number;
}

export interface LedgerReport {
  readonly points: readonly LedgerPoint[];
  /** Messages that the books say were delivered, and whether rows and books agree. */
  readonly delivered: number;
  readonly booksAgree: boolean;
}

/** Runs the bench; whatever it leaves in `directory` is the caller's. */
export async function runLedgerBench(options: LedgerBenchOptions): Promise<LedgerReport> {
  const rig = new Rig(options.directory, options.open);
  try {
    const points: LedgerPoint[] = [];
    for (let parked = 0; parked < options.waiting; parked += BATCH) {
      rig.feed.park(Math.min(BATCH, options.waiting - parked));
      await rig.apply();
    }
    for (const stored of options.stored) {
      const from = Math.max(rig.feed.count, stored - options.sample);
      while (rig.feed.count < from) {
        await rig.take(Math.min(BATCH, from - rig.feed.count));
        options.onProgress(rig.feed.count);
      }
      points.push(await rig.measure(stored));
    }
    rig.feed.finish();
    await rig.apply();
    const { books } = await rig.ask({ kind: "close" });
    const delivered = books?.books.final["delivered"] ?? 0;
    return { points, delivered, booksAgree: books?.ok === true };
  } finally {
    await rig.end();
  }
}

class Rig {
  readonly feed: LedgerFeed;
  readonly #ledger: Worker;
  readonly #storePath: string;
  #cpuUs = 0;
  #ms = 0;

  constructor(path: string, open: number) {
    this.#storePath = join(path, "ledger");
    const logTable = allocateLogTable(PRODUCERS);
    const rings = allocateFeedRings();
    const clock = { wallMs: () => this.#wallMs, monotonicMs: () => performance.now() };
    const log = openNodeLogDirectory(path);
    this.feed = new LedgerFeed(log, new LogTable(logTable), clock, rings, open);
    const data: LedgerAgentData = { directory: path, storePath: this.#storePath, logTable, rings };
    const entry = new URL("./ledger-agent.js", import.meta.url);
    this.#ledger = new Worker(entry, {
      workerData: data,
      resourceLimits: threadLimits("ledger-thread"),
    });
  }

  get #wallMs(): number {
    return timeOf(this.feed.next);
  }

  /** Feeds `count` messages and lets the ledger take them. */
  async take(count: number): Promise<void> {
    this.feed.write(count);
    await this.apply();
  }

  /** Lets the ledger apply and flush everything committed. */
  async apply(): Promise<void> {
    const { committed } = this.feed;
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    await this.ask({ kind: "apply", committed, wallMs: this.#wallMs });
    const used = process.cpuUsage(cpu);
    this.#cpuUs += used.user + used.system;
    this.#ms += performance.now() - startedAt;
    // STARTED, which the ledger stages itself, and segments that may go.
    this.feed.commit();
  }

  async measure(stored: number): Promise<LedgerPoint> {
    const first = this.feed.count;
    this.#cpuUs = 0;
    this.#ms = 0;
    while (this.feed.count < stored) await this.take(Math.min(BATCH, stored - this.feed.count));
    const messages = this.feed.count - first;
    const { liveBytes } = await this.ask({ kind: "measure" });
    return {
      stored,
      cpuUsPerMessage: this.#cpuUs / messages,
      messagesPerS: (messages * 1000) / this.#ms,
      memoryBytes: anonymousBytes(),
      diskBytesPerMessage: fileBytes(this.#storePath) / stored,
      liveBytesPerMessage: liveBytes / stored,
    };
  }

  /** Rejects if the ledger's thread throws. */
  async ask(order: LedgerAgentOrder): Promise<LedgerAgentAnswer> {
    const answer = once(this.#ledger, "message");
    this.#ledger.postMessage(order);
    return (await answer)[0] as LedgerAgentAnswer;
  }

  async end(): Promise<void> {
    await this.#ledger.terminate();
  }
}

/** RssAnon and RssShmem of this process, bytes. */
function anonymousBytes(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  const lines = status.matchAll(/^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm);
  return [...lines].reduce((sum, [, kib]) => sum + 1024 * Number(kib), 0);
}

/** Bytes on disk of the files in a directory. */
function fileBytes(path: string): number {
  const sizes = readdirSync(path).map((name) => statSync(join(path, name)).blocks);
  return sizes.reduce((sum, blocks) => sum + FILE_BLOCK_BYTES * blocks, 0);
}
