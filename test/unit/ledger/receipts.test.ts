/**
 * Receipts find their messages whatever the operator makes of its ids, early, late, twice or never.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import type { LinkSummary } from "../../../src/ledger/receipts/link-learning.ts";
import { PARK_MS } from "../../../src/ledger/receipts/parked-receipts.ts";
import { allocateRows, LinkWord, rowWord } from "../../../src/tables/link-table.ts";
import { Harness } from "./harness.ts";
import { accept, answer, key, receipt, sending, T0 } from "./records.ts";

const DELIVERED = 2;
const EXPIRED = 3;
const UNDELIVERABLE = 5;

function sent(harness: Harness, number: number, id: string, link = 100): void {
  const k = key(number);
  harness.feed(accept(k), sending(k, { link }), answer(k, { id, link }));
}

function statusOf(harness: Harness, number: number): string | undefined {
  return harness.ledger.getMessage(key(number), 7)?.status;
}

function ready(options: ConstructorParameters<typeof Harness>[0] = {}): Harness {
  const harness = new Harness(options);
  harness.work();
  harness.pass(300);
  return harness;
}

const SPELLINGS: readonly (readonly [string, string, string])[] = [
  ["exact", "MiXed-7f", "MiXed-7f"],
  ["letter_case", "ab12CD", "AB12cd"],
  ["leading_zeros", "0913121205", "913121205"],
  ["leading_zeros", "913121205", "0000913121205"],
  ["leading_zeros", "00AF", "af"],
];
for (const [transform, answered, received] of SPELLINGS) {
  test(`id ${answered} is found by receipt ${received} at once (${transform})`, () => {
    const harness = ready();
    sent(harness, 1, answered);
    harness.feed(receipt(received, DELIVERED));
    assert.equal(statusOf(harness, 1), "delivered");
    assert.equal(harness.ledger.status().links[0]?.matches[transform], 1);
  });
}

test("an id in the other base is taken for it when its own answer does not come", () => {
  for (const [answered, received] of [
    ["210ea19d", "554607005"],
    ["554607005", "210EA19D"],
    ["FFFFFFFFFFFFFFFFFFFF", "1208925819614629174706175"],
  ]) {
    const harness = ready();
    sent(harness, 1, answered as string);
    harness.feed(receipt(received as string, DELIVERED));
    assert.equal(statusOf(harness, 1), "sent");
    assert.equal(harness.ledger.status().parked, 1);
    harness.pass(6000);
    assert.equal(statusOf(harness, 1), "delivered", received);
  }
});

test("a base that many receipts agree on is pinned, for waiting ones and for those to come", () => {
  const harness = ready();
  const base = 0x1f00_0000;
  for (let i = 0; i < 40; i++) sent(harness, i, (base + i * 3).toString(16));
  for (let i = 0; i < 20; i++) harness.feed(receipt(String(base + i * 3), DELIVERED));
  assert.equal(harness.ledger.status().links[0]?.pinned, "decimal_of_hex");
  const words = new Int32Array(allocateRows(2));
  harness.ledger.showLinks(words, () => 1);
  const { matches } = harness.ledger.status().links[0] as LinkSummary;
  const shown = words.subarray(rowWord(1, LinkWord.ID_BASE), rowWord(1, LinkWord.ID_MATCHES) + 5);
  assert.deepEqual([...shown], [2, ...Object.values(matches)]);
  assert.equal(harness.ledger.status().parked, 0);
  for (let i = 20; i < 40; i++) {
    harness.feed(receipt(String(base + i * 3), DELIVERED));
    assert.equal(statusOf(harness, i), "delivered");
  }
  // What was learnt survives.
  harness.flush();
  const next = harness.restart();
  next.work();
  assert.equal(next.ledger.status().links[0]?.pinned, "decimal_of_hex");
});

test("dense decimal ids are not mistaken for each other in hexadecimal", () => {
  const harness = ready();
  const count = 600;
  for (let i = 10; i < count; i++) sent(harness, i, String(i));
  for (let i = 10; i < 60; i++) harness.feed(receipt(String(i), DELIVERED));
  // Each of them is another message's id in hexadecimal: in doubt until no answer has claimed it.
  assert.equal(harness.ledger.status().parked, 50);
  harness.pass(6000);
  assert.equal(harness.ledger.status().links[0]?.pinned, "same");
  // 0x150 = 336 is somebody's id; 999 and 1f4 (= 500) are nobody's.
  harness.feed(receipt("1f4", UNDELIVERABLE), receipt("999", UNDELIVERABLE));
  harness.pass(10_000, 1000);
  for (let i = 60; i < count; i++) assert.equal(statusOf(harness, i), "sent");
  for (let i = 10; i < 60; i++) assert.equal(statusOf(harness, i), "delivered");
  assert.equal(harness.ledger.status().parked, 2);
});

test("a receipt before its answer is parked, and matched when it comes", () => {
  const harness = ready();
  const k = key(1);
  harness.feed(receipt("E1", DELIVERED, 5));
  harness.feed(accept(k), sending(k));
  harness.pass(1000);
  harness.feed(answer(k, { id: "E1", at: 1000 }));
  assert.equal(statusOf(harness, 1), "delivered");
  harness.flush();
  const next = harness.restart();
  next.work();
  assert.equal(next.ledger.status().parked, 0);
});

test("ids of different links do not meet", () => {
  const harness = ready();
  sent(harness, 1, "55", 100);
  sent(harness, 2, "55", 101);
  harness.feed(receipt("55", DELIVERED, 50, 101));
  assert.equal(statusOf(harness, 1), "sent");
  assert.equal(statusOf(harness, 2), "delivered");
});

test("an id given twice goes to the message that still waits", () => {
  const harness = ready();
  sent(harness, 1, "55");
  harness.feed(receipt("55", DELIVERED, 50));
  sent(harness, 2, "55");
  harness.feed(receipt("55", UNDELIVERABLE, 60));
  assert.equal(statusOf(harness, 1), "delivered");
  assert.equal(statusOf(harness, 2), "undelivered");
});

test("a parked receipt that nobody claims is given up in time, with a log line", () => {
  const harness = ready();
  harness.feed(receipt("ghost", DELIVERED, 5));
  harness.pass(PARK_MS - 2000, 10_000);
  assert.equal(harness.ledger.status().parked, 1);
  assert.ok(PARK_MS >= 600_000);
  harness.pass(5000);
  assert.equal(harness.ledger.status().parked, 0);
  assert.ok(harness.lines.some((line) => line.operation === "match receipt"));
  const k = key(1);
  harness.feed(accept(k), sending(k), answer(k, { id: "ghost", at: PARK_MS + 4000 }));
  assert.equal(statusOf(harness, 1), "sent");
});

test("too many parked receipts push out the oldest", () => {
  const harness = ready({ limits: { parkedMax: 10 } });
  for (let i = 0; i < 15; i++) harness.feed(receipt(`g${i}`, DELIVERED, i));
  assert.equal(harness.ledger.status().parked, 10);
  const k = key(1);
  harness.feed(accept(k), sending(k), answer(k, { id: "g14", at: 30 }));
  assert.equal(statusOf(harness, 1), "delivered");
});

test("receipts find messages that are only in the store, after a restart too", () => {
  const harness = ready({ limits: { cacheMax: 8, generationEntriesMax: 64 } });
  for (let i = 0; i < 300; i++) sent(harness, i, `id-${i}`);
  harness.flush();
  assert.ok(harness.ledger.status().cached < 40);
  for (let i = 0; i < 150; i++) harness.feed(receipt(`id-${i}`, DELIVERED));
  harness.flush();
  const next = harness.restart();
  next.work();
  for (let i = 150; i < 300; i++) next.feed(receipt(`ID-${i}`, DELIVERED));
  for (let i = 0; i < 300; i++) assert.equal(statusOf(next, i), "delivered");
  next.pass(5000);
  next.flush();
  assert.deepEqual(verifyBooks(next.store).mismatches, []);
  assert.ok(next.ledger.status().receipt_index.generations <= 6);
});

test("a storm: other base, early, twice, contradicting, unknown: all come out right", () => {
  const harness = ready({ limits: { cacheMax: 500, generationEntriesMax: 1000, dirtyMax: 200 } });
  const count = 5000;
  const idOf = (i: number): number => 0x2100_0000 + i * 3;
  const expected = (i: number): string => (i % 10 === 3 ? "undelivered" : "delivered");
  const records: Uint8Array[] = [];
  for (let i = 0; i < count + 50; i++) {
    const state = i % 10 === 3 ? UNDELIVERABLE : DELIVERED;
    const isEarly = i % 5 === 0;
    if (i < count) {
      const k = key(i);
      const done = receipt(String(idOf(i)), state, i + 2);
      records.push(accept(k), sending(k));
      if (isEarly) records.push(done);
      records.push(answer(k, { id: idOf(i).toString(16).toUpperCase(), at: i + 3 }));
    }
    const late = i - 50;
    if (late < 0) continue;
    if (late % 5 !== 0) records.push(receipt(String(idOf(late)), late % 10 === 3 ? 5 : 2, i));
    if (late % 20 === 0) records.push(receipt(String(idOf(late)), late % 10 === 3 ? 5 : 2, i + 1));
    if (late % 100 === 7) records.push(receipt(String(idOf(late)), EXPIRED, i + 2));
    if (late % 100 === 9) records.push(receipt(String(idOf(late) + 1), DELIVERED, i));
  }
  for (let at = 0; at < records.length; at += 97) harness.feed(...records.slice(at, at + 97));
  harness.pass(2000);
  let wrong = 0;
  for (let i = 0; i < count; i++) if (statusOf(harness, i) !== expected(i)) wrong++;
  assert.equal(wrong, 0);
  assert.equal(harness.ledger.status().parked, count / 100);
  harness.flush();
  assert.deepEqual(verifyBooks(harness.store).mismatches, []);
});

test("a receipt that comes over another link of the same account is matched", () => {
  const harness = ready();
  sent(harness, 1, "4711", 100);
  sent(harness, 2, "4712", 105);
  sent(harness, 3, "4713", 100);
  harness.feed(receipt("4711", DELIVERED, 50, 105), receipt("4712", DELIVERED, 50, 100));
  harness.feed(receipt("4713", DELIVERED, 50, 101));
  assert.equal(statusOf(harness, 1), "delivered");
  assert.equal(statusOf(harness, 2), "delivered");
  assert.equal(statusOf(harness, 3), "sent", "link 101 is another account");
  assert.equal(harness.ledger.getMessage(key(2), 7)?.parts[0]?.link, 105);
});

test("an id given again goes to the younger message, duplicates do not end the older", () => {
  const harness = ready();
  // The older one's receipt was lost.
  sent(harness, 1, "again");
  harness.now += 1000;
  harness.feed(accept(key(2)), sending(key(2), { at: 1010 }));
  harness.feed(answer(key(2), { id: "again", at: 1020 }));
  for (let i = 0; i < 3; i++) harness.feed(receipt("again", DELIVERED, 1100 + i));
  assert.deepEqual([statusOf(harness, 1), statusOf(harness, 2)], ["sent", "delivered"]);
});

test("a receipt that comes early for an id given before waits for its own answer", () => {
  const harness = ready();
  sent(harness, 1, "again");
  harness.feed(receipt("again", DELIVERED));
  const later = 3_600_000;
  harness.pass(later, 60_000);
  harness.feed(receipt("again", UNDELIVERABLE, later + 10));
  assert.equal(statusOf(harness, 1), "delivered");
  const k = key(2);
  harness.feed(accept(k, { at: T0 + later }), sending(k, { at: later + 15 }));
  harness.feed(answer(k, { id: "again", at: later + 20 }));
  assert.equal(statusOf(harness, 2), "undelivered");
  // One that nobody claims was a late duplicate after all.
  const before = harness.lines.length;
  harness.feed(receipt("again", DELIVERED, later + 2 * PARK_MS));
  harness.now = T0 + later + 2 * PARK_MS;
  harness.pass(PARK_MS + 2000, 20_000);
  assert.equal(harness.ledger.status().parked, 0);
  assert.equal(harness.lines.length, before);
});
