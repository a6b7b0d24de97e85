/** A thread that throws, ends or stalls is reported once, with what it had in hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  allocateBells,
  allocateInHand,
  systemIdIndex,
  ticksIndex,
} from "../../../src/tables/thread-table.ts";
import { Supervisor } from "../../../src/workers/supervisor.ts";
import { LOOK_INTERVAL_MS } from "../../../src/workers/tick-watch.ts";

const LOOKS_A_MINUTE = 240;
/** A thread that stays. */
const IDLE = "setInterval(() => undefined, 1000)";

interface Crash {
  readonly reason: string;
  readonly thread: string;
  readonly inHand: number | null;
}

function supervise(source: string, monotonicMs: () => number = () => performance.now()) {
  const bells = new Int32Array(allocateBells(2));
  const inHand = new Float64Array(allocateInHand(2));
  const crashes: Crash[] = [];
  const supervisor = new Supervisor({
    bells,
    inHand,
    clock: { monotonicMs, wallMs: () => Date.now() },
    crash: (reason, thread, offset) => crashes.push({ reason, thread, inHand: offset }),
  });
  const worker = new Worker(source, { eval: true });
  Atomics.store(bells, systemIdIndex(1), -1);
  supervisor.watch({ name: "watched", index: 1, worker });
  supervisor.start();
  return { supervisor, worker, crashes, inHand, bells };
}

async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; i < 2400 && !isDone(); i++) await sleep(50);
}

test("an uncaught throw is a crash, with the record in hand", async () => {
  const { crashes, inHand, supervisor } = supervise(
    "setTimeout(() => { throw new Error('x'); }, 50)",
  );
  inHand[1] = 4096;
  await until(() => crashes.length > 0);
  supervisor.stop();
  assert.equal(crashes.length, 1, "the exit that follows is not reported again");
  assert.match(crashes[0]?.reason ?? "", /Error: x/);
  assert.deepEqual([crashes[0]?.thread, crashes[0]?.inHand], ["watched", 4096]);
});

test("a thread that ends by itself is a crash", async () => {
  const { crashes } = supervise("");
  await until(() => crashes.length > 0);
  assert.deepEqual(crashes, [{ reason: "ended with 0", thread: "watched", inHand: null }]);
});

test("a thread without ticks is stalled, one with ticks is not", async (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  let nowMs = 0;
  const supervised = (): ReturnType<typeof supervise> => supervise(IDLE, () => nowMs);
  const [ticking, stalled] = [supervised(), supervised()];
  for (let i = 0; i < LOOKS_A_MINUTE; i++) {
    Atomics.add(ticking.bells, ticksIndex(1), 1);
    nowMs += LOOK_INTERVAL_MS;
    context.mock.timers.tick(LOOK_INTERVAL_MS);
  }
  assert.deepEqual(
    stalled.crashes.map(({ reason }) => reason),
    ["stalled"],
  );
  assert.deepEqual(ticking.crashes, []);
  ticking.supervisor.stop();
  await Promise.all([ticking.worker.terminate(), stalled.worker.terminate()]);
});

test("an end on purpose is no crash", async () => {
  const { supervisor, worker, crashes } = supervise(IDLE);
  supervisor.stop();
  await worker.terminate();
  await sleep(20);
  assert.deepEqual(crashes, []);
});
