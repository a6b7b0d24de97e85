/**
 * A storm of receipts upon a whole ledger, generated as it is read: every final state is known
 * beforehand.
 *
 *   message i   ACCEPT ─ SENDING ─ ANSWER (id in hexadecimal) ─ RECEIPT (id in decimal)
 *   20 %        RECEIPT before its ANSWER       5 % twice      1 % once more, contradicting
 *   1 %         besides, a RECEIPT for an id that nobody gave
 *
 * Receipts come by either of two links of one operator account. Ids are dense, so that one read in
 * the wrong base is often another message's. All from a seed, in simulated time.
 */
import { readFileSync } from "node:fs";
import { JournalAppender } from "../../../src/journal/appender.ts";
import type { LogTailer, RecordVisitor } from "../../../src/journal/log-reading.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { Ledger } from "../../../src/ledger/ledger.ts";
import { MESSAGE_STATUS } from "../../../src/ledger/messages/message-state.ts";
import { rowStatus } from "../../../src/ledger/messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../../../src/ledger/store/store.ts";
import { allocateMetrics, MetricBlock } from "../../../src/metrics/block.ts";
import { recordMemory } from "../../../src/records/memory.ts";
import { waitingDoorbell } from "../../../src/ring/doorbell.ts";
import { alignRecord, allocateRing } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { POLICY } from "../../unit/ledger/harness.ts";
import { accept, answer, key, receipt, sending, started, T0 } from "../../unit/ledger/records.ts";

const DELIVERED = 2;
const UNDELIVERABLE = 5;
const FIRST_ID = 0x20;
const MESSAGES_PER_MS = 10;
/** Messages that are on their way at once. */
const IN_FLIGHT = 2000;
const PARKED_MAX = 262_144;

export interface StormReport {
  readonly messages: number;
  readonly receipts: number;
  readonly early: number;
  readonly duplicates: number;
  readonly contradictions: number;
  readonly unknown: number;
  /** Messages whose final state is not the one that their own first receipt said. */
  readonly wrong: number;
  readonly booksAgree: boolean;
  readonly parkedMost: number;
  readonly parkedLeft: number;
  readonly indexBytesMost: number;
  /** What the process holds (RssAnon), and shares (RssShmem): the memory that it costs. */
  readonly anonymousBytesMost: number;
  readonly sharedBytesMost: number;
  /** Pages of mapped files (RssFile), mostly the store's: the kernel takes them back at need. */
  readonly fileBytesMost: number;
}

/** The final state of message `i`. */
function endOf(i: number): number {
  return i % 11 === 0 ? UNDELIVERABLE : DELIVERED;
}

class Storm implements LogTailer {
  position = 64;
  nowMs = T0;
  receipts = 0;
  early = 0;
  duplicates = 0;
  contradictions = 0;
  unknown = 0;
  readonly #count: number;
  readonly #random: () => number;
  #queue: Buffer[] = [started(1)];
  /** Messages that still need their receipt. */
  readonly #owed: number[] = [];
  #next = 0;

  constructor(count: number, seed: number) {
    this.#count = count;
    this.#random = seededRandom(seed);
  }

  get isOver(): boolean {
    return this.#next === this.#count && this.#owed.length === 0 && this.#queue.length === 0;
  }

  poll(visitor: RecordVisitor, bytesMax: number): number {
    let records = 0;
    for (let bytes = 0; bytes < bytesMax && !this.isOver; records++) {
      if (this.#queue.length === 0) this.#generate();
      const record = this.#queue.shift();
      if (record === undefined) continue;
      const memory = recordMemory(new Uint8Array(record.buffer, record.byteOffset, record.length));
      visitor.onRecord(record[4] as number, memory, 0, record.length, this.position);
      this.position += alignRecord(record.length);
      bytes += record.length;
    }
    return records;
  }

  #generate(): void {
    this.nowMs = T0 + Math.floor(this.#next / MESSAGES_PER_MS);
    if (this.#next < this.#count) this.#begin(this.#next++);
    while (this.#owed.length > (this.#next < this.#count ? IN_FLIGHT : 0)) {
      const chosen = integerIn(this.#random, 0, this.#owed.length - 1);
      const i = this.#owed[chosen] as number;
      this.#owed[chosen] = this.#owed.at(-1) as number;
      this.#owed.pop();
      this.#finish(i);
    }
  }

  #begin(i: number): void {
    const at = this.nowMs - T0;
    const k = key(i);
    const id = (FIRST_ID + i).toString(16);
    this.#queue.push(accept(k, { at: this.nowMs, ttlMs: 86_400_000 }), sending(k, { at }));
    if (this.#random() < 0.2) {
      this.early++;
      this.#finish(i);
    } else {
      this.#owed.push(i);
    }
    this.#queue.push(answer(k, { id, at }));
  }

  #finish(i: number): void {
    const random = this.#random;
    const at = this.nowMs - T0;
    const push = (number: number, state: number): void => {
      this.receipts++;
      const link = random() < 0.5 ? 100 : 105;
      this.#queue.push(receipt(String(number), state, at, link));
    };
    push(FIRST_ID + i, endOf(i));
    if (random() < 0.05) {
      this.duplicates++;
      push(FIRST_ID + i, endOf(i));
    }
    if (random() < 0.01) {
      this.contradictions++;
      push(FIRST_ID + i, endOf(i) === DELIVERED ? UNDELIVERABLE : DELIVERED);
    }
    if (random() < 0.01) {
      this.unknown++;
      push(FIRST_ID + this.#count + integerIn(random, 1, 1_000_000_000), DELIVERED);
    }
  }
}

/** Runs a storm of `count` messages over `store`; `turn` lets the store's commits go on. */
export async function runStorm(
  count: number,
  seed: number,
  store: LedgerStore,
  turn: () => Promise<void>,
): Promise<StormReport> {
  const storm = new Storm(count, seed);
  const table = new LogTable(allocateLogTable(2));
  const ledger = makeLedger(storm, store, table);
  let parkedMost = 0;
  let indexBytesMost = 0;
  const most = { anonymousBytesMost: 0, sharedBytesMost: 0, fileBytesMost: 0 };
  const look = (): void => {
    const { parked, receipt_index: index } = ledger.status();
    parkedMost = Math.max(parkedMost, parked);
    indexBytesMost = Math.max(indexBytesMost, index.bytes);
    const status = readFileSync("/proc/self/status", "latin1");
    most.anonymousBytesMost = Math.max(most.anonymousBytesMost, statusBytes(status, "RssAnon"));
    most.sharedBytesMost = Math.max(most.sharedBytesMost, statusBytes(status, "RssShmem"));
    most.fileBytesMost = Math.max(most.fileBytesMost, statusBytes(status, "RssFile"));
  };
  for (let rounds = 0; !storm.isOver; rounds++) {
    table.store(LogWord.COMMITTED, Number.MAX_SAFE_INTEGER);
    ledger.doWork();
    await turn();
    if (rounds % 16 === 0) look();
  }
  // What is in doubt is decided, what nobody claims is given up.
  table.store(LogWord.COMMITTED, storm.position);
  for (let i = 0; i < 4000; i++) {
    storm.nowMs += 250;
    ledger.doWork();
    if (i % 8 === 0) await turn();
  }
  while (table.load(LogWord.LEDGER_FLUSHED) < storm.position) {
    ledger.requestFlush();
    storm.nowMs += 250;
    ledger.doWork();
    await turn();
  }
  look();
  const { receipts, early, duplicates, contradictions, unknown } = storm;
  return {
    messages: count,
    receipts,
    early,
    duplicates,
    contradictions,
    unknown,
    wrong: countWrong(store, count),
    booksAgree: verifyBooks(store).ok,
    parkedMost,
    parkedLeft: ledger.status().parked,
    indexBytesMost,
    ...most,
  };
}

function countWrong(store: LedgerStore, count: number): number {
  let i = 0;
  let wrong = 0;
  store.range(LedgerTable.ROWS, new Uint8Array(0), (_key, row) => {
    const expected: string = endOf(i++) === DELIVERED ? "delivered" : "undelivered";
    if (MESSAGE_STATUS[rowStatus(row) as 0] !== expected) wrong++;
    return true;
  });
  return wrong + Math.abs(count - i);
}

function makeLedger(storm: Storm, store: LedgerStore, logTable: LogTable): Ledger {
  const staging = new RingProducer(new RingMemory(allocateRing(1 << 16)));
  const notices = new RingConsumer(new RingMemory(allocateRing(1 << 14)));
  const bell = waitingDoorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
  return new Ledger({
    node: "storm",
    epoch: 1,
    tailer: storm,
    loader: { memory: recordMemory(new Uint8Array(8)), load: () => -1 },
    appender: new JournalAppender(staging, notices, bell),
    store,
    submitterOf: () => ({
      submit: () => true,
      doWork: () => 0,
      cancel: () => undefined,
      waitingCount: 0,
      isFull: () => false,
    }),
    logTable,
    clock: { wallMs: () => storm.nowMs, monotonicMs: () => storm.nowMs },
    random: () => 0.5,
    log: { write: () => undefined },
    metrics: new MetricBlock(allocateMetrics(1), 0),
    inHand: Float64Array.of(-1),
    inHandIndex: 0,
    quarantined: new Set(),
    policy: POLICY,
    limits: { parkedMax: PARKED_MAX },
  });
}

/** A size that Linux shows in a process' status. */
function statusBytes(status: string, field: string): number {
  return 1024 * Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(status)?.[1]);
}
