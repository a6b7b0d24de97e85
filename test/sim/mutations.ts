/**
 * Places where a canary may break the gateway from outside, to prove that the simulation notices.
 * The defaults change nothing; canaries.ts has the broken ones.
 */
import type { Dial } from "../../src/environment.ts";
import type { JournalAppender } from "../../src/journal/appender.ts";
import type { LogDirectory } from "../../src/journal/log-directory.ts";
import type { LogTailer } from "../../src/journal/log-reading.ts";
import type { OutcomeObserver } from "../../src/ledger/outcomes.ts";
import type { RingProducer } from "../../src/ring/one-to-one-ring.ts";
import type { ProcessMemory } from "./process-memory.ts";
import { SimulatedStore } from "./simulated-store.ts";

export interface Mutations {
  /** Reply to a sender at staging, before the commit. */
  readonly repliesEarly: boolean;
  readonly Store: typeof SimulatedStore;
  notices(isWorker: boolean, notices: RingProducer): RingProducer;
  journalDirectory(directory: LogDirectory): LogDirectory;
  tailer(tailer: LogTailer): LogTailer;
  dial(dial: Dial): Dial;
  workerAppender(memory: ProcessMemory, appender: number, journalThread: number): JournalAppender;
  cdrRows(rows: OutcomeObserver): OutcomeObserver;
  /** Called every few milliseconds. */
  onTick(memory: ProcessMemory): void;
}

export const NO_MUTATIONS: Mutations = {
  repliesEarly: false,
  Store: SimulatedStore,
  notices: (_isWorker, notices) => notices,
  journalDirectory: (directory) => directory,
  tailer: (tailer) => tailer,
  dial: (dial) => dial,
  workerAppender: (memory, appender, journalThread) => memory.appender(appender, journalThread),
  cdrRows: (rows) => rows,
  onTick: () => undefined,
};
