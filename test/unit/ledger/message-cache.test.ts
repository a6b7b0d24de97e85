/** The cache holds what is cached, and nothing of what has left it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageCache } from "../../../src/ledger/message-cache.ts";
import { MessageState } from "../../../src/ledger/message-state.ts";

const ORIGIN = 256;

function message(sequence: number): MessageState {
  return new MessageState(sequence, ORIGIN, sequence * 8, "", []);
}

test("evicts clean messages, oldest first, down to its bound", () => {
  const cache = new MessageCache(4);
  const messages = Array.from({ length: 6 }, (_, i) => message(i + 1));
  for (const entry of messages) {
    cache.add(entry);
    cache.queueClean(entry);
  }
  cache.touch(messages[0] as MessageState);
  cache.evict(0);
  assert.equal(cache.count, 4);
  assert.deepEqual(
    messages.map(({ sequence }) => cache.find(sequence, ORIGIN) !== null),
    [true, false, false, true, true, true],
    "the dirty one stays",
  );
});

test("messages removed while queued are not kept alive, even behind one that stays", () => {
  const cache = new MessageCache(1000);
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
