/** Rows of messages that ended are found until the store shows them, and then no more. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { EndedRows } from "../../../src/ledger/messages/ended-rows.ts";
import { writeKeyBytes } from "../../../src/ledger/messages/row-layout.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { DlrMode } from "../../../src/records/types.ts";
import { FLAG_MAYBE_DUP } from "../../../src/records/attempt.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness } from "./harness.ts";
import { accept, answer, key, sending, started } from "./records.ts";

const ORIGIN = 0x8000_0100;

function keyOf(sequence: number, origin = ORIGIN): Uint8Array {
  const bytes = new Uint8Array(12);
  writeKeyBytes(bytes, 0, sequence, origin);
  return bytes;
}

function found(rows: EndedRows, sequence: number, visible: number, origin = ORIGIN): string | null {
  const row = rows.find(keyOf(sequence, origin), visible);
  return row === null ? null : Buffer.from(row).toString();
}

test("a row is found from when it is noted until its commit is visible", () => {
  const rows = new EndedRows();
  const bytes = Buffer.from("..first.second");
  const wide = 7 * 0x1_0000_0000 + 5;
  rows.note(5, ORIGIN, bytes, 2, 5);
  assert.equal(found(rows, 5, 0), "first");
  assert.equal(found(rows, 5, 0, ORIGIN + 1), null);
  assert.equal(found(rows, wide, 0), null);
  rows.launch(1);
  assert.equal(rows.pendingCount, 0);
  rows.note(wide, ORIGIN, bytes, 8, 6);
  assert.deepEqual([found(rows, 5, 0), found(rows, wide, 0)], ["first", "second"]);
  assert.deepEqual([found(rows, 5, 1), found(rows, wide, 1)], [null, "second"]);
  rows.launch(2);
  assert.deepEqual([found(rows, 5, 1), found(rows, wide, 1)], [null, "second"]);
  assert.equal(found(rows, wide, 2), null);
  rows.launch(3);
  assert.equal(found(rows, wide, 2), null);
});

test("many rows in several buffers are told apart", () => {
  const rows = new EndedRows();
  const count = 20_000;
  const buffers = [0, 1, 2].map(() => Buffer.alloc(8 * count));
  for (let i = 0; i < count; i++) {
    const bytes = buffers[Math.floor((3 * i) / count)] as Buffer;
    bytes.writeDoubleBE(i, 8 * i);
    rows.note(i, ORIGIN, bytes, 8 * i, 8);
  }
  rows.launch(1);
  for (let i = 0; i < count; i++) {
    assert.equal(Buffer.from(rows.find(keyOf(i), 0) as Uint8Array).readDoubleBE(0), i);
  }
});

test("a message that has ended is known before its row is, and changes still", () => {
  const store = new MemoryStore(false);
  const harness = new Harness({ store });
  const numbers = [1, 2, 3];
  const statuses = (): (string | undefined)[] =>
    numbers.map((number) => harness.ledger.getMessage(key(number), 7)?.status);
  const lives = numbers.flatMap((number) => {
    const k = key(number);
    return [accept(k, { dlr: DlrMode.NONE }), sending(k), answer(k, { id: `id-${number}` })];
  });
  harness.feed(started(1));
  store.flush();
  harness.work();
  const seen = store.visibleCommit;
  harness.feed(...lives);
  assert.deepEqual(statuses(), ["sent", "sent", "sent"]);
  assert.equal(harness.ledger.status().dirty, 3);
  // As read back; a second sending, before and while the commit is under way.
  const isDuplicate = (number: number): boolean | undefined =>
    harness.ledger.getMessage(key(number), 7)?.parts[0]?.maybe_dup;
  harness.feed(sending(key(1), { attempt: 2, flags: FLAG_MAYBE_DUP }));
  harness.ledger.requestFlush();
  harness.work();
  assert.deepEqual([store.visibleCommit, harness.ledger.status().dirty], [seen, 0]);
  assert.deepEqual(statuses(), ["sent", "sent", "sent"]);
  harness.feed(sending(key(2), { attempt: 2, flags: FLAG_MAYBE_DUP }));
  assert.deepEqual(numbers.map(isDuplicate), [true, true, undefined]);
  store.auto = true;
  store.flush();
  harness.flush();
  assert.deepEqual(statuses(), ["sent", "sent", "sent"]);
  assert.deepEqual(numbers.map(isDuplicate), [true, true, undefined]);
  assert.ok(verifyBooks(store).ok);
  // What the next run reads is the same.
  const next = harness.restart();
  next.work();
  const flags = numbers.map(
    (number) => next.ledger.getMessage(key(number), 7)?.parts[0]?.maybe_dup,
  );
  assert.deepEqual(flags, [true, true, undefined]);
});
