import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadyQueue } from "../../../src/smpp/queue/ready-queue.ts";

function takeAll(queue: ReadyQueue): number[] {
  const taken: number[] = [];
  while (queue.length > 0) {
    queue.take();
    assert.equal(queue.takenSegment, queue.takenEntry + 1);
    taken.push(queue.takenEntry);
  }
  return taken;
}

function add(queue: ReadyQueue, entry: number, priority: number, appIndex: number): void {
  queue.add(entry, entry + 1, priority, appIndex);
}

test("higher priorities pass; every 16th is of the lowest", () => {
  const queue = new ReadyQueue();
  for (let i = 0; i < 20; i++) add(queue, i, 0, 7);
  for (let i = 100; i < 140; i++) add(queue, i, 3, 7);
  const order = takeAll(queue);
  const low = order.flatMap((entry, i) => (entry < 100 ? [i] : []));
  assert.deepEqual(low.slice(0, 3), [15, 31, 42]);
  assert.deepEqual(
    order.filter((entry) => entry < 100),
    Array.from({ length: 20 }, (_, i) => i),
  );
});

test("apps take turns, each in its own order, over more than it had room for at first", () => {
  const queue = new ReadyQueue();
  for (let i = 0; i < 200; i++) add(queue, i, 0, 1);
  for (let i = 0; i < 3; i++) queue.take();
  assert.equal(queue.takenEntry, 2);
  for (let i = 1000; i < 1003; i++) add(queue, i, 0, 2);
  for (let i = 2000; i < 2002; i++) add(queue, i, 0, 3);
  const order = takeAll(queue);
  assert.deepEqual(order.slice(0, 10), [3, 1000, 2000, 4, 1001, 2001, 5, 1002, 6, 7]);
  assert.equal(order.length, 202);
  // Empty again: who had much before stands behind nobody.
  add(queue, 1, 0, 1);
  add(queue, 9, 0, 9);
  add(queue, 2, 0, 1);
  assert.deepEqual(takeAll(queue), [1, 9, 2]);
});
