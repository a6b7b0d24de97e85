/**
 * The receipt index against a plain map, over generations, reloads, collisions and sequences that
 * wrap.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ReceiptIndex } from "../../../src/ledger/receipts/receipt-index.ts";
import { hashId } from "../../../src/ledger/receipts/receipt-id.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
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

test("generations that begin in the table of one that is gone hold their own entries only", () => {
  const index = indexOf(() => false, 3584);
  let added = 0;
  const add = (count: number): void => {
    for (let i = 0; i < count; i++, added++) {
      index.add(hashId(1, String(added), 1), hashId(1, String(added), 2), added, 1, 0, LATER);
    }
  };
  for (let round = 0; round < 12; round++) {
    const from = added;
    add(3584);
    for (let i = from; i < added; i++) {
      index.markDead(hashId(1, String(i), 1), hashId(1, String(i), 2), i, 1, 0);
    }
    while (index.tidy(0, 4096) > 0);
    assert.ok(index.entryCount <= 4 * 3584);
    for (let i = added - 3 * 3584; i < added; i++) {
      const expected = i < 0 ? [] : [`${i}/1/0`];
      assert.deepEqual(found(index, hashId(1, String(i), 1), hashId(1, String(i), 2)), expected);
    }
    for (let i = 0; i < added - 4 * 3584; i++) {
      assert.ok(!index.find(hashId(1, String(i), 1), hashId(1, String(i), 2)), `entry ${i}`);
    }
  }
});

test("an entry takes 18.3 bytes when its table is full, twice that when it has just grown", () => {
  const index = indexOf(() => true, 57_344);
  let added = 0;
  const fillTo = (count: number): number => {
    for (; added < count; added++) {
      index.add(hashId(1, String(added), 1), hashId(1, String(added), 2), added, 1, 0, LATER);
    }
    return index.bytes / index.entryCount;
  };
  assert.equal(fillTo(28_672).toFixed(1), "18.3");
  assert.equal(fillTo(28_673).toFixed(1), "36.6");
  assert.equal(fillTo(57_344).toFixed(1), "18.3");
  assert.equal(fillTo(5 * 57_344).toFixed(1), "18.3");
});
