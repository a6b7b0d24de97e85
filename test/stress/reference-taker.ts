/** Takes references from a shared word as fast as it can, once another thread does too. */
import { parentPort, workerData } from "node:worker_threads";
import { ConcatReferences } from "../../src/codec/index.ts";

export interface ReferenceTakerData {
  /** The word, and how many threads are ready. */
  readonly memory: SharedArrayBuffer;
  readonly threads: number;
  readonly wallMs: number;
}

const { memory, threads, wallMs } = workerData as ReferenceTakerData;
const references = new ConcatReferences(16, new Int32Array(memory, 0, 1), 3_600_000);
const ready = new Int32Array(memory, 4, 1);
Atomics.add(ready, 0, 1);
while (Atomics.load(ready, 0) < threads);
const taken: number[] = [];
for (let one = references.take(0, wallMs); one >= 0; one = references.take(0, wallMs)) {
  taken.push(one);
}
parentPort?.postMessage(taken);
