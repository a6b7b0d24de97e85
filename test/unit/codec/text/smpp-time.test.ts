import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodeAbsoluteTime,
  encodeRelativeTime,
  FIELD_ILLEGAL,
  NO_ROOM,
  parseReceiptDate,
  parseSmppTime,
} from "../../../../src/codec/index.ts";
import { createRandom } from "../support/random-pdu.ts";

const NOW = Date.UTC(2026, 10, 21, 22, 17, 11);
const out = new Uint8Array(20);
const read = (result: number): string => {
  assert.equal(result, 16);
  return Buffer.from(out.subarray(0, 16)).toString("latin1");
};
const parse = (text: string, nowMs = NOW): number =>
  parseSmppTime(Buffer.from(text), 0, text.length, nowMs);
const receiptDate = (text: string, offset = 0): number =>
  parseReceiptDate(Buffer.from(text), 0, text.length, NOW, offset);

describe("SMPP times", () => {
  it("writes relative times", () => {
    const relative = (seconds: number): string => read(encodeRelativeTime(seconds, out, 0));
    assert.equal(relative(300), "000000000500000R");
    assert.equal(relative(3600), "000000010000000R");
    assert.equal(relative(86_400), "000001000000000R");
    assert.equal(relative(172_800), "000002000000000R");
    assert.equal(relative(45 * 86_400 + 61.9), "000115000101000R");
    assert.equal(encodeRelativeTime(-1, out, 0), FIELD_ILLEGAL);
    assert.equal(encodeRelativeTime(Number.NaN, out, 0), FIELD_ILLEGAL);
    assert.equal(encodeRelativeTime(4e9, out, 0), FIELD_ILLEGAL);
    assert.equal(encodeRelativeTime(1, out, 5), NO_ROOM);
  });

  it("writes absolute times in any zone", () => {
    assert.equal(read(encodeAbsoluteTime(NOW, out, 0)), "261121221711000+");
    assert.equal(read(encodeAbsoluteTime(NOW, out, 0, 22)), "261122034711022+");
    assert.equal(read(encodeAbsoluteTime(NOW, out, 0, -20)), "261121171711020-");
    assert.equal(read(encodeAbsoluteTime(NOW + 940, out, 0)), "261121221711900+");
    assert.equal(encodeAbsoluteTime(NOW, out, 0, 49), FIELD_ILLEGAL);
    assert.equal(encodeAbsoluteTime(Number.NaN, out, 0), FIELD_ILLEGAL);
  });

  it("reads both back", () => {
    assert.equal(parse("261121221711000+"), NOW);
    assert.equal(parse("261122034711022+"), NOW);
    assert.equal(parse("261121171711020-"), NOW);
    assert.equal(parse("000000000500000R"), NOW + 300_000);
    const day = 86_400_000;
    assert.equal(
      parse("020610233429000R") - NOW,
      (730 + 180 + 10) * day + 23 * 3_600_000 + 34 * 60_000 + 29_000,
    );
    const random = createRandom(11);
    for (let i = 0; i < 2000; i++) {
      const moment = NOW + (random(2_000_000_000) - 1_000_000_000) * 100;
      const quarters = random(97) - 48;
      const text = read(encodeAbsoluteTime(moment, out, 0, quarters));
      assert.equal(parse(text), moment, text);
      const seconds = random(31 * 86_400);
      assert.equal(parse(read(encodeRelativeTime(seconds, out, 0))), NOW + seconds * 1000);
    }
  });

  it("takes two-digit years for the century nearest to now", () => {
    assert.equal(new Date(parse("380101000000000+")).getUTCFullYear(), 2038);
    assert.equal(new Date(parse("750101000000000+")).getUTCFullYear(), 2075);
    assert.equal(new Date(parse("990101000000000+")).getUTCFullYear(), 1999);
    const later = Date.UTC(2099, 11, 31);
    assert.equal(new Date(parse("010101000000000+", later)).getUTCFullYear(), 2101);
    assert.equal(new Date(parse("000229000000000+")).getUTCMonth(), 1);
  });

  it("refuses what is no time", () => {
    for (const text of [
      "",
      "26112122171100",
      "261321221711000+",
      "260230221711000+",
      "261121251711000+",
      "261121226011000+",
      "26112122171100x+",
      "261121221711049+",
      "261121221711000Z",
      "x61121221711000+",
    ]) {
      assert.ok(Number.isNaN(parse(text)), text);
    }
  });
});

describe("receipt dates", () => {
  it("reads 10, 12 and 14 digits in the SMSC's zone", () => {
    assert.equal(receiptDate("2611212217"), NOW - 11_000);
    assert.equal(receiptDate("261121221711"), NOW);
    assert.equal(receiptDate("20261121221711"), NOW);
    assert.equal(receiptDate("261122034711", 330), NOW);
  });

  it("refuses anything else", () => {
    for (const text of [
      "",
      "261121",
      "2611312217",
      "2613012217",
      "26112122xx",
      "2611212460",
      "20260230221711",
      "00000000000000",
    ]) {
      assert.ok(Number.isNaN(receiptDate(text)), text);
    }
  });
});
