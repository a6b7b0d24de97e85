/** Patterns of senders mean what the same expressions mean, and cost no more than a scan. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { matchesPattern, SenderFilter } from "../../../src/config/sender-pattern.ts";

const letters = (of: string, maxLength: number) =>
  fc.array(fc.constantFrom(...of.split("")), { maxLength }).map((parts) => parts.join(""));

test("a pattern matches what its regular expression matches", () => {
  fc.assert(
    fc.property(letters("ab1*?#", 8), letters("ab1", 10), (pattern, text) => {
      const wild: Readonly<Record<string, string>> = { "*": ".*", "?": ".", "#": "[0-9]" };
      const source = pattern
        .split("")
        .map((one) => wild[one] ?? one)
        .join("");
      assert.equal(matchesPattern(pattern, text), new RegExp(`^${source}$`, "u").test(text));
    }),
    { numRuns: 5000 },
  );
});

test("a hostile pattern reads no more of the text than pattern times text", () => {
  const pattern = "*a".repeat(16);
  let reads = 0;
  const text = "a".repeat(15) + "b".repeat(5);
  const counted = {
    length: text.length,
    charCodeAt(index: number): number {
      reads++;
      return text.charCodeAt(index);
    },
  };
  assert.equal(matchesPattern(pattern, counted as unknown as string), false);
  assert.ok(reads > 0 && reads <= pattern.length * text.length, `${reads}`);
});

test("allow compares letters as written, deny in any case, and deny wins", () => {
  const filter = new SenderFilter({ allow: ["Shop", "S*"], deny: ["sPAM", "*x"] });
  for (const [sender, passes] of [
    ["Shop", true],
    ["shop", false],
    ["Stop", true],
    ["SPAM", false],
    ["Spam", false],
    ["SX", false],
  ] as const) {
    assert.equal(filter.passes(sender), passes, sender);
  }
  assert.equal(filter.needsSender, true);
  assert.equal(new SenderFilter({ allow: null, deny: [] }).passesAll, true);
  assert.equal(new SenderFilter({ allow: null, deny: ["x"] }).passesAll, false);
  assert.equal(new SenderFilter({ allow: [], deny: [] }).passes("anything"), false);
});
