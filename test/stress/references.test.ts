import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReferenceTakerData } from "./reference-taker.ts";
import { startThread } from "./threads.ts";

test("threads that share a word are never given the same reference", {
  timeout: 170_000,
}, async (context) => {
  for (let round = 0; round < 5; round++) {
    const data: ReferenceTakerData = {
      memory: new SharedArrayBuffer(8),
      threads: 2,
      wallMs: Date.UTC(2026, 10, 22) + round * 10_000_000,
    };
    const takers = [0, 1].map(() =>
      startThread(context, "./reference-taker.js", import.meta.url, data),
    );
    const taken = (await Promise.all(takers)) as number[][];
    const all = taken.flat();
    assert.equal(new Set(all).size, all.length);
    assert.ok(all.length >= 65_536 / 2 - 256, `${all.length}`);
  }
});
