import assert from "node:assert/strict";
import { test } from "node:test";
import { allocateRing, RING_EMPTY } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory } from "../../src/ring/one-to-one-ring.ts";
import { checkFiller } from "../support/filler-record.ts";
import { integerIn, seededRandom } from "../support/seeded-random.ts";
import type { RingWriterData } from "./ring-writer.ts";
import { startThread } from "./threads.ts";

/** Capacity, first position (to wrap 2^31 and 2^32 on the way), largest record, records. */
const SHAPES = [
  [16384, 0, 700, 40_000],
  [16384, 0x7fff0000, 8192, 6_000],
  [1 << 20, -(1 << 20), 2000, 15_000],
] as const;

test("records cross from thread to thread whole, once and in order", {
  timeout: 170_000,
}, async (context) => {
  for (const [seed, [capacity, position, bytesMax, records]] of SHAPES.entries()) {
    const ring = allocateRing(capacity);
    const memory = new RingMemory(ring);
    memory.words[0] = position;
    memory.words[32] = position;
    const data: RingWriterData = { ring, seed, records, bytesMax };
    const result = startThread(context, "./ring-writer.js", import.meta.url, data);
    await read(new RingConsumer(memory), seed, records);
    await result;
  }
});

/** Reads all records, releasing in bursts; pauses let the writer run into the full ring. */
async function read(consumer: RingConsumer, seed: number, records: number): Promise<void> {
  const random = seededRandom(seed + 100);
  for (let next = 0; next < records; ) {
    const burst = integerIn(random, 1, 60);
    for (let i = 0; i < burst; i++) {
      const offset = consumer.next();
      if (offset === RING_EMPTY) break;
      const lengthBytes = consumer.view.getUint32(offset, true);
      const said = checkFiller(consumer, offset, lengthBytes);
      assert.deepEqual(said, { appender: seed, sequence: next });
      next++;
    }
    consumer.release();
    if (random() < 0.05) await new Promise(setImmediate);
  }
  assert.equal(consumer.next(), RING_EMPTY);
}
