/** Retention, eviction by size, eviction from memory, and rows that come back as they went. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { ROW_BYTES_MAX } from "../../../src/ledger/messages/row-layout.ts";
import { decodeRow, encodeRow, rowBytes } from "../../../src/ledger/messages/row.ts";
import { FLAG_MAYBE_DUP, Outcome } from "../../../src/records/attempt.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness } from "./harness.ts";
import { accept, ambiguous, answer, key, receipt, sending, T0 } from "./records.ts";
import { recordMemory } from "../../../src/records/memory.ts";

const HOUR = 3_600_000;
const PER_HOUR = HOUR * 4096;

function rowsOf(harness: Harness): number {
  return (harness.store as MemoryStore).dump(LedgerTable.ROWS).length;
}

function delivered(harness: Harness, number: number, at = 50): void {
  const k = key(number);
  const id = `i${number}`;
  harness.feed(accept(k, { at: T0 + at }), sending(k), answer(k, { id }), receipt(id, 2, at));
}

test("final messages leave after retention, open ones stay, the books keep counting", () => {
  const harness = new Harness({ policy: { retentionMs: HOUR } });
  harness.work();
  for (let i = 0; i < 50; i++) delivered(harness, i);
  harness.feed(accept(key(50), { ttlMs: 100 * HOUR }));
  // Final late, though accepted early: retention counts from the end.
  const slow = key(51);
  harness.feed(accept(slow), sending(slow), answer(slow, { id: "slow" }));
  harness.pass(HOUR / 2, 60_000);
  harness.feed(receipt("slow", 2, HOUR / 2));
  harness.flush();
  assert.equal(rowsOf(harness), 52);
  harness.pass(HOUR / 2 + 20_000, 10_000);
  assert.equal(rowsOf(harness), 2);
  assert.equal(harness.ledger.getMessage(key(3), 7), null);
  harness.pass(HOUR / 2, 10_000);
  assert.equal(rowsOf(harness), 1);
  const report = verifyBooks(harness.store);
  assert.deepEqual(report.mismatches, []);
  assert.equal(report.books.accepted, 52);
  assert.equal(report.books.final["delivered"], 51);
  harness.feed(answer(key(3), { id: "late" }));
  assert.equal(harness.ledger.status().unknown_records, 1);
});

test("a message that its owner lost ends a minute after its validity", () => {
  const harness = new Harness();
  harness.work();
  harness.feed(accept(key(1), { ttlMs: 5000 }));
  harness.pass(30_000);
  assert.equal(
    harness.ledger.getMessage(key(1), 7)?.status,
    "accepted",
    "its owner may still end it",
  );
  harness.pass(45_000);
  assert.equal(harness.ledger.getMessage(key(1), 7)?.status, "expired");
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("a store that grows too large loses its oldest final messages first", () => {
  const harness = new Harness({ policy: { bytesMax: 20_000 } });
  harness.work();
  harness.feed(accept(key(1), { ttlMs: 100 * HOUR }));
  for (let i = 2; i < 300; i++) delivered(harness, i * 1000);
  harness.pass(30_000, 500);
  assert.ok(harness.store.usedBytes() <= 40_000);
  assert.notEqual(harness.ledger.getMessage(key(1), 7), null);
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("for want of room the earliest final go, no others and no more than must", () => {
  const bytesMax = 60_000;
  const harness = new Harness({ policy: { bytesMax } });
  harness.work();
  const count = 400;
  // Accepted in one order, final in another.
  const endOf = (i: number): number => (i * 7919) % count;
  for (let i = 0; i < count; i++) {
    const k = key(i * 100);
    harness.feed(accept(k), sending(k), answer(k, { id: `i${i}` }));
  }
  const byEnd = Array.from({ length: count }, (_, i) => i).sort((a, b) => endOf(a) - endOf(b));
  for (const i of byEnd) {
    harness.feed(receipt(`i${i}`, 2, 1000 + endOf(i)));
    if (i % 40 === 0) harness.flush();
  }
  harness.flush();
  assert.ok(harness.store.usedBytes() > bytesMax);
  harness.pass(60_000, 500);
  const used = harness.store.usedBytes();
  assert.ok(used <= bytesMax, `${used} bytes are left`);
  const isLeft = byEnd.map((i) => harness.ledger.getMessage(key(i * 100), 7) !== null);
  const first = isLeft.indexOf(true);
  assert.ok(first > 0 && isLeft.slice(first).every((left) => left), "not the earliest went");
  assert.ok(used > 0.9 * bytesMax, `only ${used} bytes are left`);
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("messages that left memory come back with everything that is known of them", () => {
  const harness = new Harness({ limits: { cacheMax: 4 } });
  harness.work();
  const k = key(1);
  const multipart = { parts: 3, reference: "Bestellung-ü" };
  harness.feed(accept(k, multipart), sending(k), answer(k, { id: "\xff\x00z", session: 9 }));
  harness.feed(sending(k, { part: 1 }), ambiguous(k, { part: 1 }));
  const refused = { part: 2, outcome: Outcome.RETRY, status: 0x14, retryAfterMs: 9000 };
  harness.feed(sending(k, { part: 2 }), answer(k, refused));
  const before = harness.ledger.getMessage(k, 7);
  assert.equal(before?.reference, "Bestellung-ü");
  harness.flush();
  for (let i = 2; i < 100; i++) delivered(harness, i * PER_HOUR);
  harness.flush();
  assert.ok(harness.ledger.status().cached <= 8);
  assert.deepEqual(harness.ledger.getMessage(k, 7), before);
  const row = harness.store.get(LedgerTable.ROWS, firstKey(harness)) as Uint8Array;
  const message = decodeRow(row);
  const again = recordMemory(Buffer.alloc(ROW_BYTES_MAX));
  const length = encodeRow(message, again);
  assert.deepEqual([...again.bytes.subarray(0, length)], [...row]);
  assert.equal(rowBytes(message), length);
});

test("waits end with their cause and are never left behind", () => {
  const harness = new Harness();
  harness.work();
  const k = key(1);
  const refused = { outcome: Outcome.RETRY, status: 8, retryAfterMs: 1000 };
  harness.feed(accept(k), sending(k), answer(k, refused));
  harness.flush();
  const store = harness.store as MemoryStore;
  assert.equal(store.dump(LedgerTable.WAITS).length, 1);
  harness.pass(2000);
  harness.feed(sending(k, { attempt: 2, at: 2000 }), ambiguous(k, { attempt: 2, at: 3000 }));
  harness.flush();
  assert.equal(store.dump(LedgerTable.WAITS).length, 1);
  harness.pass(2000);
  harness.feed(sending(k, { attempt: 3, at: 4000, flags: FLAG_MAYBE_DUP }));
  harness.flush();
  assert.equal(store.dump(LedgerTable.WAITS).length, 0);
  harness.feed(answer(k, { attempt: 3, id: "1", at: 4010 }), receipt("1", 2, 4020));
  harness.flush();
  assert.equal(store.dump(LedgerTable.OPEN).length, 0);
});

test("what is accepted and ends between two flushes costs one row and nothing else", () => {
  const harness = new Harness({ limits: { flushIntervalMs: 1e12 } });
  harness.work();
  const store = harness.store as MemoryStore;
  for (let i = 0; i < 20; i++) delivered(harness, i);
  harness.flush();
  assert.equal(store.dump(LedgerTable.ROWS).length, 20);
  assert.equal(store.dump(LedgerTable.OPEN).length, 0);
  assert.equal(store.dump(LedgerTable.WAITS).length, 0);
});

function firstKey(harness: Harness): Uint8Array {
  let first = new Uint8Array(0);
  harness.store.range(LedgerTable.ROWS, new Uint8Array(0), (found) => {
    first = Uint8Array.from(found);
    return false;
  });
  return first;
}
