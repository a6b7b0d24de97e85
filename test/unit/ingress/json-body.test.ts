import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { FieldError } from "../../../src/errors.ts";
import { DEPTH_MAX, readJson } from "../../../src/ingress/http/json-body.ts";

function read(text: string | Uint8Array): { value: unknown; errors: FieldError[] } {
  const errors: FieldError[] = [];
  const value = readJson(Buffer.from(text), errors);
  return { value, errors };
}

test("any JSON without repeated names reads as JSON.parse reads it", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), fc.nat(3), (text, space) => {
      const value: unknown = JSON.parse(text);
      const spaced = JSON.stringify(value, null, space);
      assert.deepEqual(read(spaced), { value: JSON.parse(spaced) as unknown, errors: [] });
    }),
  );
});

test("any bytes read as JSON.parse reads them, or are refused", () => {
  const alphabet = fc.constantFrom(...Array.from("{}[]:,\"\\ue0 1-.'a\n"));
  fc.assert(
    fc.property(fc.array(alphabet, { maxLength: 40 }), (characters) => {
      const text = characters.join("");
      const { value, errors } = read(text);
      if (errors.length === 0) assert.deepEqual(value, JSON.parse(text));
      else assert.equal(value, undefined);
    }),
    { numRuns: 2000 },
  );
});

test("a name given twice is named by its pointer, however it is written", () => {
  for (const [text, pointer] of [
    ['{"a":1,"a":1}', "/a"],
    ['{"a":1,"\\u0061":2}', "/a"],
    ['{"a":{"b":1,"c":{},"b":2}}', "/a/b"],
    ['{"m":[{"x":1},{"x":1,"y":"x","x":{}}]}', "/m/1/x"],
    ['[[1,2],{"k":"v","k":[]}]', "/1/k"],
    ['{"a/b~c":1,"a/b~c":2}', "/a~1b~0c"],
    ['{"__proto__":1,"__proto__":2}', "/__proto__"],
    ['{"q":"\\"{:,","r":1,"q":2}', "/q"],
    [`{"${"n".repeat(300)}":1,"${"n".repeat(300)}":2}`, `/${"n".repeat(64)}…`],
  ] as const) {
    assert.deepEqual(read(text).errors, [{ pointer, detail: "is given twice" }], text);
  }
  for (const fine of ['{"a":1,"b":"a","c":["a","a"],"d":{"a":1}}', '{"a":"\\"b\\":1"}', "{}"]) {
    assert.deepEqual(read(fine).errors, [], fine);
  }
});

test("depth is bounded before anything is parsed", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.deepEqual(read(nested(DEPTH_MAX)).errors, []);
  assert.equal(read(nested(DEPTH_MAX + 1)).errors.length, 1);
  assert.equal(read("[".repeat(10_000)).errors.length, 1);
  assert.equal(read('{"a":'.repeat(10_000)).errors.length, 1);
  assert.deepEqual(read(`"${"[".repeat(100)}"`).errors, []);
});

test("broken UTF-8 is refused, a replacement character that was sent is not", () => {
  assert.equal(read(Buffer.from([0x22, 0xc3, 0x28, 0x22])).errors.length, 1);
  assert.equal(read(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).errors.length, 1);
  assert.deepEqual(read('"\ufffd"'), { value: "\ufffd", errors: [] });
});
