/** Writes records of random sizes into a ring, in bursts with pauses, until all are out. */
import { parentPort, workerData } from "node:worker_threads";
import { RING_FULL } from "../../src/ring/layout.ts";
import { RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { FILLER, writeFiller } from "../support/filler-record.ts";
import { integerIn, seededRandom } from "../support/seeded-random.ts";

export interface RingWriterData {
  readonly ring: SharedArrayBuffer;
  readonly seed: number;
  readonly records: number;
  readonly bytesMax: number;
}

const { ring, seed, records, bytesMax } = workerData as RingWriterData;
const producer = new RingProducer(new RingMemory(ring));
const random = seededRandom(seed);
const pause = new Int32Array(new SharedArrayBuffer(4));
let full = 0;
for (let sequence = 0; sequence < records; ) {
  const burst = integerIn(random, 1, 40);
  for (let i = 0; i < burst && sequence < records; i++) {
    const offset = producer.claim(integerIn(random, 24, bytesMax), FILLER, 1, 0);
    if (offset === RING_FULL) {
      full++;
      break;
    }
    writeFiller(producer, offset, seed, sequence);
    sequence++;
  }
  producer.publish();
  if (random() < 0.002) Atomics.wait(pause, 0, 0, 1);
}
parentPort?.postMessage({ full });
