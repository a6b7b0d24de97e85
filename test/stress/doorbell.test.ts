import assert from "node:assert/strict";
import { test } from "node:test";
import { DoorbellOwner, waitingDoorbell } from "../../src/ring/doorbell.ts";
import type { SidesData } from "./doorbell-sides.ts";
import { startThread } from "./threads.ts";

const CELLS = 4096;
const ROUNDS = 12;
const CELL_BYTES = 64;
const ECHOES = 20_000;

/**
 *   ringer: work = 1; ring        sleeper: arm; look
 *
 *   work seen   notified
 *   yes         no         allowed    rung before arming
 *   yes         yes        allowed    rung between arming and looking
 *   no          yes        allowed    rung after looking: the sleep ends
 *   no          no         forbidden  a lost wake-up
 */
test("of ring and arm, one sees the other", { timeout: 170_000 }, async (context) => {
  const shared = {
    bells: new SharedArrayBuffer(CELL_BYTES * CELLS),
    work: new SharedArrayBuffer(CELL_BYTES * CELLS),
    barrier: new SharedArrayBuffer(512),
    rounds: ROUNDS,
  };
  const sides = (["ringer", "sleeper"] as const).map((role) => {
    const data: SidesData = { ...shared, role };
    return startThread(context, "./doorbell-sides.js", import.meta.url, data);
  });
  const [notified, seen] = (await Promise.all(sides)) as [Uint8Array[], Uint8Array[]];
  const outcomes = new Map<string, number>();
  for (const [round, cells] of seen.entries()) {
    for (const [i, work] of cells.entries()) {
      const rung = notified[round]?.[i] === 1;
      const outcome = `${work === 1 ? "seen" : "unseen"} ${rung ? "rung" : "silent"}`;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  const sum = [...outcomes.values()].reduce((total, count) => total + count, 0);
  assert.equal(sum, CELLS * ROUNDS);
  assert.equal(outcomes.get("unseen silent"), undefined, JSON.stringify([...outcomes]));
});

test("two threads that sleep without end wake each other every time", {
  timeout: 170_000,
}, async (context) => {
  const bells = new SharedArrayBuffer(8);
  const work = new SharedArrayBuffer(4);
  const data: SidesData = {
    role: "echo",
    bells,
    work,
    barrier: new SharedArrayBuffer(512),
    rounds: ECHOES,
  };
  const result = startThread(context, "./doorbell-sides.js", import.meta.url, data);
  const owner = new DoorbellOwner(new Int32Array(bells), 1);
  const other = waitingDoorbell(new Int32Array(bells), 0);
  const words = new Int32Array(work);
  for (let said = 1; said < ECHOES; said += 2) {
    Atomics.store(words, 0, said);
    other.ring();
    for (;;) {
      owner.arm();
      if (Atomics.load(words, 0) === said + 1) break;
      owner.sleep(Number.POSITIVE_INFINITY);
    }
    owner.disarm();
  }
  await result;
  assert.equal(Atomics.load(words, 0), ECHOES);
});
