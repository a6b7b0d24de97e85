import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  alignRecord,
  allocateRing,
  RECORD_BYTES_MAX,
  RING_EMPTY,
  RING_FULL,
} from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";

const CAPACITY = 16384;
const PUBLISHED = 0;
const RELEASED = 32;

function ends(position = 0): { producer: RingProducer; consumer: RingConsumer; words: Int32Array } {
  const memory = new RingMemory(allocateRing(CAPACITY));
  memory.words[PUBLISHED] = position;
  memory.words[RELEASED] = position;
  return {
    producer: new RingProducer(memory),
    consumer: new RingConsumer(memory),
    words: memory.words,
  };
}

/** Puts a record whose payload is its `mark` over and over. */
function put(producer: RingProducer, lengthBytes: number, mark: number): boolean {
  const offset = producer.claim(lengthBytes, 1 + (mark % 7), 1, 0);
  if (offset === RING_FULL) return false;
  producer.bytes.fill(mark & 0xff, offset + 8, offset + lengthBytes);
  return true;
}

function assertRecord(
  consumer: RingConsumer,
  offset: number,
  lengthBytes: number,
  mark: number,
): void {
  assert.equal(consumer.view.getUint32(offset, true), lengthBytes);
  assert.equal(consumer.view.getUint8(offset + 4), 1 + (mark % 7));
  const payload = consumer.bytes.subarray(offset + 8, offset + lengthBytes);
  assert.ok(payload.every((byte) => byte === (mark & 0xff)));
}

test("a claimed record is invisible until it is published", () => {
  const { producer, consumer } = ends();
  put(producer, 20, 3);
  assert.equal(consumer.next(), RING_EMPTY);
  assert.equal(consumer.hasRecords(), false);
  producer.publish();
  assert.equal(consumer.hasRecords(), true);
  assertRecord(consumer, consumer.next(), 20, 3);
  assert.equal(consumer.next(), RING_EMPTY);
});

test("the header carries type, version and flags", () => {
  const { producer } = ends();
  const offset = producer.claim(8, 67, 2, 0xa5);
  assert.deepEqual([...producer.bytes.subarray(offset, offset + 8)], [8, 0, 0, 0, 67, 2, 0xa5, 0]);
});

test("a full ring refuses, and takes records again once some are released", () => {
  const { producer, consumer } = ends();
  let count = 0;
  while (put(producer, 1000, count)) count++;
  assert.equal(count, Math.floor(CAPACITY / 1000));
  assert.equal(producer.hasRoom(1000), false);
  producer.publish();
  consumer.next();
  assert.equal(put(producer, 1000, count), false);
  consumer.release();
  assert.equal(put(producer, 1008, count), false, "padding at the end needs room, too");
  assert.equal(put(producer, 1000, count), true);
});

test("the longest record always finds room in an empty ring", () => {
  const { producer, consumer } = ends();
  for (let i = 0; i < 100; i++) {
    const lengthBytes = i % 2 === 0 ? RECORD_BYTES_MAX : 8 * (1 + (i % 13));
    assert.equal(producer.hasRoom(lengthBytes), true);
    assert.equal(put(producer, lengthBytes, i), true);
    producer.publish();
    assertRecord(consumer, consumer.next(), lengthBytes, i);
    consumer.release();
  }
});

test("hasRoom never promises what claim refuses", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: CAPACITY / 8 - 1 }),
      fc.array(fc.integer({ min: 8, max: RECORD_BYTES_MAX }), { minLength: 1, maxLength: 6 }),
      (skipped, lengths) => {
        const { producer, consumer } = ends(skipped * 8);
        assert.equal(consumer.hasRecords(), false);
        const footprint = lengths.reduce((sum, length) => sum + alignRecord(length), 0);
        if (!producer.hasRoom(footprint)) return;
        for (const [i, length] of lengths.entries()) assert.ok(put(producer, length, i));
      },
    ),
  );
});

/** One step of either end; numbers are record lengths or counts. */
const step = fc.oneof(
  fc.record({ put: fc.integer({ min: 8, max: 3000 }) }),
  fc.record({ put: fc.integer({ min: 8, max: RECORD_BYTES_MAX }) }),
  fc.constant({ publish: true }),
  fc.record({ take: fc.integer({ min: 1, max: 9 }) }),
  fc.constant({ release: true }),
);

test("whatever the two ends do, records come out whole, once and in order", () => {
  const start = fc.constantFrom(0, 8, 0x7fffffc0, -64, -2147483648, CAPACITY - 8);
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 400 }), (position, steps) => {
      const { producer, consumer } = ends(position);
      const queue: number[] = [];
      let published = 0;
      let read = 0;
      for (const action of steps) {
        if ("put" in action) {
          if (put(producer, action.put, queue.length)) queue.push(action.put);
        } else if ("publish" in action) {
          producer.publish();
          published = queue.length;
        } else if ("release" in action) {
          consumer.release();
        } else {
          for (let i = 0; i < action.take; i++) {
            const offset = consumer.next();
            if (read === published) {
              assert.equal(offset, RING_EMPTY);
              break;
            }
            assertRecord(consumer, offset, queue[read] as number, read);
            read++;
          }
        }
        assert.ok(producer.usedBytes() <= CAPACITY);
      }
    }),
    { numRuns: 150 },
  );
});

test("runs hold whole records, end at the end of the data and cover everything in order", () => {
  const lengths = fc.array(fc.integer({ min: 8, max: 2500 }), { minLength: 1, maxLength: 120 });
  const start = fc.constantFrom(0, 0x7fffe000, -8192);
  fc.assert(
    fc.property(start, lengths, fc.integer({ min: 2504, max: 9000 }), (position, all, max) => {
      const { producer, consumer } = ends(position);
      let staged = 0;
      let seen = 0;
      while (seen < all.length) {
        while (staged < all.length && put(producer, all[staged] as number, staged)) staged++;
        producer.publish();
        const run = consumer.takeRun(max);
        assert.ok(run > 0 && run <= max);
        assert.ok(consumer.runOffset + run <= CAPACITY);
        seen = walkRun(consumer, run, all, seen);
        producer.releaseTo(consumer.readPosition);
      }
      assert.equal(consumer.takeRun(max), 0);
    }),
    { numRuns: 150 },
  );
});

/**
 * Checks the records of a run against `all` from index `seen` on; returns the index behind them.
 */
function walkRun(
  consumer: RingConsumer,
  run: number,
  all: readonly number[],
  seen: number,
): number {
  let index = seen;
  for (let at = consumer.runOffset; at < consumer.runOffset + run; ) {
    const lengthBytes = consumer.view.getUint32(at, true);
    if (consumer.view.getUint8(at + 4) !== 0) {
      assertRecord(consumer, at, all[index] as number, index);
      index++;
    }
    at += alignRecord(lengthBytes);
    assert.ok(at <= consumer.runOffset + run);
  }
  return index;
}

test("a run of at most too few bytes is no run", () => {
  const { producer, consumer } = ends();
  put(producer, 100, 1);
  producer.publish();
  assert.equal(consumer.takeRun(96), 0);
  assert.equal(consumer.takeRun(104), 104);
});

test("a ring's size is a power of two that holds two longest records", () => {
  assert.throws(() => allocateRing(20000), RangeError);
  assert.throws(() => allocateRing(8192), RangeError);
});
