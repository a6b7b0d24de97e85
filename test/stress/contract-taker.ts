/**
 * Takes tokens of a shared contract in batches as fast as it can, "writes" them after a stall now
 * and then, and says when it wrote.
 */
import { parentPort, workerData } from "node:worker_threads";
import { claimToken, layToRest, NO_TOKEN } from "../../src/limit/contract.ts";

export interface ContractTakerData {
  readonly words: SharedArrayBuffer;
  readonly rate: number;
  readonly seconds: number;
}

const { words, rate, seconds } = workerData as ContractTakerData;
const contract = new Int32Array(words);
const batchMax = Math.ceil(rate / 50);
const wrote: number[] = [];
const inHand: number[] = [];

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Another thread may run meanwhile, for as long as a busy machine takes. */
function stall(): void {
  if (Math.random() > 0.02) return;
  const untilMs = nowMs() + Math.random() * 30;
  while (nowMs() < untilMs);
}

const endMs = nowMs() + seconds * 1000;
for (let before = nowMs(); before < endMs; before = nowMs()) {
  stall();
  while (inHand.length < batchMax) {
    const token = claimToken(contract, rate, before);
    if (token === NO_TOKEN) break;
    inHand.push(token);
  }
  stall();
  const writtenMs = nowMs();
  for (const _token of inHand) wrote.push(writtenMs);
  stall();
  const afterMs = nowMs();
  for (const token of inHand) layToRest(contract, token, afterMs);
  inHand.length = 0;
}
parentPort?.postMessage(Float64Array.from(wrote));
