/**
 * Empties one contract after the other, all threads each at the same time, at an instant at which
 * no rest ends; says how many tokens it had of each.
 */
import { parentPort, workerData } from "node:worker_threads";
import { claimToken, layToRest, NO_TOKEN } from "../../src/limit/contract.ts";

export interface ContractEmptierData {
  readonly contracts: readonly SharedArrayBuffer[];
  /** By contract: threads that have come to it. */
  readonly arrived: SharedArrayBuffer;
  readonly threads: number;
  readonly count: number;
}

const NOW_MS = 1_000;

const { contracts, arrived, threads, count } = workerData as ContractEmptierData;
const arrivals = new Int32Array(arrived);
const had = contracts.map((words, round) => {
  Atomics.add(arrivals, round, 1);
  while (Atomics.load(arrivals, round) < threads);
  return empty(new Int32Array(words));
});
parentPort?.postMessage(Int32Array.from(had));

function empty(words: Int32Array): number {
  for (let claimed = 0; ; claimed++) {
    const token = claimToken(words, count, NOW_MS);
    if (token === NO_TOKEN) return claimed;
    layToRest(words, token, NOW_MS);
  }
}
