/** The main thread's stall ends the process, with a note of why. Simulated time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readLastExit } from "../../../src/journal/data-dir.ts";
import {
  allocateBells,
  allocateInHand,
  systemIdIndex,
  ticksIndex,
} from "../../../src/tables/thread-table.ts";
import { watchMain } from "../../../src/workers/main-watch.ts";
import { LOOK_INTERVAL_MS } from "../../../src/workers/tick-watch.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";

const LOOKS_A_MINUTE = 240;

test("a main thread that ticked and does not any more has stalled", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const bells = new Int32Array(allocateBells(1));
  const inHand = new Float64Array(allocateInHand(1));
  Atomics.store(bells, systemIdIndex(0), -1);
  const directory = new MemoryDirectory();
  let nowMs = 0;
  let kills = 0;
  watchMain({
    bells,
    inHand,
    epoch: 7,
    clock: { monotonicMs: () => nowMs, wallMs: () => nowMs },
    directory,
    kill: () => {
      kills += 1;
    },
  });
  const minute = (isTicking: boolean): void => {
    for (let i = 0; i < LOOKS_A_MINUTE; i++) {
      if (isTicking) Atomics.add(bells, ticksIndex(0), 1);
      nowMs += LOOK_INTERVAL_MS;
      context.mock.timers.tick(LOOK_INTERVAL_MS);
    }
  };
  minute(false);
  assert.equal(kills, 0, "it has not begun");
  minute(true);
  assert.equal(kills, 0);
  inHand[0] = 4096;
  minute(false);
  assert.ok(kills > 0);
  const { code, reason, thread, in_hand: offset } = readLastExit(directory) ?? {};
  assert.deepEqual([code, reason, thread, offset], [75, "stalled", "main", 4096]);
});
