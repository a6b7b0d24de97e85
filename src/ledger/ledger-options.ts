/**
 * What the ledger is given: the log, its store, its way to the workers, policy and bounds. Types
 * and constants; any thread.
 */
import type { Clock, Log, Random } from "../environment.ts";
import type { JournalAppender } from "../journal/appender.ts";
import type { LogTailer, RecordLoader } from "../journal/log-reading.ts";
import type { MetricBlock } from "../metrics/block.ts";
import type { LogTable } from "../tables/log-table.ts";
import type { CancelOrders } from "./flow/cancels.ts";
import type { SubmitterFactory } from "./flow/submitter.ts";
import type { OutcomeObserver } from "./outcomes.ts";
import type { LedgerPolicy } from "./policy.ts";
import type { QueueReason } from "./queries.ts";
import type { LedgerStore } from "./store/store.ts";

/** Bounds of the ledger's memory and of one call of `doWork`. */
export interface LedgerLimits {
  readonly flushIntervalMs: number;
  /** Changed messages at which a flush does not wait for its time. */
  readonly dirtyMax: number;
  /** Changed messages at which the log is not read on until a flush is visible. */
  readonly dirtyStop: number;
  /** Parts of messages in memory, those of fresh ones not counted. */
  readonly cacheMax: number;
  readonly pollBytes: number;
  readonly parkedMax: number;
  readonly generationEntriesMax: number;
  readonly walkStep: number;
  readonly dueStep: number;
  /** Between steps of sweep, retention and receipts. */
  readonly upkeepIntervalMs: number;
}

export const LEDGER_LIMITS: LedgerLimits = {
  flushIntervalMs: 200,
  dirtyMax: 4096,
  dirtyStop: 16_384,
  cacheMax: 10_240,
  pollBytes: 256 * 1024,
  parkedMax: 262_144,
  generationEntriesMax: 229_376,
  walkStep: 2048,
  dueStep: 512,
  upkeepIntervalMs: 100,
};

export interface LedgerOptions {
  readonly node: string;
  /** This run. */
  readonly epoch: number;
  /** Reads from `readPosition(store).replayFrom` on. */
  readonly tailer: LogTailer;
  readonly loader: RecordLoader;
  readonly appender: JournalAppender;
  readonly store: LedgerStore;
  readonly submitterOf: SubmitterFactory;
  readonly logTable: LogTable;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricBlock;
  readonly inHand: Float64Array;
  readonly inHandIndex: number;
  readonly quarantined: ReadonlySet<number>;
  /** Whether an operator gave up the stretch of the log at an offset; default: none was. */
  readonly isSkipped?: (logOffset: number) => boolean;
  readonly policy: LedgerPolicy;
  readonly limits?: Partial<LedgerLimits>;
  /** Who is told, in the transaction, what became of messages. */
  readonly observers?: readonly OutcomeObserver[];
  /** Reaches the ingress threads; without it only what the ledger owns can be canceled. */
  readonly cancelOrders?: CancelOrders;
  /** Why messages of a pool and priority wait, if that is known. */
  readonly queueReasonOf?: (poolIndex: number, priority: number) => QueueReason | null;
}
