/**
 * Writes the log of messages that were accepted, sent, answered and delivered, for the ledger
 * bench.
 *
 *   builders ─► staging ring ─► Journal ─► segments, as the journal thread leaves them
 *
 * So many messages are on their way at once as its owner says: at least so many that the records of
 * one lie apart as they do in a busy gateway. Keys and ids follow from the message's number. One
 * thread.
 */
import { JournalAppender } from "../../src/journal/appender.ts";
import { Journal } from "../../src/journal/journal.ts";
import type { LogDirectory } from "../../src/journal/log-directory.ts";
import type { SegmentRemoval } from "../../src/journal/segment-removal.ts";
import type { Clock } from "../../src/environment.ts";
import { allocateMetrics, MetricBlock } from "../../src/metrics/block.ts";
import { waitingDoorbell } from "../../src/ring/doorbell.ts";
import { allocateRing } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { type LogTable, LogWord } from "../../src/tables/log-table.ts";
import { removalAtOnce } from "../../test/support/removal-directory.ts";
import { accept, answer, key, receipt, sending, T0 } from "../../test/unit/ledger/records.ts";

const RING_BYTES = 1 << 20;
const NOTICE_BYTES = 1 << 16;
export const FEED_SEGMENT_BYTES = 16 * 1024 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;
const MESSAGES_PER_MS = 40;
const DELIVERED = 2;
const TTL_MS = 86_400_000;

/** Rings between a thread that stages and the journal. */
export interface FeedRings {
  readonly staging: SharedArrayBuffer;
  readonly notices: SharedArrayBuffer;
}

export function allocateFeedRings(): FeedRings {
  return { staging: allocateRing(RING_BYTES), notices: allocateRing(NOTICE_BYTES) };
}

/** The end of the rings that stages. */
export function feedAppender({ staging, notices }: FeedRings): JournalAppender {
  const producer = new RingProducer(new RingMemory(staging));
  return new JournalAppender(producer, new RingConsumer(new RingMemory(notices)), quietBell());
}

/** The wall time of message `number`. */
export function timeOf(number: number): number {
  return T0 + Math.floor(number / MESSAGES_PER_MS);
}

export class LedgerFeed {
  readonly #journal: Journal;
  readonly #appender: JournalAppender;
  readonly #table: LogTable;
  readonly #removal: SegmentRemoval;
  readonly #open: number;
  #next = 0;
  /** Of the messages that do not wait for ever. */
  #first = 0;

  /**
   * `open`: messages between ACCEPT and RECEIPT at once, even; the first half of them between
   * SENDING and ANSWER. `ledger`: by which the ledger itself stages.
   */
  constructor(
    directory: LogDirectory,
    table: LogTable,
    clock: Clock,
    ledger: FeedRings,
    open: number,
  ) {
    this.#table = table;
    this.#open = open;
    this.#removal = removalAtOnce(directory, table);
    const own = allocateFeedRings();
    this.#appender = feedAppender(own);
    const ends = [own, ledger].map(({ staging, notices }) => {
      return {
        staging: new RingConsumer(new RingMemory(staging)),
        notices: new RingProducer(new RingMemory(notices)),
        bell: quietBell(),
      };
    });
    this.#journal = new Journal(
      {
        directory,
        appenders: ends,
        ledgerBell: quietBell(),
        logTable: table,
        clock,
        metrics: new MetricBlock(allocateMetrics(1), 0),
      },
      {
        durability: "process",
        segmentBytes: FEED_SEGMENT_BYTES,
        blockBytesMax: BLOCK_BYTES_MAX,
        epoch: 1,
        nextOffset: 0,
        nextNumber: 1,
      },
    );
  }

  /** Messages whose ACCEPT was written, but for those that wait. */
  get count(): number {
    return this.#next - this.#first;
  }

  /** Number of the next message. */
  get next(): number {
    return this.#next;
  }

  /** Writes `count` messages of which there is nothing but the ACCEPT; before all others. */
  park(count: number): void {
    for (const end = this.#next + count; this.#next < end; this.#next++) this.#accept(this.#next);
    this.#first = this.#next;
    this.commit();
  }

  /** Writes `count` more messages and what became of as many older ones. */
  write(count: number): void {
    for (const end = this.#next + count; this.#next < end; this.#next++) {
      const number = this.#next;
      const ms = timeOf(number) - T0;
      this.#accept(number);
      this.#stage(sending(key(number), { at: ms }));
      this.#follow(number - this.#open / 2, number - this.#open, ms);
    }
    this.commit();
  }

  /** Writes the ends of the messages that are still on their way. */
  finish(): void {
    const ms = timeOf(this.#next) - T0;
    for (let i = 0; i < this.#open; i++) {
      const number = this.#next + i;
      const answered = number - this.#open / 2;
      this.#follow(answered < this.#next ? answered : -1, number - this.#open, ms);
    }
    this.commit();
  }

  /** Commits what is staged, the ledger's own records too, and lets segments go. */
  commit(): void {
    const appender = this.#appender;
    appender.publish();
    do {
      this.#journal.doWork();
      appender.pollCommitted({ onCommitted: () => undefined });
    } while (appender.pendingBytes() > 0);
    this.#removal.onTick();
  }

  /** Log offset behind everything that is committed. */
  get committed(): number {
    return this.#table.load(LogWord.COMMITTED);
  }

  #accept(number: number): void {
    const at = timeOf(number);
    this.#stage(accept(key(number), { at, ttlMs: TTL_MS, reference: `order-${number}` }));
  }

  /** Leaves alone what was never sent. */
  #follow(answered: number, delivered: number, at: number): void {
    const first = this.#first;
    if (answered >= first) this.#stage(answer(key(answered), { at, id: smscId(answered) }));
    if (delivered >= first) this.#stage(receipt(smscId(delivered), DELIVERED, at));
  }

  #stage(record: Buffer): void {
    const appender = this.#appender;
    let at = appender.claim(record.length, record[4] as number);
    if (at < 0) {
      this.commit();
      at = appender.claim(record.length, record[4] as number);
      if (at < 0) throw new Error("a staging ring without pending records has no room");
    }
    appender.memory.bytes.set(record.subarray(8), at + 8);
    // What follows the header's flags is the record's own.
    appender.memory.bytes[at + 7] = record[7] as number;
  }
}

/** The id that the SMSC gives message `number`: as many digits as usual, in no useful order. */
function smscId(number: number): string {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0") + number;
}

function quietBell() {
  return waitingDoorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
}
