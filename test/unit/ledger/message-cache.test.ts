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

test("messages removed while queued are not kept alive, even behind one that stays", async () => {
  const cache = new MessageCache(1000);
  const long = message(1);
  cache.add(long);
  cache.queueClean(long);
  const collected: number[] = [];
  const registry = new FinalizationRegistry<number>((sequence) => collected.push(sequence));
  const count = 20_000;
  for (let i = 0; i < count; i++) {
    const entry = message(i + 2);
    registry.register(entry, entry.sequence);
    cache.add(entry);
    cache.queueClean(entry);
    cache.remove(entry);
  }
  assert.equal(cache.count, 1);
  assert.equal(cache.find(1, ORIGIN), long);
  const pressure: Uint8Array[][] = [];
  for (let round = 0; round < 100; round++) {
    if (collected.length >= count - 2048) break;
    pressure.push(Array.from({ length: 1000 }, () => new Uint8Array(16_384)));
    if (pressure.length > 4) pressure.shift();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const held = count - collected.length;
  assert.ok(held <= 2048, `${held} of ${count} are still held`);
});
