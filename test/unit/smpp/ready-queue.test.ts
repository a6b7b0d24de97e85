import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
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
  assert.deepEqual(order.slice(0, 10), [1000, 2000, 3, 1001, 2001, 4, 1002, 5, 6, 7]);
  assert.equal(order.length, 202);
  // Empty again: who had much before stands behind nobody.
  add(queue, 1, 0, 1);
  add(queue, 9, 0, 9);
  add(queue, 2, 0, 1);
  assert.deepEqual(takeAll(queue), [1, 9, 2]);
});

test("who comes with single messages passes a backlog, and takes turns with it", () => {
  const queue = new ReadyQueue();
  for (let i = 0; i < 50; i++) add(queue, i, 0, 1);
  queue.take();
  const taken: number[] = [];
  for (let i = 0; i < 5; i++) {
    add(queue, 1000 + i, 0, 2);
    for (const _ of [0, 1]) {
      queue.take();
      taken.push(queue.takenEntry);
    }
  }
  assert.deepEqual(taken, [1000, 1, 1001, 2, 1002, 3, 1003, 4, 1004, 5]);
  // However many apps come anew, each passes the backlog once.
  for (let app = 10; app < 20; app++) {
    add(queue, 100 * app, 0, app);
    add(queue, 100 * app + 1, 0, app);
  }
  const order = takeAll(queue);
  const first = order.indexOf(6);
  assert.ok(first <= 10, `${first} messages of ten apps passed the backlog`);
  assert.ok(order.indexOf(7) <= first + 11, `${order.indexOf(7) - first} between two of its turns`);
});

test("while two apps wait, neither gets more than two more than the other", () => {
  const event = fc.record({ app: fc.nat(2), adds: fc.nat(3), takes: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 100 }), (events) => {
      const queue = new ReadyQueue();
      const waiting = [0, 0, 0];
      const watches = [new Watch(0, 1), new Watch(0, 2), new Watch(1, 2)];
      for (const { app, adds, takes } of events) {
        for (let i = 0; i < adds; i++) add(queue, app, 0, app);
        waiting[app]! += adds;
        for (let i = 0; i < takes && queue.length > 0; i++) {
          queue.take();
          for (const watch of watches) watch.note(queue.takenEntry, waiting);
          waiting[queue.takenEntry]!--;
        }
      }
      for (const { spread } of watches) assert.ok(spread <= 2, `${spread} more`);
    }),
    { seed: 5, numRuns: 1000 },
  );
});

/** How far two apps came apart, at most, while both waited. */
class Watch {
  spread = 0;
  #ahead = 0;
  #least = 0;
  #most = 0;
  readonly #apps: readonly [number, number];

  constructor(one: number, other: number) {
    this.#apps = [one, other];
  }

  /** One of `app` was taken while so many waited, by app. */
  note(app: number, waiting: readonly number[]): void {
    const [one, other] = this.#apps;
    if (waiting[one] === 0 || waiting[other] === 0) {
      this.#ahead = 0;
      this.#least = 0;
      this.#most = 0;
      return;
    }
    if (app === one) this.#ahead++;
    if (app === other) this.#ahead--;
    this.#least = Math.min(this.#least, this.#ahead);
    this.#most = Math.max(this.#most, this.#ahead);
    this.spread = Math.max(this.spread, this.#most - this.#least);
  }
}
