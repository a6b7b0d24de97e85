import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateContract } from "../../src/limit/contract.ts";
import { densest } from "../support/rate-window.ts";
import type { ContractTakerData } from "./contract-taker.ts";
import { startThread } from "./threads.ts";

const SECONDS = 3;

for (const rate of [50, 20_000]) {
  test(`three threads that stall at will write ${rate} in no second more`, {
    timeout: 170_000,
  }, async (context) => {
    const data: ContractTakerData = { words: allocateContract(rate), rate, seconds: SECONDS };
    const takers = [0, 1, 2].map(() =>
      startThread(context, "./contract-taker.js", import.meta.url, data),
    );
    const times = ((await Promise.all(takers)) as Float64Array[]).flatMap((one) => [...one]);
    times.sort((a, b) => a - b);
    const most = densest(times, 1000);
    assert.ok(most <= rate, `${most} in one second`);
    assert.ok(times.length >= rate * (SECONDS - 2), `${times.length} in ${SECONDS} s`);
  });
}
