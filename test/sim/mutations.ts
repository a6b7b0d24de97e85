/**
 * Places where a canary may break the gateway from outside, to prove that the simulation notices. The defaults change
 * nothing; test/sim/canary.ts has the broken ones.
 */
import type { Dial } from "../../src/environment.ts";
import type { JournalAppender } from "../../src/journal/appender.ts";
import type { LogDirectory } from "../../src/journal/log-directory.ts";
import type { LogTailer } from "../../src/journal/log-reading.ts";
import type { RingProducer } from "../../src/ring/one-to-one-ring.ts";
import type { ProcessMemory } from "./process-memory.ts";
import type { SimulatedStore } from "./simulated-store.ts";

export interface Mutations {
  /** Reply to a sender at staging, before the commit. */
  readonly repliesEarly: boolean;
  notices(appender: number, notices: RingProducer): RingProducer;
  journalDirectory(directory: LogDirectory): LogDirectory;
  tailer(tailer: LogTailer): LogTailer;
  store(store: SimulatedStore): SimulatedStore;
  dial(dial: Dial): Dial;
  workerAppender(memory: ProcessMemory, appender: number, journalThread: number): JournalAppender;
}

export const NO_MUTATIONS: Mutations = {
  repliesEarly: false,
  notices: (_appender, notices) => notices,
  journalDirectory: (directory) => directory,
  tailer: (tailer) => tailer,
  store: (store) => store,
  dial: (dial) => dial,
  workerAppender: (memory, appender, journalThread) => memory.appender(appender, journalThread),
};
