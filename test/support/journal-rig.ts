/**
 * A journal with appenders, readers and tables in one thread, for tests.
 *
 * Every record it stages says who staged it and as which one, and is filled with bytes that follow
 * from that; so whatever is read back proves itself.
 */
import assert from "node:assert/strict";
import { JournalAppender, type CommitVisitor } from "../../src/journal/appender.ts";
import { Journal, type JournalOptions } from "../../src/journal/journal.ts";
import type { LogDirectory } from "../../src/journal/log-directory.ts";
import type { RecordVisitor } from "../../src/journal/log-reading.ts";
import type { SegmentRemoval } from "../../src/journal/segment-removal.ts";
import { allocateMetrics, MetricBlock } from "../../src/metrics/block.ts";
import type { RecordMemory } from "../../src/records/memory.ts";
import { allocateRing } from "../../src/ring/layout.ts";
import { Doorbell } from "../../src/ring/doorbell.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { allocateLogTable, LogTable } from "../../src/tables/log-table.ts";
import { FILLER, RecordLength, writeFiller, checkFiller } from "./filler-record.ts";
import { removalAtOnce } from "./removal-directory.ts";

export interface RigOptions extends Partial<JournalOptions> {
  readonly directory: LogDirectory;
  readonly appenders?: number;
  readonly stagingBytes?: number;
  readonly noticeBytes?: number;
  /** First position of the rings, to bring the wrap of positions near. */
  readonly startPosition?: number;
  /** First sequence of each appender. */
  readonly firstSequence?: number;
}

/** A record that was seen committed. */
export interface CommittedRecord {
  readonly appender: number;
  readonly sequence: number;
  readonly logOffset: number;
}

/** Milliseconds that only a test moves. */
export class TestClock {
  nowMs = 1000;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.nowMs;
  }
}

export class JournalRig {
  readonly directory: LogDirectory;
  readonly table = new LogTable(allocateLogTable(2));
  readonly clock = new TestClock();
  readonly journal: Journal;
  readonly #removal: SegmentRemoval;
  readonly appenders: JournalAppender[] = [];
  /** In the order in which the commits were seen. */
  readonly committed: CommittedRecord[] = [];
  readonly staged: number[];
  rings = 0;
  ledgerRings = 0;
  /** Called inside a commit, when the ledger's bell is rung. */
  onLedgerRing: () => void = () => {};
  readonly #first: number;

  constructor(options: RigOptions) {
    const { directory, appenders = 3, stagingBytes = 32768, noticeBytes = 16384 } = options;
    this.directory = directory;
    this.#first = options.firstSequence ?? 0;
    const words = new Int32Array(new SharedArrayBuffer(4));
    words[0] = 1;
    const ends = [];
    for (let i = 0; i < appenders; i++) {
      const staging = ringAt(stagingBytes, options.startPosition ?? 0);
      const notices = ringAt(noticeBytes, options.startPosition ?? 0);
      const bell = new Doorbell(words, 0, () => {
        words[0] = 1;
        this.rings++;
      });
      this.appenders.push(
        new JournalAppender(new RingProducer(staging), new RingConsumer(notices), bell),
      );
      ends.push({
        staging: new RingConsumer(staging),
        notices: new RingProducer(notices),
        bell,
      });
    }
    this.staged = Array.from({ length: appenders }, () => this.#first);
    const ledgerBell = new Doorbell(words, 0, () => {
      words[0] = 1;
      this.ledgerRings++;
      this.onLedgerRing();
    });
    this.#removal = removalAtOnce(directory, this.table);
    this.journal = new Journal(
      {
        directory,
        appenders: ends,
        ledgerBell,
        logTable: this.table,
        clock: this.clock,
        metrics: new MetricBlock(allocateMetrics(1), 0),
      },
      {
        durability: options.durability ?? "disk",
        segmentBytes: options.segmentBytes ?? 65536,
        blockBytesMax: options.blockBytesMax ?? 32768,
        epoch: options.epoch ?? 1,
        nextOffset: options.nextOffset ?? 0,
        nextNumber: options.nextNumber ?? 1,
      },
    );
  }

  /** One round of the journal; what it released is removed at once. Returns what `doWork` does. */
  work(): number {
    const runs = this.journal.doWork();
    this.#removal.onTick();
    return runs;
  }

  /** Stages and publishes a record of `lengthBytes`; false if the staging ring is full. */
  stage(appender: number, lengthBytes: number): boolean {
    const to = this.appenders[appender] as JournalAppender;
    const offset = to.claim(Math.max(RecordLength.MIN, lengthBytes), FILLER);
    if (offset < 0) return false;
    writeFiller(to.memory, offset, appender, this.staged[appender] as number);
    (this.staged[appender] as number)++;
    to.publish();
    return true;
  }

  /** Lets every appender see its commits. Returns the number of records. */
  poll(): number {
    let count = 0;
    for (const [i, appender] of this.appenders.entries()) {
      count += appender.pollCommitted(this.#visitorOf(i));
    }
    return count;
  }

  /** Works and polls until everything staged is committed. */
  settle(): void {
    for (let i = 0; i < 10_000; i++) {
      const worked = this.work();
      if (this.poll() === 0 && worked === 0 && !this.#pending()) return;
    }
    assert.fail("the journal does not settle");
  }

  #pending(): boolean {
    return this.appenders.some((appender) => appender.pendingBytes() > 0);
  }

  #visitorOf(appender: number): CommitVisitor {
    return {
      onCommitted: (type, offset, lengthBytes, logOffset) => {
        assert.equal(type, FILLER);
        const { memory } = this.appenders[appender] as JournalAppender;
        const said = checkFiller(memory, offset, lengthBytes);
        assert.equal(said.appender, appender);
        this.committed.push({ appender, sequence: said.sequence, logOffset });
      },
    };
  }
}

/** Collects what a reader of the log is shown, checking every byte of it. */
export class CollectingVisitor implements RecordVisitor {
  readonly records: CommittedRecord[] = [];

  onRecord(
    type: number,
    memory: RecordMemory,
    offset: number,
    lengthBytes: number,
    logOffset: number,
  ): void {
    assert.equal(type, FILLER);
    this.records.push({ ...checkFiller(memory, offset, lengthBytes), logOffset });
  }
}

/** Asserts that each appender's records run from `first` to `staged` without gap or repetition. */
export function assertComplete(
  records: readonly CommittedRecord[],
  staged: readonly number[],
  first = 0,
): void {
  const next = staged.map(() => first);
  for (const { appender, sequence } of records) {
    assert.equal(sequence, next[appender], `appender ${appender}`);
    (next[appender] as number)++;
  }
  assert.deepEqual(next, staged);
}

function ringAt(capacityBytes: number, position: number): RingMemory {
  const memory = new RingMemory(allocateRing(capacityBytes));
  memory.words[0] = position;
  memory.words[32] = position;
  return memory;
}
