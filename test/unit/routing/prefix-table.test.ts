import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { DerivedRoute } from "../../../src/config/derive.ts";
import { NO_ROUTE, PrefixTable } from "../../../src/routing/prefix-table.ts";

function naive(routes: readonly DerivedRoute[], number: string): number {
  let best = -1;
  let pool = NO_ROUTE;
  for (const { prefix, poolIndex } of routes) {
    if (number.startsWith(prefix) && prefix.length > best) {
      best = prefix.length;
      pool = poolIndex;
    }
  }
  return pool;
}

// Few digits, so that prefixes contain each other.
const digits = (max: number) =>
  fc.array(fc.constantFrom("0", "1", "9"), { maxLength: max }).map((list) => list.join(""));

test("finds what a search over all prefixes finds", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(digits(5), { maxLength: 40 }),
      fc.array(digits(8), { minLength: 1, maxLength: 30 }),
      (prefixes, numbers) => {
        const routes = prefixes.map((prefix, poolIndex) => ({ prefix, poolIndex }));
        const table = new PrefixTable(routes);
        for (const number of numbers) {
          assert.equal(table.find(number, 0), naive(routes, number));
          assert.equal(table.find(`+${number}`, 1), naive(routes, number));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("an empty table has no route, the empty prefix matches every number", () => {
  assert.equal(new PrefixTable([]).find("998901234567", 0), NO_ROUTE);
  const table = new PrefixTable([
    { prefix: "", poolIndex: 3 },
    { prefix: "998", poolIndex: 0 },
  ]);
  assert.equal(table.find("998901234567", 0), 0);
  assert.equal(table.find("99", 0), 3);
  assert.equal(table.find("12025550100", 0), 3);
});

test("a prefix that is not digits is refused", () => {
  assert.throws(() => new PrefixTable([{ prefix: "99a", poolIndex: 0 }]), RangeError);
});
