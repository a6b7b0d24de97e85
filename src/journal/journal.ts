/**
 * The journal: drains every appender's staging ring into one log, a block at a time.
 *
 *   staging rings ─drain─► block ─write, fdatasync─► SYNCED, COMMITTED ─► COMMIT_NOTICEs ─► bells
 *
 * Everything published is committed: a failed write or sync publishes nothing and ends this journal
 * for good (docs/JOURNAL.md, order rule e). The agent of the journal thread; it allocates nothing
 * per record.
 */
import type { Clock } from "../environment.ts";
import { Counter, Histogram, type MetricBlock } from "../metrics/block.ts";
import { COMMIT_NOTICE_BYTES, COMMIT_NOTICE_TYPE, CommitNotice } from "../records/commit-notice.ts";
import { RECORD_FLAGS_PLAIN, RECORD_VERSION } from "../records/types.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import { RECORD_BYTES_MAX, RING_FULL } from "../ring/layout.ts";
import type { RingConsumer, RingProducer } from "../ring/one-to-one-ring.ts";
import { LogWord, type LogTable } from "../tables/log-table.ts";
import {
  BLOCK_BYTES_MIN,
  BLOCK_FLAG_UNSYNCED,
  BLOCK_HEADER_BYTES,
  BlockBuilder,
  RUN_HEADER_BYTES,
  type BlockStamp,
} from "./block.ts";
import { JournalFailedError } from "./errors.ts";
import type { LogDirectory } from "./log-directory.ts";
import { SegmentWriter } from "./segment-writer.ts";

/** How long the making of a segment waits after the disk was found full, in ms. */
const RETRY_MS = 100;
/** Longest sleep while the next segment is being made, and once it is ready, in ms. */
const SLEEP_MS_MAX = 100;
const SLEEP_MS_MAX_READY = 250;
/**
 * The ledger follows by so much at most while blocks come fast: it works better in larger steps.
 */
const LEDGER_BELL_INTERVAL_MS = 2;
/**
 * Each appender has two turns in a block, and a turn may end at the end of its ring and go on at
 * its start.
 */
const RUNS_PER_APPENDER_MAX = 4;
const TAKES_PER_TURN = 2;
/**
 * Commits, in one segment, between two looks at what may be released while there is no idle moment.
 */
const COMMITS_PER_RELEASE = 64;

/** The journal's ends of what it shares with one appender. */
export interface AppenderEnd {
  readonly staging: RingConsumer;
  readonly notices: RingProducer;
  readonly bell: Doorbell;
}

export interface JournalOptions {
  /** `process` publishes after the write, `disk` after fdatasync. `none` is `process` here. */
  readonly durability: "disk" | "process";
  /** Size of new segments in bytes: a multiple of 8, at least twice BLOCK_BYTES_MIN. */
  readonly segmentBytes: number;
  /** Longest block in bytes, ≥ BLOCK_BYTES_MIN. */
  readonly blockBytesMax: number;
  /** Epoch of this run, written into every block. */
  readonly epoch: number;
  /** Where the log goes on and the number of the block there: from `recoverLog`. */
  readonly nextOffset: number;
  readonly nextNumber: number;
}

export interface JournalDependencies {
  readonly directory: LogDirectory;
  /** In the order of the plan's appenders. */
  readonly appenders: readonly AppenderEnd[];
  /** The ledger tails the log: rung soon after every block. */
  readonly ledgerBell: Doorbell;
  readonly logTable: LogTable;
  readonly clock: Clock;
  readonly metrics: MetricBlock;
  /** Told of every block, with the monotonic time at which its commit began. */
  readonly onCommitted?: (startedMs: number, bytes: number) => void;
}

export class Journal {
  readonly #appenders: readonly AppenderEnd[];
  readonly #ledgerBell: Doorbell;
  readonly #table: LogTable;
  readonly #clock: Clock;
  readonly #metrics: MetricBlock;
  readonly #segments: SegmentWriter;
  readonly #block: BlockBuilder;
  readonly #stamp: BlockStamp;
  readonly #syncs: boolean;
  readonly #onCommitted: (startedMs: number, bytes: number) => void;
  #isLedgerDue = false;
  #ledgerRungMs = Number.NEGATIVE_INFINITY;

  // The runs of the block that is being gathered, and how many of them each appender has.
  readonly #runAppender: Int32Array;
  readonly #runOffset: Int32Array;
  readonly #runEnd: Int32Array;
  readonly #runsOf: Int32Array;
  #runCount = 0;

  #firstTurn = 0;
  #commitsToRelease = COMMITS_PER_RELEASE;
  #retryAtMs = 0;
  #shortOfSpace = false;
  #failure: JournalFailedError | null = null;

  /**
   * Opens or makes the active segment and publishes where the log stands. The log must have been
   * recovered. Throws what the directory throws.
   */
  constructor(dependencies: JournalDependencies, options: JournalOptions) {
    assertOptions(options);
    this.#appenders = dependencies.appenders;
    this.#ledgerBell = dependencies.ledgerBell;
    this.#table = dependencies.logTable;
    this.#clock = dependencies.clock;
    this.#metrics = dependencies.metrics;
    this.#onCommitted = dependencies.onCommitted ?? (() => undefined);
    this.#syncs = options.durability === "disk";
    this.#segments = new SegmentWriter(dependencies.directory, {
      segmentBytes: options.segmentBytes,
      sync: this.#syncs,
      nextOffset: options.nextOffset,
    });
    this.#block = new BlockBuilder(options.blockBytesMax);
    const runsMax = this.#appenders.length * RUNS_PER_APPENDER_MAX;
    this.#runAppender = new Int32Array(runsMax);
    this.#runOffset = new Int32Array(runsMax);
    this.#runEnd = new Int32Array(runsMax);
    this.#runsOf = new Int32Array(this.#appenders.length);
    this.#stamp = {
      number: options.nextNumber,
      offset: options.nextOffset,
      synced: options.nextOffset,
      writtenAt: 0,
      epoch: options.epoch,
      flags: this.#syncs ? 0 : BLOCK_FLAG_UNSYNCED,
    };
    this.#table.store(LogWord.OLDEST, this.#segments.oldest);
    this.#table.store(LogWord.SYNCED, options.nextOffset);
    this.#table.store(LogWord.COMMITTED, options.nextOffset);
    this.#table.store(LogWord.SHORT_OF_SPACE, 0);
  }

  /** Why no new segment can be made (a system code such as ENOSPC), or null. */
  get spaceTrouble(): string | null {
    return this.#segments.trouble;
  }

  /**
   * Commits what is staged, up to one block; returns the number of runs in it. If nothing was
   * staged, or there is no room for it, keeps the segments in order and returns 0. Throws
   * JournalFailedError, then and ever after.
   */
  doWork(): number {
    if (this.#failure !== null) throw this.#failure;
    try {
      const runs = this.#advance();
      if (runs === 0 && this.#isLedgerDue) this.#ringLedger(this.#clock.monotonicMs());
      return runs;
    } catch (error) {
      this.#failure = new JournalFailedError(error);
      throw this.#failure;
    }
  }

  /** How long the thread may sleep when nothing is staged, unless it is rung, in ms. */
  get sleepMsMax(): number {
    return this.#segments.nextReady ? SLEEP_MS_MAX_READY : SLEEP_MS_MAX;
  }

  /** Closes the files. What is staged and not committed stays uncommitted. */
  close(): void {
    this.#failure ??= new JournalFailedError(new Error("closed"));
    this.#segments.close();
  }

  #advance(): number {
    if (!this.#hasRoom()) {
      this.#releaseSegments();
      return 0;
    }
    this.#gather();
    if (this.#runCount === 0) {
      if (!this.#segments.nextReady) this.#fillNext();
      this.#releaseSegments();
      return 0;
    }
    this.#commit();
    if (!this.#segments.nextOnSchedule) this.#fillNext();
    if (--this.#commitsToRelease === 0) this.#releaseSegments();
    return this.#runCount;
  }

  /**
   * Whether any record fits into the active segment, after going on in the next one if that is what
   * it takes.
   */
  #hasRoom(): boolean {
    const segments = this.#segments;
    if (segments.roomBytes >= BLOCK_BYTES_MIN) return true;
    while (!segments.nextReady) {
      if (this.#fillNext() === 0) return false;
    }
    segments.switchToNext();
    this.#commitsToRelease = 1;
    return true;
  }

  #fillNext(): number {
    if (this.#shortOfSpace && this.#clock.monotonicMs() < this.#retryAtMs) return 0;
    const filled = this.#segments.fillSlice();
    const short = this.#segments.trouble !== null;
    if (short) this.#retryAtMs = this.#clock.monotonicMs() + RETRY_MS;
    if (short !== this.#shortOfSpace) {
      this.#shortOfSpace = short;
      this.#table.store(LogWord.SHORT_OF_SPACE, short ? 1 : 0);
    }
    return filled;
  }

  #releaseSegments(): void {
    this.#commitsToRelease = COMMITS_PER_RELEASE;
    const before = this.#segments.oldest;
    const oldest = this.#segments.release(this.#table.load(LogWord.RELEASABLE));
    if (oldest > before) this.#table.store(LogWord.OLDEST, oldest);
  }

  /** Takes runs from every staging ring: first a fair share each, then whatever still fits. */
  #gather(): void {
    const { length: count } = this.#appenders;
    const lengthMax = Math.min(this.#block.bytes.length, this.#segments.roomBytes);
    const share = Math.max(
      RUN_HEADER_BYTES + RECORD_BYTES_MAX,
      Math.floor((lengthMax - BLOCK_HEADER_BYTES) / count),
    );
    this.#block.clear();
    this.#runCount = 0;
    this.#runsOf.fill(0);
    for (let i = 0; i < count; i++) this.#takeTurn((this.#firstTurn + i) % count, share, lengthMax);
    for (let i = 0; i < count; i++) {
      this.#takeTurn((this.#firstTurn + i) % count, lengthMax, lengthMax);
    }
    this.#firstTurn = (this.#firstTurn + 1) % count;
  }

  #takeTurn(appender: number, share: number, lengthMax: number): void {
    const end = this.#appenders[appender] as AppenderEnd;
    const turnEnd = Math.min(this.#block.length + share, lengthMax);
    for (let take = 0; take < TAKES_PER_TURN; take++) {
      const room = turnEnd - this.#block.length - RUN_HEADER_BYTES;
      const runs = this.#runsOf[appender] as number;
      if (room <= 0 || !end.notices.hasRoom((runs + 1) * COMMIT_NOTICE_BYTES)) return;
      const length = end.staging.takeRun(room);
      if (length === 0) return;
      const run = this.#runCount++;
      this.#runsOf[appender] = runs + 1;
      this.#runAppender[run] = appender;
      this.#runEnd[run] = end.staging.readPosition;
      this.#runOffset[run] = this.#block.appendRun(
        appender,
        end.staging.bytes,
        end.staging.runOffset,
        length,
      );
    }
  }

  #commit(): void {
    const startedMs = this.#clock.monotonicMs();
    const stamp = this.#stamp;
    const blockOffset = this.#segments.offset;
    stamp.offset = blockOffset;
    stamp.writtenAt = this.#clock.wallMs();
    const length = this.#block.seal(stamp);
    this.#segments.write(this.#block.bytes, length);
    const committed = this.#segments.offset;
    if (this.#syncs) {
      this.#segments.dataSync();
      stamp.synced = committed;
      this.#table.store(LogWord.SYNCED, committed);
    }
    stamp.number++;
    this.#table.store(LogWord.COMMITTED, committed);
    this.#notify(blockOffset);
    const endedMs = this.#clock.monotonicMs();
    this.#isLedgerDue = true;
    if (endedMs - this.#ledgerRungMs >= LEDGER_BELL_INTERVAL_MS) this.#ringLedger(endedMs);
    this.#metrics.add(Counter.commits, 1);
    this.#metrics.add(Counter.bytesCommitted, length);
    this.#metrics.record(Histogram.commitDuration, endedMs - startedMs);
    this.#onCommitted(startedMs, length);
  }

  #ringLedger(nowMs: number): void {
    this.#isLedgerDue = false;
    this.#ledgerRungMs = nowMs;
    this.#ledgerBell.ring();
  }

  #notify(blockOffset: number): void {
    for (let run = 0; run < this.#runCount; run++) {
      const { notices } = this.#appenders[this.#runAppender[run] as number] as AppenderEnd;
      const at = notices.claim(
        COMMIT_NOTICE_BYTES,
        COMMIT_NOTICE_TYPE,
        RECORD_VERSION,
        RECORD_FLAGS_PLAIN,
      );
      if (at === RING_FULL) throw new Error("a notice ring is full after its room was checked");
      const logOffset = blockOffset + (this.#runOffset[run] as number);
      notices.view.setFloat64(at + CommitNotice.LOG_OFFSET, logOffset, true);
      notices.view.setInt32(at + CommitNotice.END_POSITION, this.#runEnd[run] as number, true);
    }
    for (let i = 0; i < this.#appenders.length; i++) {
      if (this.#runsOf[i] === 0) continue;
      const { notices, bell } = this.#appenders[i] as AppenderEnd;
      notices.publish();
      bell.ring();
    }
  }
}

function assertOptions(options: JournalOptions): void {
  const { segmentBytes, nextOffset } = options;
  if (segmentBytes % 8 !== 0 || segmentBytes < 2 * BLOCK_BYTES_MIN) {
    throw new RangeError(`segments of ${segmentBytes} bytes: a multiple of 8 of at least 16528`);
  }
  if (!Number.isSafeInteger(nextOffset) || nextOffset % 8 !== 0) {
    throw new RangeError(`the log cannot go on at offset ${nextOffset}`);
  }
}
