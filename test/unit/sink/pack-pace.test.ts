/** When packing rests: pieces are short, a file is in time for the next, and soon if small. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PackPace } from "../../../src/sink/pack-pace.ts";

const STARTED_MS = 5_000;
const RECORDED_FROM = 1_700_000_000_000;

interface Packed {
  readonly tookMs: number;
  readonly pieces: readonly number[];
  readonly rests: readonly number[];
}

/** Packs chunks of `chunkMs` each that were recorded evenly over `recordedMs`. */
function packEvenly(chunks: number, chunkMs: number, recordedMs: number): Packed {
  const pace = new PackPace(STARTED_MS, RECORDED_FROM);
  const pieces: number[] = [];
  const rests: number[] = [];
  let now = STARTED_MS;
  let pieceFrom = now;
  for (let i = 0; i < chunks; i++) {
    const rest = pace.restMs(now, RECORDED_FROM + (recordedMs * i) / chunks);
    if (rest > 0) {
      pieces.push(now - pieceFrom);
      rests.push(rest);
      now += rest;
      pace.resume(now);
      pieceFrom = now;
    }
    now += chunkMs;
  }
  return { tookMs: now - STARTED_MS, pieces, rests };
}

test("a full file takes half the time in which its rows came", () => {
  for (const recordedMs of [11_000, 6_000, 4_000]) {
    const { tookMs } = packEvenly(2048, 0.25, recordedMs);
    assert.ok(Math.abs(tookMs - recordedMs / 2) <= 12, `${recordedMs}: ${tookMs}`);
  }
});

test("it works half a millisecond at a time, and rests twice as long even when it is late", () => {
  const { pieces, rests, tookMs } = packEvenly(2048, 0.25, 1000);
  assert.deepEqual(new Set(pieces), new Set([0.5]));
  assert.deepEqual(new Set(rests), new Set([1]));
  assert.equal(tookMs, 512 + 1023);
});

test("the rows of an hour, if few, are soon in their file", () => {
  const { tookMs, rests } = packEvenly(40, 0.25, 3_600_000);
  assert.ok(tookMs <= 110, `${tookMs}`);
  assert.equal(Math.max(...rests), 5);
});

test("rows that were recorded before the first, by a clock set back, make nobody wait", () => {
  const { rests } = packEvenly(40, 0.25, -60_000);
  assert.deepEqual(new Set(rests), new Set([1]));
});
