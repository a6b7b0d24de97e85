/** The ledger's idempotency keys: over restarts, by age, by number, app by app. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { IdempotencyKeys, type KeyBounds } from "../../../src/ledger/idempotency-keys.ts";
import { type LedgerStore, LedgerTable } from "../../../src/ledger/store/store.ts";
import { allocateMetrics, Counter, MetricBlock } from "../../../src/metrics/block.ts";
import { originOf } from "../../../src/records/message-key.ts";
import { RecordType } from "../../../src/records/types.ts";
import {
  allocateIdempotency,
  Claim,
  factScheduled,
  factSegments,
  IdempotencyTable,
} from "../../../src/tables/idempotency-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness, MemoryLog } from "./harness.ts";
import { accept, key, T0 } from "./records.ts";

const BOUNDS: KeyBounds = { ttlMs: 3_600_000, keysMax: 1000, appKeysMax: 1000 };
const OTHER_RUN = originOf(99, 3);

/** A ledger with keys, and the table that it fills: what one process has. */
class Run {
  readonly table: IdempotencyTable;
  readonly harness: Harness;
  readonly metrics = new MetricBlock(allocateMetrics(1), 0);

  constructor(bounds: Partial<KeyBounds> = {}, before: Harness | null = null) {
    this.table = new IdempotencyTable(allocateIdempotency(1000));
    const observersOf = (store: LedgerStore): IdempotencyKeys[] => [this.#keys(store, bounds)];
    this.harness =
      before === null
        ? new Harness({ log: new MemoryLog(), store: new MemoryStore(), observersOf })
        : before.restart({ observersOf });
    this.harness.work();
  }

  #keys(store: LedgerStore, bounds: Partial<KeyBounds>): IdempotencyKeys {
    const { table, metrics } = this;
    return new IdempotencyKeys({ store, table, metrics, bounds: { ...BOUNDS, ...bounds } });
  }

  /** Message `number` with a key of that number is accepted. */
  accept(number: number, appId = 7, idempotency = wordsOf(number)): void {
    this.harness.feed(accept(key(number), { appId, idempotency, at: this.harness.now }));
  }

  /** Which of the keys [0, count) are kept; a look changes nothing. */
  kept(count: number): number[] {
    const all = Array.from({ length: count }, (_, number) => number);
    return all.filter((number) => this.find(number) === Claim.REPLAY);
  }

  find(number: number, words = wordsOf(number)): number {
    const found = this.table.claim(words, OTHER_RUN, 1);
    if (found === Claim.TAKEN) this.table.release(words, OTHER_RUN, 1);
    return found;
  }

  /** Blocks in the store. */
  blocks(): number {
    let count = 0;
    this.harness.store.range(LedgerTable.IDEMPOTENCY, new Uint8Array(0), () => {
      count++;
      return true;
    });
    return count;
  }

  /** After a crash that keeps what was durable. */
  restart(bounds: Partial<KeyBounds> = {}): Run {
    return new Run(bounds, this.harness);
  }
}

function wordsOf(number: number, digest = number): Int32Array {
  return Int32Array.of(Math.imul(number + 1, 0x9e3779b1), number, digest, 1);
}

test("a key has its message after a restart, from the store or from the log", () => {
  const first = new Run();
  first.accept(0);
  first.harness.flush();
  first.accept(1);
  first.harness.feed(accept(key(2), {}));
  const again = first.restart();
  assert.equal(again.harness.ledger.isReady(), true);
  for (const number of [0, 1]) {
    assert.equal(again.find(number), Claim.REPLAY);
    assert.equal(again.table.answer.sequence, key(number).sequence);
    assert.equal(again.table.answer.origin, key(number).origin);
    assert.equal(again.find(number, wordsOf(number, 77)), Claim.CONFLICT);
  }
  assert.equal(again.find(2), Claim.TAKEN, "that message had no key");
  assert.equal(again.table.keptCount, 2);
  again.harness.flush();
  assert.deepEqual(again.restart().kept(3), [0, 1]);
});

test("a message given up with its stretch of the log is unknown, its key stays", () => {
  const run = new Run();
  run.accept(0);
  run.accept(1);
  run.harness.pass(500);
  const { entries } = run.harness.log;
  const lost = entries.findIndex(({ type }) => type === RecordType.ACCEPT);
  entries.splice(lost, 1);
  const again = run.restart();
  again.harness.flush();
  assert.deepEqual(again.kept(2), [0, 1]);
  assert.equal(again.harness.ledger.getMessage(key(0), 7), null);
  assert.notEqual(again.harness.ledger.getMessage(key(1), 7), null);
});

test("the answer's facts are those of the ACCEPT", () => {
  const run = new Run();
  run.harness.feed(accept(key(0), { idempotency: wordsOf(0), parts: 3, delayS: 60 }));
  run.harness.flush();
  const again = run.restart();
  assert.equal(again.find(0), Claim.REPLAY);
  const { facts } = again.table.answer;
  assert.deepEqual([factSegments(facts), factScheduled(facts)], [3, true]);
});

test("keys go when they are older than their time, and their blocks with them", () => {
  const run = new Run();
  run.accept(0);
  run.harness.flush();
  run.harness.pass(1_800_000, 60_000);
  run.accept(1);
  run.accept(2, 8);
  run.harness.flush();
  assert.equal(run.blocks(), 3);
  run.harness.pass(1_790_000, 60_000);
  assert.deepEqual(run.kept(3), [0, 1, 2]);
  run.harness.pass(20_000);
  assert.deepEqual(run.kept(3), [1, 2]);
  assert.equal(run.blocks(), 2);
  assert.equal(run.metrics.read(Counter.idempotencyKeysDropped), 0, "it had its time");
  assert.deepEqual(run.restart().kept(3), [1, 2]);
  run.harness.pass(1_800_000, 60_000);
  assert.equal(run.table.keptCount, 0);
  assert.equal(run.blocks(), 0);
});

test("an app with too many keys loses its oldest, and nobody else's", () => {
  const bounds = { appKeysMax: 10 };
  const run = new Run(bounds);
  run.accept(100, 8);
  for (let number = 0; number < 25; number++) {
    run.accept(number);
    if (number % 4 === 0) run.harness.flush();
  }
  run.harness.flush();
  const last = Array.from({ length: 10 }, (_, i) => 15 + i);
  assert.deepEqual(run.kept(25), last);
  assert.equal(run.find(100), Claim.REPLAY);
  assert.equal(run.metrics.read(Counter.idempotencyKeysDropped), 15);
  const again = run.restart(bounds);
  assert.deepEqual(again.kept(25), last);
  assert.equal(again.find(100), Claim.REPLAY);
  assert.ok(again.blocks() <= 5, `${again.blocks()} blocks`);
  const smaller = again.restart({ appKeysMax: 3 });
  assert.deepEqual(smaller.kept(25), [22, 23, 24]);
});

test("with too many keys over all apps the app with the most loses its oldest", () => {
  const bounds = { keysMax: 10 };
  const run = new Run(bounds);
  for (let number = 0; number < 4; number++) run.accept(number, 8);
  for (let number = 10; number < 30; number++) run.accept(number, 7);
  run.harness.flush();
  assert.deepEqual(run.kept(30), [0, 1, 2, 3, 24, 25, 26, 27, 28, 29]);
  assert.equal(run.table.keptCount, 10);
  assert.equal(run.restart(bounds).table.keptCount, 10);
});

test("a key that was let go of and used again stays with its later message", () => {
  const bounds = { appKeysMax: 2 };
  const first = new Run(bounds);
  first.accept(0);
  first.accept(1);
  first.accept(2);
  assert.deepEqual(first.kept(3), [1, 2], "0 is free");
  first.accept(50, 7, wordsOf(0));
  // The log has both messages of key 0; the ledger that reads it again lets go of the first.
  const again = first.restart(bounds);
  assert.equal(again.find(0), Claim.REPLAY);
  assert.equal(again.table.answer.sequence, key(50).sequence);
  assert.deepEqual(again.kept(3), [0, 2]);
  again.accept(60, 7, wordsOf(60));
  assert.deepEqual(again.kept(61), [0, 60]);
  again.accept(61, 7, wordsOf(61));
  assert.deepEqual(again.kept(62), [60, 61]);
});

test("thousands of keys in one commit are all there after a restart", () => {
  const run = new Run();
  const records = Array.from({ length: 900 }, (_, number) =>
    accept(key(number), { appId: 7 + (number % 3), idempotency: wordsOf(number), at: T0 }),
  );
  run.harness.feed(...records);
  run.harness.flush();
  const again = run.restart();
  assert.equal(again.kept(900).length, 900);
  assert.equal(again.table.keptCount, 900);
});

test("a key without room is let go of once, and not in place of its later message", () => {
  const run = new Run();
  // Claims of calls under way fill the table's only region.
  const claims: Int32Array[] = [];
  for (let i = 0; ; i++) {
    const words = Int32Array.of(Math.imul(i + 1, 0x9e3779b1), -1 - i, 1, 1);
    if (run.table.claim(words, OTHER_RUN, 1 + i) !== Claim.TAKEN) break;
    claims.push(words);
  }
  run.accept(0);
  run.harness.flush();
  assert.equal(run.metrics.read(Counter.idempotencyKeysDropped), 1);
  for (const [i, words] of claims.entries()) run.table.release(words, OTHER_RUN, 1 + i);
  assert.deepEqual(run.kept(1), []);
  run.harness.pass(1_800_000, 60_000);
  run.accept(50, 7, wordsOf(0));
  run.harness.flush();
  // The first place in the queue comes of age; the key belongs to the later message.
  run.harness.pass(1_900_000, 60_000);
  assert.equal(run.find(0), Claim.REPLAY);
  assert.equal(run.table.answer.sequence, key(50).sequence);
  run.harness.pass(1_900_000, 60_000);
  assert.equal(run.find(0), Claim.TAKEN);
});
