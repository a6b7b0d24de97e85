/** Copies between memories take what they are told to, and nothing beside it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { copyBytes, copyMemory, recordMemory } from "../../../src/records/memory.ts";

const BYTES = 400;

test("both copies of bytes do the same, wherever they lie", () => {
  const place = fc.integer({ min: 0, max: 100 });
  const content = fc.uint8Array({ minLength: BYTES, maxLength: BYTES });
  const length = fc.integer({ min: 0, max: BYTES - 100 });
  fc.assert(
    fc.property(content, content, place, place, length, (from, to, at, into, count) => {
      const expected = Uint8Array.from(to);
      expected.set(from.subarray(at, at + count), into);
      const [bytes, words] = [Uint8Array.from(to), recordMemory(Uint8Array.from(to))];
      copyBytes(from, at, bytes, into, count);
      copyMemory(recordMemory(from).view, at, words.view, into, count);
      assert.deepEqual(bytes, expected);
      assert.deepEqual(words.bytes, expected);
    }),
  );
});
