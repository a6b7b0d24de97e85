/** Takes tokens from a shared bucket as fast as it can; says at which bucket times it got them. */
import { parentPort, workerData } from "node:worker_threads";
import { bucketNow, tryAcquire } from "../../src/limit/bucket.ts";

export interface BucketTakerData {
  readonly words: SharedArrayBuffer;
  readonly refillPerS: number;
  readonly burst: number;
  readonly cost: number;
  readonly grants: number;
}

const { words, refillPerS, burst, cost, grants } = workerData as BucketTakerData;
const bucket = new Int32Array(words);
const times = new Int32Array(grants);
let refused = 0;
for (let i = 0; i < grants; ) {
  const now = bucketNow(Number(process.hrtime.bigint()) / 1e6, refillPerS);
  if (tryAcquire(bucket, 0, now, cost, burst) === 0) times[i++] = now;
  else refused++;
}
parentPort?.postMessage({ times, refused });
