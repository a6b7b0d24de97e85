/**
 * A ledger on a log in memory, for tests: what is appended is committed at once, what the ledger
 * stages too.
 *
 * `restart` gives the ledger of the next run over the same log and what a crash left of the store.
 */
import type { Cancellation } from "../../../src/dispatch/cancellations.ts";
import type { WaitingOwner } from "../../../src/dispatch/dispatcher.ts";
import type { DispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import type { LogLevel } from "../../../src/environment.ts";
import { JournalAppender } from "../../../src/journal/appender.ts";
import type { LogTailer, RecordLoader, RecordVisitor } from "../../../src/journal/log-reading.ts";
import type { CancelOrder } from "../../../src/ledger/flow/cancels.ts";
import { Ledger } from "../../../src/ledger/ledger.ts";
import type { LedgerLimits, LedgerOptions } from "../../../src/ledger/ledger-options.ts";
import { readPosition } from "../../../src/ledger/store/meta.ts";
import type { LedgerPolicy } from "../../../src/ledger/policy.ts";
import type { OutcomeObserver } from "../../../src/ledger/outcomes.ts";
import type { LedgerStore } from "../../../src/ledger/store/store.ts";
import { allocateMetrics, MetricBlock } from "../../../src/metrics/block.ts";
import {
  COMMIT_NOTICE_BYTES,
  COMMIT_NOTICE_TYPE,
  CommitNotice,
} from "../../../src/records/commit-notice.ts";
import { type RecordMemory, recordMemory } from "../../../src/records/memory.ts";
import { RecordType } from "../../../src/records/types.ts";
import { alignRecord, allocateRing, RING_FULL } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import { waitingDoorbell } from "../../../src/ring/doorbell.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { T0 } from "./records.ts";

interface LogEntry {
  readonly offset: number;
  readonly memory: RecordMemory;
  readonly length: number;
  readonly type: number;
}

/** Offset of each record in its memory. */
const AT = 16;

/** A log of records in memory; each append is one block. */
export class MemoryLog implements RecordLoader {
  readonly entries: LogEntry[] = [];
  /** Index of the first entry of each block, and its start. */
  end = 64;
  memory: RecordMemory = recordMemory(new Uint8Array(8));
  readonly #byOffset = new Map<number, LogEntry>();

  append(records: readonly Uint8Array[]): number[] {
    const offsets: number[] = [];
    for (const record of records) {
      // Records lie somewhere in a window of a larger buffer, as they do in the real log.
      const memory = recordMemory(new Uint8Array(new ArrayBuffer(record.length + 64), 24));
      memory.bytes.set(record, AT);
      const type = memory.view.getUint8(AT + 4);
      const entry = { offset: this.end, memory, length: record.length, type };
      this.entries.push(entry);
      this.#byOffset.set(entry.offset, entry);
      offsets.push(entry.offset);
      this.end += alignRecord(record.length);
    }
    return offsets;
  }

  /** No record there can be read any more. */
  lose(logOffset: number): void {
    this.#byOffset.delete(logOffset);
  }

  load(logOffset: number): number {
    const entry = this.#byOffset.get(logOffset);
    if (entry === undefined || entry.type !== RecordType.ACCEPT) return -1;
    this.memory = entry.memory;
    return AT;
  }
}

export class MemoryTailer implements LogTailer {
  position: number;
  readonly #log: MemoryLog;
  #next: number;

  constructor(log: MemoryLog, position: number) {
    this.#log = log;
    this.position = position;
    this.#next = log.entries.findIndex((entry) => entry.offset >= position);
    if (this.#next < 0) this.#next = log.entries.length;
  }

  poll(visitor: RecordVisitor, bytesMax: number): number {
    let bytes = 0;
    let count = 0;
    while (this.#next < this.#log.entries.length && bytes < bytesMax) {
      const entry = this.#log.entries[this.#next++] as LogEntry;
      visitor.onRecord(entry.type, entry.memory, AT, entry.length, entry.offset);
      bytes += alignRecord(entry.length);
      this.position = entry.offset + alignRecord(entry.length);
      count++;
    }
    return count;
  }
}

export interface HarnessOptions {
  readonly epoch?: number;
  readonly log?: MemoryLog;
  readonly store?: LedgerStore;
  readonly now?: number;
  readonly policy?: Partial<LedgerPolicy>;
  readonly limits?: Partial<LedgerLimits>;
  /** Default: as the wall clock. */
  readonly monotonicMs?: () => number;
  readonly quarantined?: ReadonlySet<number>;
  readonly isSkipped?: (logOffset: number) => boolean;
  readonly queueReasonOf?: LedgerOptions["queueReasonOf"];
  readonly observersOf?: (store: LedgerStore) => readonly OutcomeObserver[];
  /** Whether what the ledger stages is never committed, so that the log stays as it was written. */
  readonly isJournalOff?: boolean;
  /** Whether the log is as of `durability: process`. */
  readonly isUnsynced?: boolean;
}

export class Harness {
  readonly log: MemoryLog;
  readonly store: LedgerStore;
  readonly ledger: Ledger;
  readonly table = new LogTable(allocateLogTable(4));
  readonly submitted: DispatchEntry[] = [];
  /** What ingress threads were told to take back. */
  readonly cancelOrders: { readonly producer: number; readonly order: CancelOrder }[] = [];
  /** What the submitter is to take back. */
  readonly cancellations: Cancellation[] = [];
  readonly lines: { level: LogLevel; operation: string; fields: unknown }[] = [];
  /** How many more messages the submitter takes. */
  room = Number.POSITIVE_INFINITY;
  now: number;
  owner: WaitingOwner | null = null;
  readonly metrics = new MetricBlock(allocateMetrics(1), 0);
  readonly inHand = Float64Array.of(-1);
  readonly #options: HarnessOptions;
  readonly #staging: RingConsumer;
  readonly #notices: RingProducer;

  constructor(options: HarnessOptions = {}) {
    this.#options = options;
    this.log = options.log ?? new MemoryLog();
    this.store = options.store ?? new MemoryStore();
    this.now = options.now ?? T0;
    const staging = new RingMemory(allocateRing(1 << 20));
    const notices = new RingMemory(allocateRing(1 << 16));
    this.#staging = new RingConsumer(staging);
    this.#notices = new RingProducer(notices);
    const bell = waitingDoorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
    this.ledger = new Ledger({
      node: "gw-1",
      epoch: options.epoch ?? 1,
      tailer: new MemoryTailer(this.log, readPosition(this.store).replayFrom),
      loader: this.log,
      appender: new JournalAppender(new RingProducer(staging), new RingConsumer(notices), bell),
      store: this.store,
      submitterOf: (owner) => {
        this.owner = owner;
        return {
          submit: (entry) => {
            if (this.room <= 0) return false;
            this.room--;
            this.submitted.push({ ...entry });
            return true;
          },
          cancel: (wanted) => this.cancellations.push(wanted),
          doWork: () => 0,
          waitingCount: 0,
          isFull: () => this.room <= 0,
        };
      },
      logTable: this.table,
      clock: { wallMs: () => this.now, monotonicMs: options.monotonicMs ?? (() => this.now) },
      random: () => 0.5,
      log: { write: (level, operation, fields) => this.lines.push({ level, operation, fields }) },
      metrics: this.metrics,
      inHand: this.inHand,
      inHandIndex: 0,
      quarantined: options.quarantined ?? new Set(),
      ...(options.isSkipped === undefined ? {} : { isSkipped: options.isSkipped }),
      policy: { ...POLICY, ...options.policy },
      cancelOrders: (producer, order) => this.cancelOrders.push({ producer, order }),
      observers: options.observersOf?.(this.store) ?? [],
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.queueReasonOf === undefined ? {} : { queueReasonOf: options.queueReasonOf }),
    });
  }

  /** Appends records to the log and lets the ledger read them; returns their log offsets. */
  feed(...records: Uint8Array[]): number[] {
    const offsets = this.log.append(records);
    this.#publishEnd();
    this.work();
    return offsets;
  }

  /** Rounds until nothing happens any more. */
  work(): void {
    for (let i = 0; i < 200; i++) {
      const work = this.ledger.doWork() + this.#commitStaged();
      if (work === 0) return;
    }
    throw new Error("the ledger does not come to rest");
  }

  /** Lets `ms` pass, in steps, working meanwhile. */
  pass(ms: number, stepMs = 250): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.now + stepMs);
      this.work();
    }
  }

  /** Flushes everything. */
  flush(): void {
    this.ledger.requestFlush();
    this.work();
  }

  /** The next run, after a crash of this one. */
  restart(options: Partial<HarnessOptions> = {}): Harness {
    const store = this.store instanceof MemoryStore ? this.store.crash(false) : this.store;
    return new Harness({
      ...this.#options,
      epoch: (this.#options.epoch ?? 1) + 1,
      log: this.log,
      store,
      now: this.now,
      ...options,
    });
  }

  #publishEnd(): void {
    this.table.store(LogWord.COMMITTED, this.log.end);
    if (this.#options.isUnsynced !== true) this.table.store(LogWord.SYNCED, this.log.end);
  }

  /** Plays the journal for what the ledger staged. */
  #commitStaged(): number {
    if (this.#options.isJournalOff === true) return 0;
    const run = this.#staging.takeRun(1 << 20);
    if (run === 0) return 0;
    const { view, bytes } = this.#staging;
    const records: Uint8Array[] = [];
    const start = this.#staging.runOffset;
    const first = this.log.end;
    for (let at = start; at < start + run; ) {
      const length = view.getUint32(at, true);
      if (view.getUint8(at + 4) !== 0) records.push(bytes.slice(at, at + length));
      at += alignRecord(length);
    }
    this.log.append(records);
    this.#publishEnd();
    const notice = this.#notices.claim(COMMIT_NOTICE_BYTES, COMMIT_NOTICE_TYPE, 1, 0);
    if (notice === RING_FULL) throw new Error("notice ring is full");
    this.#notices.view.setFloat64(notice + CommitNotice.LOG_OFFSET, first, true);
    this.#notices.view.setInt32(
      notice + CommitNotice.END_POSITION,
      this.#staging.readPosition,
      true,
    );
    this.#notices.publish();
    return records.length;
  }
}

export const POLICY: LedgerPolicy = {
  retentionMs: 24 * 3_600_000,
  bytesMax: 1e12,
  eventsMax: 1e6,
  eventsTtlMs: 72 * 3_600_000,
  segmentBytes: 64 * 1024 * 1024,
  logBytesMax: 2 ** 40,
  receiptGraceMs: 86_400_000,
  keepsDeadTexts: true,
  plan: {
    poolIndexById: new Map([[1000, 3]]),
    appIndexById: new Map([[7, 5]]),
    ambiguousByLink: new Map([
      [100, "by_class"],
      [101, "by_class"],
      [102, "hold"],
      [103, "fail"],
      [104, "resend"],
    ]),
    accountByLink: new Map([[105, 100]]),
  },
};
