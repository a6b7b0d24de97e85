/** What waits, shown by several sources; how long what went out had waited. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allocateQueueTable,
  QueueTable,
  WAIT_BUCKETS,
  waitBoundMs,
} from "../../../src/tables/queue-table.ts";

const PLAN = {
  ingressCount: 1,
  workerCount: 2,
  poolCount: 2,
  linkCount: 1,
  sessionCount: 1,
  appCount: 1,
};
const SOURCES = 4;

function table(): QueueTable {
  return new QueueTable(allocateQueueTable(PLAN), PLAN);
}

test("depths add up over sources, and the oldest of them counts", () => {
  const queues = table();
  for (let source = 0; source < SOURCES; source++) queues.show(source, 1, 3, 10 + source, 0);
  queues.show(1, 1, 3, 20, 5_000_900);
  queues.show(queues.sourceOfWorker(1), 1, 3, 30, 4_000_100);
  queues.show(0, 1, 2, 1, 1000);
  assert.deepEqual([queues.depth(1, 3), queues.sinceMs(1, 3)], [10 + 20 + 12 + 30, 4_000_000]);
  assert.deepEqual([queues.depth(1, 2), queues.sinceMs(1, 2)], [1, 1000]);
  assert.deepEqual([queues.depth(0, 3), queues.sinceMs(0, 3)], [0, 0]);
});

test("a wait counts in the lowest bucket whose bound it does not pass, of its own queue", () => {
  const waits = [-5, 0, 1, 1.5, 2, 3, 4, 4.1, 1000, 2 ** 21, 2 ** 21 + 1, 1e12];
  const queues = table();
  for (const ms of waits) queues.countWait(1, 1, 3, ms);
  queues.countWait(0, 1, 3, 2);
  queues.countWait(0, 0, 3, 2);
  let lowest = Number.NEGATIVE_INFINITY;
  for (let bucket = 0; bucket < WAIT_BUCKETS; bucket++) {
    const bound = waitBoundMs(bucket);
    const expected = waits.filter((ms) => ms > lowest && ms <= bound).length;
    assert.equal(queues.waits(1, 3, bucket), expected + (bound === 2 ? 1 : 0), `to ${bound} ms`);
    lowest = bound;
  }
  assert.equal(queues.waits(0, 3, 1), 1);
  assert.equal(queues.waits(0, 2, 1), 0);
});
