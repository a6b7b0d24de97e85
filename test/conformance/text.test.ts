import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CONCAT_METHOD,
  chooseEncoding,
  decodeText,
  encodeText,
  encodingNameOf,
  planByMethod,
} from "../../src/codec/index.ts";
import { parseBlocks, readFixtureFile } from "./support/fixtures.ts";

const sections = parseBlocks(readFixtureFile("text.md"));

function check(blocks: Map<string, string>): void {
  const text = JSON.parse(blocks.get("json")!) as string;
  const expected = new Map(
    blocks
      .get("fields")!
      .trim()
      .split("\n")
      .map((line) => line.split(": ") as [string, string]),
  );
  const encoding = chooseEncoding(text);
  assert.equal(encodingNameOf(encoding), expected.get("encoding"));
  const bytes = new Uint8Array(2000);
  const length = encodeText(encoding, text, bytes, 0);
  assert.equal(String(length), expected.get("octets"));
  const hex = blocks.get("hex")?.replaceAll(/\s/g, "");
  if (hex !== undefined) {
    assert.equal(Buffer.from(bytes.subarray(0, length)).toString("hex"), hex);
  }
  assert.equal(decodeText(encoding, bytes, 0, length), text);
  const ends = new Uint16Array(10);
  for (const method of ["udh8", "udh16"] as const) {
    const count = planByMethod(encoding, bytes, 0, length, CONCAT_METHOD[method], 0, 10, ends);
    const sizes = [...ends.subarray(0, count)].map((end, i) => end - (i === 0 ? 0 : ends[i - 1]!));
    assert.equal(sizes.join(" "), expected.get(method), method);
  }
}

describe("conformance: text.md", () => {
  for (const { title, blocks } of sections) it(title, () => check(blocks));

  it("holds texts", () => assert.ok(sections.length >= 20));
});
