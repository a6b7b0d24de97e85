import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  COMMAND_ID,
  CONCAT_METHOD,
  ConcatInfo,
  decodeSm,
  ENCODING,
  encodeSm,
  encodeText,
  planByMethod,
  readConcatInfo,
  resetSmView,
  SmView,
  writeNationalShift,
  writeUdh,
} from "../../../../src/codec/index.ts";
import { hex, toHex } from "../support/vectors.ts";

describe("writeUdh", () => {
  const out = new Uint8Array(40);
  const header = (...rest: Parameters<typeof writeUdh> extends [unknown, ...infer R] ? R : never) =>
    toHex(out, 0, writeUdh(out, ...rest));

  it("composes concatenation and other elements under one length octet", () => {
    const ports = hex("05040b8423f0");
    assert.equal(header(false, 0xa7, 2, 1, null, 0), "050003a70201");
    assert.equal(header(true, 0x1234, 3, 2, null, 0), "06080412340302");
    assert.equal(header(false, 0xa7, 2, 1, ports, 6), "0b0003a7020105040b8423f0");
    assert.equal(header(false, 0, 1, 1, ports, 6), "0605040b8423f0");
    assert.equal(header(false, 0, 1, 1, null, 0), "");
  });
});

describe("a long message", () => {
  it("goes out in parts whose headers say so, and every part fits", () => {
    const extra = new Uint8Array(6);
    const extraLength = writeNationalShift(extra, 0, 0, 1);
    const text = new Uint8Array(2000);
    const length = encodeText(ENCODING.gsm7, "Lorem ipsum {dolor} ".repeat(30), text, 0);
    const ends = new Uint16Array(255);
    const method = CONCAT_METHOD.udh16;
    const count = planByMethod(ENCODING.gsm7, text, 0, length, method, extraLength, 10, ends);
    const udh = new Uint8Array(20);
    const out = new Uint8Array(400);
    const view = new SmView();
    const back = new SmView();
    const info = new ConcatInfo();
    resetSmView(view, text);
    let joined = "";
    for (let i = 0; i < count; i++) {
      view.shortMessageStart = i === 0 ? 0 : ends[i - 1]!;
      view.shortMessageEnd = ends[i]!;
      const udhLength = writeUdh(udh, true, 0xbeef, count, i + 1, extra, extraLength);
      assert.equal(udhLength, 10);
      const size = encodeSm(COMMAND_ID.submit_sm, out, 0, i + 1, view, udh, udhLength);
      assert.equal(decodeSm(out, 0, size, back), 0);
      readConcatInfo(back, info);
      assert.deepEqual([info.reference, info.total, info.sequence], [0xbeef, count, i + 1]);
      assert.equal(info.singleShift, 1);
      const septets = info.textEnd - info.textStart;
      assert.ok(Math.ceil((septets * 7) / 8) + udhLength <= 140);
      joined += toHex(out, info.textStart, info.textEnd);
    }
    assert.equal(joined, toHex(text, 0, length));
  });
});
