/**
 * The receipt index against a plain map, over generations, reloads, collisions and sequences that
 * wrap.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReceiptIndex } from "../../../src/ledger/receipt-index.ts";
import { hashId } from "../../../src/ledger/receipt-id.ts";
import { LedgerTable } from "../../../src/ledger/store.ts";
import { MemoryStore } from "../../support/memory-store.ts";

const LATER = 2e12;

function indexOf(isOpen = (_sequence: number): boolean => true, generationEntriesMax = 1000) {
  return new ReceiptIndex({ generationEntriesMax, isOpen });
}

function found(index: ReceiptIndex, high: number, low: number): string[] {
  const all: string[] = [];
  for (let isFound = index.find(high, low); isFound; isFound = index.findNext()) {
    all.push(`${index.foundSequence}/${index.foundOrigin}/${index.foundPart}`);
  }
  return all;
}

test("every entry is found, in one generation or another, also after a reload", () => {
  const index = indexOf();
  const store = new MemoryStore();
  let chunk = 1;
  const count = 12_000;
  const sequenceOf = (i: number): number => 2 ** 48 - 5000 + i * 131;
  for (let i = 0; i < count; i++) {
    const low = hashId(7, `id${i}`, 1);
    index.add(hashId(7, `id${i}`, 2), low, sequenceOf(i), 0x80000000 + (i % 9), i % 10, LATER);
    if (i % 700 === 0) chunk = index.write(store, chunk);
  }
  chunk = index.write(store, chunk);
  store.commit();
  const reloaded = indexOf();
  reloaded.load(store);
  for (const each of [index, reloaded]) {
    assert.equal(each.entryCount, count);
    for (let i = 0; i < count; i++) {
      const expected = `${sequenceOf(i)}/${0x80000000 + (i % 9)}/${i % 10}`;
      assert.deepEqual(found(each, hashId(7, `id${i}`, 2), hashId(7, `id${i}`, 1)), [expected]);
    }
    assert.deepEqual(found(each, hashId(8, "id1", 2), hashId(8, "id1", 1)), []);
  }
});

test("entries with the same hash are all found, youngest generation first", () => {
  const index = indexOf(() => true, 2);
  for (let i = 0; i < 5; i++) index.add(0, 0, 1000 + i, 1, i, LATER);
  assert.equal(found(index, 0, 0).length, 5);
  assert.equal(found(index, 0, 0)[0], "1004/1/4");
});

test("dead generations beyond a few go, with their chunks; living entries move on", () => {
  const store = new MemoryStore();
  const index = indexOf((sequence) => sequence % 10 === 0, 100);
  let chunk = 1;
  for (let i = 0; i < 1000; i++) {
    index.add(i, i * 2, i, 1, 0, LATER);
    if (i % 30 === 0) chunk = index.write(store, chunk);
  }
  chunk = index.write(store, chunk);
  store.commit();
  for (let i = 0; i < 1000; i++) if (i % 10 !== 0) index.markDead(i, i * 2, i, 1, 0);
  while (index.tidy(0, 64) > 0);
  chunk = index.write(store, chunk);
  store.commit();
  assert.ok(index.generationCount <= 5);
  assert.ok(index.entryCount < 600);
  for (let i = 0; i < 1000; i += 10) assert.ok(found(index, i, i * 2).length > 0, `entry ${i}`);
  const reloaded = indexOf((sequence) => sequence % 10 === 0, 100);
  reloaded.load(store);
  for (let i = 0; i < 1000; i += 10) assert.ok(found(reloaded, i, i * 2).length > 0, `entry ${i}`);
  while (reloaded.tidy(0, 64) > 0);
  for (let i = 0; i < 1000; i += 10) assert.ok(found(reloaded, i, i * 2).length > 0, `entry ${i}`);
  // Past the deadline all sealed ones go.
  while (reloaded.tidy(LATER + 1, 64) > 0);
  reloaded.write(store, chunk);
  store.commit();
  assert.equal(reloaded.generationCount, 1);
  assert.ok(store.dump(LedgerTable.RECEIPTS).length < 12);
});

test("an entry takes about 16 bytes when its table is full", () => {
  const index = indexOf(() => true, 1e6);
  for (let i = 0; i < 190_000; i++) {
    index.add(hashId(1, String(i), 1), hashId(1, String(i), 2), i, 1, 0, LATER);
  }
  assert.ok(index.bytes / index.entryCount < 24, `${index.bytes / index.entryCount} bytes`);
});
