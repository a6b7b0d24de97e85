/**
 * The generator behind a seed: the same seed gives the same run, forks do not disturb each other.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../sim/random.ts";

test("a seed gives the same numbers again, another seed others", () => {
  const numbers = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 100 }, () => random.uint32());
  };
  assert.deepEqual(numbers(7), numbers(7));
  assert.notDeepEqual(numbers(7), numbers(8));
  assert.notDeepEqual(numbers(7), numbers(7 + 2 ** 32));
});

test("numbers stay in their range and reach all of it", () => {
  const random = new SeededRandom(1);
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    const value = random.between(3, 9);
    assert.ok(value >= 3 && value <= 9);
    seen.add(value);
    const share = random.next();
    assert.ok(share >= 0 && share < 1);
  }
  assert.equal(seen.size, 7);
});

test("weights decide how often, and nothing without weight is drawn", () => {
  const random = new SeededRandom(2);
  const counts = [0, 0, 0];
  for (let i = 0; i < 4000; i++) counts[random.weighted([3, 0, 1])]!++;
  assert.equal(counts[1], 0);
  assert.ok(counts[0]! > 2 * counts[2]! && counts[0]! < 4 * counts[2]!);
});

test("what a fork draws does not shift its parent", () => {
  const draw = (fromFork: number): number => {
    const random = new SeededRandom(3);
    const fork = random.fork("a");
    for (let i = 0; i < fromFork; i++) fork.uint32();
    return random.uint32();
  };
  assert.equal(draw(0), draw(50));
  const random = new SeededRandom(3);
  const first = random.fork("a").uint32();
  assert.notEqual(first, new SeededRandom(3).fork("b").uint32());
});
