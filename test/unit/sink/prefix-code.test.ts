/** Codes are complete, short for what weighs much, and never longer than allowed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PrefixCode } from "../../../src/sink/prefix-code.ts";
import { seededRandom } from "../../support/seeded-random.ts";

/** Weights that give the longest codes: each is the sum of the two before it. */
function steepWeights(count: number): Uint32Array<ArrayBuffer> {
  const weights = new Uint32Array(count).fill(1);
  for (let i = 2; i < count; i++) {
    weights[i] = (weights[i - 1] as number) + (weights[i - 2] as number);
  }
  return weights;
}

test("no code begins another, and none is left over", () => {
  const random = seededRandom(9);
  const cases = Array.from({ length: 50 }, () =>
    Uint32Array.from({ length: 2 + Math.floor(random() * 280) }, (_, i) =>
      i < 2 ? 1 : random() ** 8 * 1e6,
    ),
  );
  cases.push(steepWeights(40), new Uint32Array(286).fill(1), Uint32Array.of(0, 5, 0, 1));
  for (const weights of cases) {
    const { lengths, codes } = new PrefixCode(weights, 15);
    const seen = new Set<string>();
    let share = 0;
    for (const [symbol, length] of lengths.entries()) {
      assert.equal(length > 0, weights[symbol] !== 0);
      assert.ok(length <= 15);
      if (length === 0) continue;
      share += 2 ** -length;
      const bits = Array.from({ length }, (_, i) => ((codes[symbol] as number) >>> i) & 1).join("");
      for (let i = 1; i < length; i++) assert.ok(!seen.has(bits.slice(0, i)));
      seen.add(bits);
    }
    assert.equal(share, 1);
    assert.equal(seen.size, weights.filter((weight) => weight !== 0).length);
  }
});

test("what weighs more has no longer code", () => {
  const weights = steepWeights(12);
  const { lengths } = new PrefixCode(weights, 15);
  for (let i = 1; i < 12; i++) assert.ok((lengths[i] as number) <= (lengths[i - 1] as number));
  assert.equal(lengths[11], 1);
});
