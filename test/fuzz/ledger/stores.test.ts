/**
 * The same records through two ledgers, one over LMDB and one over memory: what they say of every
 * message, books, CDR rows and events is the same, over deaths and restarts.
 *
 *   records ──┬─► ledger, few messages in memory ─► LMDB      rows and arenas are used again
 *             └─► ledger, all messages in memory ─► MemoryStore   every value in memory of its own
 *
 * The store that the simulation has gives new memory for every value, too: whatever comes of bytes
 * that are used again is found here. Records are drawn from a seed, which a failure names; when
 * LMDB's own thread makes a commit visible is not in the seed's hands.
 *
 *   FUZZ_LEDGER_STEPS=20000 FUZZ_SEED=7 node --test dist/test/fuzz/ledger/stores.test.js
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { chunkKey, isChunkKey, keyRow } from "../../../src/ledger/cdr/cdr-format.ts";
import { CdrRows } from "../../../src/ledger/cdr/cdr-rows.ts";
import { type LmdbLedgerStore, openLmdbStore } from "../../../src/ledger/store/lmdb-store.ts";
import { readPosition } from "../../../src/ledger/store/meta.ts";
import { type LedgerStore, LedgerTable } from "../../../src/ledger/store/store.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import { DlrMode, MessageClass } from "../../../src/records/types.ts";
import { CdrField, type CdrValue } from "../../../src/sink/cdr-columns.ts";
import { CdrDecoder } from "../../../src/sink/cdr-decode.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { Harness, type HarnessOptions } from "../../unit/ledger/harness.ts";
import * as records from "../../unit/ledger/records.ts";

const STEPS = Number(process.env["FUZZ_LEDGER_STEPS"] ?? 100);
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_261_122);
/** A death comes after so many steps on the average. */
const STEPS_PER_LIFE = 40;
const APP = 7;
/** Longer than a run takes in its own time: what time alone ends, it ends at its own pace. */
const TTL_MS = 1e9;
/** Messages that most records are about: the youngest. */
const YOUNG = 300;
const LINKS = [100, 101, 102, 103, 104, 105] as const;
const CLASSES = [MessageClass.OTP, MessageClass.TRANSACTIONAL, MessageClass.PROMOTIONAL] as const;
/** States of receipts (SMPP 5.2.28): ENROUTE and five that are final. */
const STATES = [1, 2, 2, 2, 3, 5, 7, 8] as const;
const OUTCOMES = [
  Outcome.ACCEPTED,
  Outcome.ACCEPTED,
  Outcome.ACCEPTED,
  Outcome.REJECTED,
  Outcome.RETRY,
  Outcome.KEPT,
  Outcome.EXHAUSTED,
] as const;

interface Planned {
  readonly number: number;
  readonly epoch: number;
  readonly parts: number;
  /** Attempts at each part, and the link of the last. */
  readonly attempts: number[];
  readonly links: number[];
}

/** Draws records as a gateway with deaths would write them, and some that it never would. */
class RecordSource {
  readonly all: Planned[] = [];
  readonly random: () => number;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[integerIn(this.random, 0, list.length - 1)] as T;
  }

  anyMessage(): Planned {
    const first = this.chance(0.9) ? Math.max(0, this.all.length - YOUNG) : 0;
    return this.all[integerIn(this.random, first, this.all.length - 1)] as Planned;
  }

  next(epoch: number, atMs: number): Uint8Array[] {
    const at = atMs - records.T0;
    if (this.all.length === 0 || this.chance(0.35)) return this.#newMessage(epoch, at);
    const message = this.anyMessage();
    const of = records.key(message.number, message.epoch);
    const part = integerIn(this.random, 0, message.parts - 1);
    const attempt = Math.max(1, message.attempts[part] as number);
    const link = message.links[part] as number;
    switch (integerIn(this.random, 0, 9)) {
      case 0:
      case 1:
        return [this.#sending(message, part, at)];
      case 2:
      case 3:
      case 4:
        return [this.#answer(message, part, at)];
      case 5:
      case 6: {
        const id = idOf(message, part);
        return [records.receipt(id, this.pick(STATES), at, link, this.pick(["000", "0x45", ""]))];
      }
      case 7:
        return [records.ambiguous(of, { part, attempt, link, at })];
      case 8:
        return this.chance(0.5)
          ? [records.concluded(of, this.pick(Object.values(Verdict)), at)]
          : [records.ambiguous(of, { part, attempt, link, at })];
      default:
        // What was applied before a death may be read once more.
        return [records.accept(of, { parts: message.parts })];
    }
  }

  #newMessage(epoch: number, at: number): Uint8Array[] {
    const parts = this.chance(0.2) ? integerIn(this.random, 2, 4) : 1;
    const number = this.all.length + 1;
    const filled = <T>(value: T): T[] => Array.from({ length: parts }, () => value);
    const message = { number, epoch, parts, attempts: filled(0), links: filled(100) };
    this.all.push(message);
    const accepted = records.accept(records.key(number, epoch), {
      parts,
      at: records.T0 + at,
      ttlMs: TTL_MS,
      dlr: this.pick([DlrMode.FINAL, DlrMode.FINAL, DlrMode.NONE, DlrMode.ALL]),
      messageClass: this.pick(CLASSES),
      reference: "r".repeat(integerIn(this.random, 0, 200)),
      to: `9989${String(number).padStart(8, "0")}`,
    });
    const more: Uint8Array[] = [];
    if (this.chance(0.7)) {
      for (let part = 0; part < parts; part++) {
        more.push(this.#sending(message, part, at), this.#answer(message, part, at));
      }
    }
    return [accepted, ...more];
  }

  #sending(message: Planned, part: number, at: number): Uint8Array {
    const attempt = Math.min(200, (message.attempts[part] as number) + 1);
    message.attempts[part] = attempt;
    const link = this.chance(0.9) ? 100 : this.pick(LINKS);
    message.links[part] = link;
    return records.sending(records.key(message.number, message.epoch), {
      part,
      attempt,
      link,
      at,
      flags: attempt > 1 && this.chance(0.5) ? FLAG_MAYBE_DUP : 0,
      concatReference: message.parts > 1 ? 1 + (message.number % 255) : 0,
    });
  }

  #answer(message: Planned, part: number, at: number): Uint8Array {
    const attempt = Math.max(1, message.attempts[part] as number);
    const outcome = this.pick(OUTCOMES);
    const isAccepted = outcome === Outcome.ACCEPTED;
    const isWritten = outcome !== Outcome.KEPT || this.chance(0.5);
    return records.answer(records.key(message.number, message.epoch), {
      part,
      attempt,
      link: message.links[part] as number,
      at,
      outcome,
      status: isAccepted ? 0 : isWritten ? 0x58 : NOT_WRITTEN,
      retryAfterMs: 1000,
      ...(isAccepted ? { id: idOf(message, part) } : {}),
    });
  }
}

function idOf({ number }: Planned, part: number): string {
  return `id-${number}-${part}`;
}

/** What depends on when a ledger came to commit a row. */
const OF_THE_COMMIT: readonly number[] = [CdrField.row, CdrField.recorded_at];

/** Rows of a store: those of each message, in order, but for when they were numbered. */
function cdrRows(store: LedgerStore): Map<CdrValue, CdrValue[][]> {
  const byMessage = new Map<CdrValue, CdrValue[][]>();
  const decoder = new CdrDecoder("gw-1", (row) => {
    const id = row[CdrField.message_id] ?? null;
    const known = byMessage.get(id) ?? [];
    known.push(row.filter((_, field) => !OF_THE_COMMIT.includes(field)));
    byMessage.set(id, known);
  });
  let next = 0;
  store.range(LedgerTable.CDR, chunkKey(0), (key, chunk) => {
    if (!isChunkKey(key)) return true;
    assert.equal(keyRow(key), next, "rows are numbered without a gap");
    next = decoder.decode(chunk, next);
    return true;
  });
  return byMessage;
}

function observersOf(store: LedgerStore): CdrRows[] {
  const rows = new CdrRows({
    store,
    logTable: new LogTable(allocateLogTable(4)),
    epoch: 1,
    clock: { wallMs: () => records.T0, monotonicMs: () => 0 },
    random: () => 0.5,
    log: { write: () => undefined },
    format: "ndjson",
    rollIntervalMs: 1e9,
    rollBytesMax: 1e9,
    diskBytesMax: 1e12,
    onCut: () => undefined,
  });
  return [rows];
}

/** The two ledgers; whatever is done is done to both. */
class Pair {
  readonly #directory = mkdtempSync(join(tmpdir(), "smsgw-test-"));
  readonly #memoryStore = new MemoryStore(true);
  #store: LmdbLedgerStore = this.#open();
  lmdb: Harness;
  memory: Harness;
  epoch = 1;

  constructor() {
    this.lmdb = new Harness({ store: this.#store, ...FEW_IN_MEMORY });
    this.memory = new Harness({ store: this.#memoryStore, ...ALL_IN_MEMORY });
  }

  get both(): readonly Harness[] {
    return [this.lmdb, this.memory];
  }

  #open(): LmdbLedgerStore {
    return openLmdbStore(this.#directory, 1e9, false);
  }

  /** The run begins: its STARTED is in the log, and what earlier ones left is resolved. */
  async start(): Promise<void> {
    const at = this.lmdb.now - records.T0;
    for (const one of this.both) one.feed(records.started(this.epoch, at));
    await this.#until(() => this.both.every(({ ledger }) => !ledger.isRecovering()));
  }

  feed(some: readonly Uint8Array[], ms: number): void {
    for (const one of this.both) {
      one.feed(...some);
      one.now += ms;
    }
  }

  /** Both processes die: what the ledger has not committed is lost, and read again. */
  async die(): Promise<void> {
    await this.#store.close();
    this.#store = this.#open();
    this.epoch++;
    const { epoch } = this;
    this.lmdb = this.lmdb.restart({ store: this.#store, epoch });
    this.memory = this.memory.restart({ store: this.#memoryStore, epoch });
    await this.start();
  }

  /** Everything that was read is committed. */
  async flush(): Promise<void> {
    for (const one of this.both) one.flush();
    const { end } = this.lmdb.log;
    const isFlushed = ({ table, store }: Harness): boolean =>
      table.load(LogWord.LEDGER_FLUSHED) >= end && readPosition(store).replayFrom >= end;
    await this.#until(() => this.both.every(isFlushed));
  }

  async #until(isSo: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 60_000; !isSo(); ) {
      assert.ok(Date.now() < deadline, "a ledger does not come to rest");
      await setTimeout(1);
      for (const one of this.both) {
        one.now++;
        one.work();
      }
    }
  }

  compareMessage({ number, epoch }: Planned): void {
    const of = records.key(number, epoch);
    const found = this.lmdb.ledger.getMessage(of, APP);
    assert.deepEqual(found, this.memory.ledger.getMessage(of, APP), `message ${number}`);
    assert.ok(found !== null, `message ${number} is there`);
  }

  async compareAll(all: readonly Planned[]): Promise<void> {
    await this.flush();
    for (const message of all) this.compareMessage(message);
    const [books, expected] = [verifyBooks(this.#store), verifyBooks(this.#memoryStore)];
    assert.deepEqual(books.mismatches, []);
    assert.deepEqual(books.books, expected.books);
    assert.deepEqual(cdrRows(this.#store), cdrRows(this.#memoryStore));
    const [events, expectedEvents] = this.both.map(({ ledger }) => ledger.events(APP, 0, 1e6));
    assert.deepEqual(events, expectedEvents);
  }

  async close(): Promise<void> {
    await this.#store.close();
    rmSync(this.#directory, { recursive: true });
  }
}

const COMMON: HarnessOptions = { isJournalOff: true, observersOf };
const FEW_IN_MEMORY: HarnessOptions = {
  ...COMMON,
  limits: { flushIntervalMs: 1, dirtyMax: 64, dirtyStop: 4096, cacheMax: 64 },
};
const ALL_IN_MEMORY: HarnessOptions = {
  ...COMMON,
  limits: { flushIntervalMs: 1e9, dirtyMax: 1e6, dirtyStop: 1e6, cacheMax: 1e6 },
};

test(`a ledger over LMDB says what one over memory says (FUZZ_SEED=${SEED})`, async () => {
  const source = new RecordSource(SEED);
  const pair = new Pair();
  try {
    await pair.start();
    for (let step = 0; step < STEPS; step++) {
      const some: Uint8Array[] = [];
      for (let i = integerIn(source.random, 1, 60); i > 0; i--) {
        some.push(...source.next(pair.epoch, pair.lmdb.now));
      }
      pair.feed(some, integerIn(source.random, 0, 19));
      for (let i = integerIn(source.random, 0, 3); i > 0; i--) await setImmediate();
      if (source.chance(0.05)) await setTimeout(5);
      for (let i = 0; i < 20; i++) pair.compareMessage(source.anyMessage());
      if (!source.chance(1 / STEPS_PER_LIFE)) continue;
      await pair.compareAll(source.all);
      await pair.die();
    }
    await pair.compareAll(source.all);
  } finally {
    await pair.close();
  }
});
