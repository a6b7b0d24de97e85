import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateContract } from "../../src/limit/contract.ts";
import { densest } from "../support/rate-window.ts";
import type { ContractEmptierData } from "./contract-emptier.ts";
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

test("however threads meet, no free token stays hidden behind one that rests", async (context) => {
  const [count, rounds, threads] = [300, 400, 3];
  const data: ContractEmptierData = {
    contracts: Array.from({ length: rounds }, () => allocateContract(count)),
    arrived: new SharedArrayBuffer(rounds * 4),
    threads,
    count,
  };
  const emptiers = Array.from({ length: threads }, () =>
    startThread(context, "./contract-emptier.js", import.meta.url, data),
  );
  const had = (await Promise.all(emptiers)) as Int32Array[];
  for (let round = 0; round < rounds; round++) {
    const claimed = had.reduce((sum, one) => sum + (one[round] as number), 0);
    assert.equal(claimed, count, `round ${round}`);
  }
});
