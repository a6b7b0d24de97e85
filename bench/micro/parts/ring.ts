/** A record through a one-to-one ring, both ends on one thread, in batches of 64. */
import { allocateRing, RING_EMPTY } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import { type MicroRow, type MicroSpan, nsOf } from "../row.ts";

const RING_BYTES = 1 << 20;
const RECORD_BYTES = 256;
const BATCH = 64;
const TYPE = 2;

export async function runRingBench(span: MicroSpan): Promise<MicroRow[]> {
  const memory = new RingMemory(allocateRing(RING_BYTES));
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const transfer = (): number => {
    for (let i = 0; i < BATCH; i++) {
      const at = producer.claim(RECORD_BYTES, TYPE, 1, 0);
      producer.view.setFloat64(at + 8, i, true);
    }
    producer.publish();
    let sum = 0;
    for (let at = consumer.next(); at !== RING_EMPTY; at = consumer.next()) {
      sum += consumer.view.getFloat64(at + 8, true);
    }
    consumer.release();
    if (sum !== (BATCH * (BATCH - 1)) / 2) throw new Error("the ring lost a record");
    return sum;
  };
  const words = new Int32Array(new SharedArrayBuffer(4));
  const add = (): number => {
    for (let i = 0; i < BATCH; i++) Atomics.add(words, 0, 1);
    return words[0] as number;
  };
  return [
    {
      what: "ring: claim, publish, next, release a record",
      ns: await nsOf(transfer, BATCH, span),
      reference: "Atomics.add",
      referenceNs: await nsOf(add, BATCH, span),
    },
  ];
}
