/**
 * The simulated store: ordered, atomic, and after a crash anything between what it promised and
 * what it did.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedStore } from "../../sim/simulated-store.ts";
import { SeededRandom } from "../../sim/random.ts";
import { makeWorld } from "./world.ts";

function makeStore() {
  const { effects } = makeWorld(1);
  const due: (() => void)[] = [];
  const timing = {
    after: (_ms: number, run: () => void) => due.push(run),
    visibleMs: () => 1,
    flushMs: () => 1,
  };
  return { store: new SimulatedStore(effects, timing, null), due, effects, timing };
}

const key = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255);

test("reads see visible commits only, in key order", () => {
  const { store, due } = makeStore();
  for (const value of [700, 3, 260, 90]) store.put(1, key(value), key(value));
  assert.equal(store.get(1, key(3)), undefined);
  assert.equal(store.commit(), 1);
  assert.equal(store.get(1, key(3)), undefined);
  due.shift()!();
  assert.equal(store.visibleCommit, 1);
  assert.deepEqual(store.get(1, key(3)), key(3));
  const seen: number[] = [];
  store.range(1, key(4), (found) => seen.push(found[0]! * 256 + found[1]!) < 2);
  assert.deepEqual(seen, [90, 260]);
  store.remove(1, key(90));
  store.commit();
  due.pop()!();
  assert.equal(store.get(1, key(90)), undefined);
});

test("what was only visible is seen after a kill, and lost with the power later", () => {
  const found = new Set<number>();
  for (let seed = 0; seed < 20; seed++) {
    const { store, due, effects, timing } = makeStore();
    store.put(0, key(1), key(1));
    store.commit();
    due.shift()!();
    const killed = new SimulatedStore(
      effects,
      timing,
      store.remainsAfter("kill", new SeededRandom(seed)),
    );
    assert.equal(killed.entries(0), 1);
    const cut = killed.remainsAfter("power", new SeededRandom(seed));
    found.add(new SimulatedStore(effects, timing, cut).entries(0));
  }
  assert.deepEqual(
    [...found].sort((a, b) => a - b),
    [0, 1],
  );
});

test("a crash keeps what was promised and nothing but whole commits", () => {
  const found = { kill: new Set<number>(), power: new Set<number>() };
  for (let seed = 0; seed < 40; seed++) {
    const { store, due, effects, timing } = makeStore();
    for (let commit = 1; commit <= 4; commit++) {
      for (let i = 0; i < commit; i++) store.put(0, key(commit * 10 + i), key(0));
      store.commit();
    }
    due[2]!(); // three visible
    due[0]!();
    due[4]!(); // the first to be flushed took nothing behind its own commit
    for (const kind of ["kill", "power"] as const) {
      const remains = store.remainsAfter(kind, new SeededRandom(seed));
      const after = new SimulatedStore(effects, timing, remains);
      found[kind].add(after.entries(0));
    }
  }
  assert.deepEqual(
    [...found.kill].sort((a, b) => a - b),
    [6, 10],
  );
  assert.ok(found.power.size >= 1);
  for (const entries of found.power) assert.ok([1, 3, 6].includes(entries));
});
