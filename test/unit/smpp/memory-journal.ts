/**
 * A journal in memory for tests of appenders: real staging and notice rings, a growing array for
 * the log, and commits when the test says so.
 */
import { JournalAppender } from "../../../src/journal/appender.ts";
import type { RecordLoader } from "../../../src/journal/log-reading.ts";
import {
  COMMIT_NOTICE_BYTES,
  COMMIT_NOTICE_TYPE,
  CommitNotice,
} from "../../../src/records/commit-notice.ts";
import { recordMemory, type RecordMemory } from "../../../src/records/memory.ts";
import { ACCEPT_TYPE } from "../../../src/records/accept.ts";
import { Doorbell } from "../../../src/ring/doorbell.ts";
import { alignRecord, allocateRing, PADDING_TYPE, RING_FULL } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";

/** One committed record. */
export interface LoggedRecord {
  readonly type: number;
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly logOffset: number;
}

const NOTICE_RING_BYTES = 16_384;
const LOG_START = 4096;

export class MemoryJournal implements RecordLoader {
  memory: RecordMemory = recordMemory(new Uint8Array(1 << 20));
  /** Committed records of the appenders, in order. */
  readonly records: LoggedRecord[] = [];
  /** Log offsets that cannot be loaded. */
  readonly missing = new Set<number>();
  /** What the next load throws, once. */
  trouble: Error | null = null;
  #length = LOG_START;
  readonly #appenders: { staging: RingConsumer; notices: RingProducer }[] = [];

  /** An appender with a staging ring of so many bytes. */
  appender(stagingBytes: number): JournalAppender {
    const staging = new RingMemory(allocateRing(stagingBytes));
    const notices = new RingMemory(allocateRing(NOTICE_RING_BYTES));
    this.#appenders.push({
      staging: new RingConsumer(staging),
      notices: new RingProducer(notices),
    });
    const bell = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0, () => undefined);
    return new JournalAppender(new RingProducer(staging), new RingConsumer(notices), bell);
  }

  /** Writes a record that another thread staged; returns its log offset. */
  put(record: Uint8Array): number {
    const logOffset = this.#length;
    this.#append(record, record.length);
    this.#length = LOG_START + alignRecord(this.#length - LOG_START);
    return logOffset;
  }

  /** Commits everything published so far; returns how many bytes. */
  commit(): number {
    let total = 0;
    for (const { staging, notices } of this.#appenders) {
      for (;;) {
        const run = staging.takeRun(1 << 16);
        if (run === 0) break;
        const logOffset = this.#length;
        this.#append(staging.bytes.subarray(staging.runOffset), run);
        this.#collect(logOffset, run);
        this.#notify(notices, logOffset, staging.readPosition);
        total += run;
      }
    }
    return total;
  }

  load(logOffset: number): number {
    const { trouble } = this;
    this.trouble = null;
    if (trouble !== null) throw trouble;
    if (this.missing.has(logOffset) || logOffset >= this.#length) return -1;
    return this.memory.view.getUint8(logOffset + 4) === ACCEPT_TYPE ? logOffset : -1;
  }

  #append(from: Uint8Array, length: number): void {
    while (this.#length + length + 8 > this.memory.bytes.length) {
      const grown = new Uint8Array(2 * this.memory.bytes.length);
      grown.set(this.memory.bytes);
      this.memory = recordMemory(grown);
    }
    this.memory.bytes.set(from.subarray(0, length), this.#length);
    this.#length += length;
  }

  #collect(start: number, length: number): void {
    const { view, bytes } = this.memory;
    for (let at = start; at < start + length; ) {
      const size = view.getUint32(at, true);
      const type = view.getUint8(at + 4);
      if (type !== PADDING_TYPE) {
        const copy = bytes.slice(at, at + size);
        this.records.push({
          type,
          view: new DataView(copy.buffer),
          bytes: copy,
          logOffset: at,
        });
      }
      at += alignRecord(size);
    }
  }

  #notify(notices: RingProducer, logOffset: number, endPosition: number): void {
    const at = notices.claim(COMMIT_NOTICE_BYTES, COMMIT_NOTICE_TYPE, 1, 0);
    if (at === RING_FULL) throw new Error("notice ring is full");
    notices.view.setFloat64(at + CommitNotice.LOG_OFFSET, logOffset, true);
    notices.view.setInt32(at + CommitNotice.END_POSITION, endPosition, true);
    notices.publish();
  }
}
