/** The cache holds what is cached, and nothing of what has left it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageCache } from "../../../src/ledger/messages/message-cache.ts";
import { MessagePool } from "../../../src/ledger/messages/message-pool.ts";
import { MessageState, ROOM_BYTES } from "../../../src/ledger/messages/message-state.ts";
import type { PartRecord } from "../../../src/ledger/messages/part-state.ts";
import { Row, RowPart } from "../../../src/ledger/messages/row-layout.ts";

const ORIGIN = 256;

function message(sequence: number): MessageState {
  const made = new MessageState();
  made.begin(sequence, ORIGIN, sequence * 8, 0, 1);
  return made;
}

test("evicts clean messages down to its bound of parts", () => {
  const cache = new MessageCache(4, 1024, new MessagePool());
  const messages = Array.from({ length: 6 }, (_, i) => message(i + 1));
  (messages[5] as MessageState).begin(6, ORIGIN, 48, 0, 3);
  for (const entry of messages) {
    cache.add(entry);
    cache.queueClean(entry);
  }
  cache.touch(messages[0] as MessageState);
  cache.evict(0);
  const left = messages.filter(({ sequence }) => cache.find(sequence, ORIGIN) !== null);
  assert.equal(cache.count, left.length);
  const parts = left.reduce((sum, { parts: { length } }) => sum + length, 0);
  assert.ok(parts <= 4 && parts >= 2, `${parts} parts are left`);
  assert.ok(left.includes(messages[0] as MessageState), "the dirty one stays");
});

test("of a backlog longer than the cache, much of what is needed next is still there", () => {
  const cache = new MessageCache(600, 1024, new MessagePool());
  let found = 0;
  for (let i = 0; i < 20_000; i++) {
    const oldest = cache.find(i - 1000, ORIGIN);
    if (oldest !== null) {
      found++;
      cache.remove(oldest);
    }
    const entry = message(i);
    cache.add(entry);
    cache.queueClean(entry);
    cache.evict(0);
  }
  assert.ok(found > 20_000 * 0.3, `${found} of 20,000`);
});

test("what nobody asks for leaves in the end", () => {
  const cache = new MessageCache(64, 1024, new MessagePool());
  const long = message(1);
  cache.add(long);
  cache.queueClean(long);
  for (let i = 2; cache.find(1, ORIGIN) !== null; i++) {
    assert.ok(i < 20_000, "it keeps its place");
    const entry = message(i);
    cache.add(entry);
    cache.queueClean(entry);
    cache.evict(0);
  }
});

test("messages removed while queued are not kept alive, even behind one that stays", () => {
  const cache = new MessageCache(1000, 1024, new MessagePool());
  const long = message(1);
  cache.add(long);
  cache.queueClean(long);
  let queuedMost = 0;
  for (let i = 0; i < 20_000; i++) {
    const entry = message(i + 2);
    cache.add(entry);
    cache.queueClean(entry);
    cache.remove(entry);
    queuedMost = Math.max(queuedMost, cache.queuedCount);
  }
  assert.equal(cache.count, 1);
  assert.equal(cache.find(1, ORIGIN), long);
  assert.ok(queuedMost <= 1024, `${queuedMost} entries were held`);
});

test("what left the cache is used again, but never while it is queued", () => {
  const pool = new MessagePool();
  const cache = new MessageCache(1, 1024, pool);
  const [first, second, third] = [message(1), message(2), message(3)];
  for (const entry of [first, second, third]) cache.add(entry);
  cache.remove(first);
  assert.equal(pool.take(ROOM_BYTES), first);
  cache.queueClean(second);
  cache.remove(second);
  assert.notEqual(pool.take(ROOM_BYTES), second, "the queue still has it");
  cache.add(first);
  cache.evict(0);
  assert.equal(pool.take(ROOM_BYTES), second);
  cache.touch(third);
  cache.remove(third);
  assert.notEqual(pool.take(ROOM_BYTES), third, "it is still to be written");
});

test("a message used again knows nothing of the one before", () => {
  const used = message(1);
  const part = used.parts[0] as PartRecord;
  for (const of of [used, part]) {
    for (const [field, value] of Object.entries(of)) {
      // Where it lies stays.
      if (of === used && (field === "at" || field === "room")) continue;
      if (typeof value === "number") Object.assign(of, { [field]: 77 });
      else if (typeof value === "boolean") Object.assign(of, { [field]: true });
      else if (value === null || typeof value === "string") Object.assign(of, { [field]: "77" });
    }
  }
  used.bytes.fill(77);
  used.isQueued = used.isCached = used.holdsBody = used.isInOpenIndex = true;
  used.begin(5, 6, 8, 0, 1);
  const { isQueued, isCached, holdsBody, isInOpenIndex } = used;
  assert.ok(!isQueued && !isCached && !holdsBody && !isInOpenIndex, "it keeps a mark");
  const fresh = new MessageState();
  fresh.begin(5, 6, 8, 0, 1);
  // What is behind the part is not used.
  const end = Row.HEAD + RowPart.FIXED;
  fresh.bytes.set(used.bytes.subarray(end), end);
  assert.deepEqual(used, fresh);
});

test("a message that is written early is not among the changed ones, the others are", () => {
  const cache = new MessageCache(8, 1024, new MessagePool());
  const messages = Array.from({ length: 4 }, (_, i) => message(i + 1));
  for (const entry of messages) {
    cache.add(entry);
    cache.touch(entry);
  }
  cache.untouch(messages[1] as MessageState);
  cache.untouch(messages[3] as MessageState);
  cache.untouch(messages[3] as MessageState);
  assert.equal(cache.dirtyCount, 2);
  cache.touch(messages[1] as MessageState);
  const taken = cache.takeDirty().map(({ sequence }) => sequence);
  assert.deepEqual(
    taken.toSorted((a, b) => a - b),
    [1, 2, 3],
  );
  assert.ok(messages.every(({ isDirty }) => !isDirty));
});
