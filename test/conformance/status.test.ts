import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  COMMAND_ID,
  COMMAND_STATUS,
  encodeSubmitSmResp,
  readCommandId,
  readCommandStatus,
  readFrame,
  statusClassOf,
  statusNameOf,
} from "../../src/codec/index.ts";
import { readFixtureFile } from "./support/fixtures.ts";

const rows = [
  ...readFixtureFile("status.md").matchAll(/^\| (0x\w+) +\| `(\w+)` +\| (\S+) +\| (\w+) +\|$/gm),
];

describe("conformance: status.md", () => {
  for (const [, code, digits, name, letter] of rows) {
    it(`${code} ${name}`, () => {
      const bytes = new Uint8Array(Buffer.from(digits!, "hex"));
      assert.equal(readFrame(bytes, 0, bytes.length), bytes.length);
      assert.equal(readCommandId(bytes, 0), COMMAND_ID.submit_sm_resp);
      const status = readCommandStatus(bytes, 0);
      assert.equal(status, Number(code));
      assert.equal(statusNameOf(status) ?? "-", name);
      assert.equal(statusClassOf(status), letter);
      const out = new Uint8Array(64);
      const length = encodeSubmitSmResp(out, 0, status, 5, Buffer.from("1"), 0, 1);
      assert.equal(Buffer.from(out.subarray(0, length)).toString("hex"), digits);
    });
  }

  it("covers every status", () => {
    const covered = new Set(rows.map(([, , , name]) => name));
    for (const name of Object.keys(COMMAND_STATUS)) assert.ok(covered.has(name), name);
    assert.ok(rows.length >= Object.keys(COMMAND_STATUS).length + 10);
  });
});
