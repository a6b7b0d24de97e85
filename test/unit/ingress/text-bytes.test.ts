import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  scanText,
  TEXT_CLEAN,
  TEXT_CONTROL,
  TEXT_LONE_SURROGATE,
  utf8Length,
  writeUtf8,
} from "../../../src/ingress/http/text-bytes.ts";

test("UTF-8 is written as Buffer writes it, into its place and nowhere else", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const expected = Buffer.from(text, "utf8");
      assert.equal(utf8Length(text), expected.length);
      const out = new Uint8Array(expected.length + 2).fill(0xee);
      assert.equal(writeUtf8(text, out, 1), expected.length + 1);
      assert.deepEqual(Buffer.from(out.subarray(1, -1)), expected);
      assert.deepEqual([out[0], out.at(-1)], [0xee, 0xee]);
    }),
    { numRuns: 1000 },
  );
});

test("half surrogate pairs are found wherever they are", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff), { maxLength: 20 }), (units) => {
      const text = String.fromCharCode(...units.filter((unit) => unit > 0xa0));
      const isWell = text === Buffer.from(text, "utf8").toString("utf8");
      assert.equal(scanText(text, false), isWell ? TEXT_CLEAN : TEXT_LONE_SURROGATE);
    }),
    { numRuns: 2000 },
  );
});

test("control characters of both blocks are found, line breaks if they may not stand", () => {
  for (let unit = 0; unit < 0x200; unit++) {
    const text = `a${String.fromCharCode(unit)}b`;
    const isControl = unit < 0x20 || (unit >= 0x7f && unit < 0xa0);
    const isLine = unit === 9 || unit === 10 || unit === 13;
    assert.equal(scanText(text, false), isControl ? TEXT_CONTROL : TEXT_CLEAN);
    assert.equal(scanText(text, true), isControl && !isLine ? TEXT_CONTROL : TEXT_CLEAN);
  }
});
