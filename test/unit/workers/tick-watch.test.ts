/** When a thread has stalled, in simulated time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allocateBells,
  blockedIndex,
  systemIdIndex,
  ticksIndex,
} from "../../../src/tables/thread-table.ts";
import type { ThreadState } from "../../../src/workers/thread-cpu.ts";
import { LOOK_INTERVAL_MS, NONE_STALLED, TickWatch } from "../../../src/workers/tick-watch.ts";

const THREAD = 1;
/** Enough looks for a verdict, and some. */
const MANY_LOOKS = 100;

function watched(stateOf: () => ThreadState | null = () => null) {
  const bells = new Int32Array(allocateBells(2));
  Atomics.store(bells, systemIdIndex(THREAD), 4711);
  const watch = new TickWatch(bells, 0, stateOf);
  watch.add(THREAD);
  return { bells, watch };
}

/** The time of the look that found a stall; `NONE_STALLED` if none did. */
function lookOften(watch: TickWatch, times: readonly number[], before: () => void): number {
  for (const time of times) {
    before();
    const found = watch.look(time);
    if (found === NONE_STALLED) continue;
    assert.equal(found, THREAD);
    return time;
  }
  return NONE_STALLED;
}

function regular(count: number, fromMs = 0): number[] {
  return Array.from({ length: count }, (_, i) => fromMs + (i + 1) * LOOK_INTERVAL_MS);
}

const nothing = (): void => undefined;

test("a thread without a tick for ten seconds has stalled", () => {
  const { watch } = watched();
  const found = lookOften(watch, regular(MANY_LOOKS), nothing);
  assert.ok(found > 10_000 && found < 11_000, `${found} ms`);
});

test("a thread that ticks has not, however seldom within them", () => {
  const { bells, watch } = watched();
  let looks = 0;
  const found = lookOften(watch, regular(MANY_LOOKS), () => {
    if (++looks % 39 === 0) Atomics.add(bells, ticksIndex(THREAD), 1);
  });
  assert.equal(found, NONE_STALLED);
});

test("late looks do not count: a machine that was suspended again and again", () => {
  const { watch } = watched();
  const times = Array.from({ length: MANY_LOOKS }, (_, i) => (i + 1) * 60_000);
  assert.equal(lookOften(watch, times, nothing), NONE_STALLED);
  assert.ok(lookOften(watch, regular(MANY_LOOKS, times.at(-1)), nothing) > 0, "then they do");
});

test("a thread that says it is with the disk, or is seen there, has not stalled", () => {
  const { bells, watch } = watched();
  Atomics.store(bells, blockedIndex(THREAD), 1);
  assert.equal(lookOften(watch, regular(MANY_LOOKS), nothing), NONE_STALLED);
  const { watch: atDisk } = watched(() => ({ waitsFor: "disk", cpuMs: 70 }));
  assert.equal(lookOften(atDisk, regular(MANY_LOOKS), nothing), NONE_STALLED);
});

test("one that waits for a CPU has not, until it had ten seconds of it", () => {
  for (const share of [0, 0.02, 0.25, 1]) {
    let cpuMs = 0;
    const { watch } = watched(() => {
      cpuMs += share * LOOK_INTERVAL_MS;
      return { waitsFor: "cpu", cpuMs };
    });
    const found = lookOften(watch, regular(10 * MANY_LOOKS), nothing);
    if (share < 0.04) assert.equal(found, NONE_STALLED);
    else
      assert.ok(Math.abs(found - 10_000 / share) <= (2 * LOOK_INTERVAL_MS) / share, `${found} ms`);
  }
});

test("one that sleeps has stalled, whatever it ran before", () => {
  const { watch } = watched(() => ({ waitsFor: "nothing", cpuMs: 70_000 }));
  assert.ok(lookOften(watch, regular(MANY_LOOKS), nothing) > 10_000);
});

test("one that still loads its modules has two minutes, and ten seconds from then on", () => {
  const { bells, watch } = watched();
  Atomics.store(bells, systemIdIndex(THREAD), 0);
  const loading = regular(4 * MANY_LOOKS);
  assert.equal(lookOften(watch, loading, nothing), NONE_STALLED);
  Atomics.store(bells, systemIdIndex(THREAD), 4711);
  const loadedAt = loading.at(-1) as number;
  const found = lookOften(watch, regular(MANY_LOOKS, loadedAt), nothing) - loadedAt;
  assert.ok(found > 10_000 && found < 11_000, `${found} ms`);
  const { bells: others, watch: never } = watched();
  Atomics.store(others, systemIdIndex(THREAD), 0);
  assert.ok(lookOften(never, regular(6 * MANY_LOOKS), nothing) > 120_000);
});
