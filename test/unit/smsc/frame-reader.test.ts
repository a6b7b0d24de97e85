/** However a stream is cut into chunks, and whenever the sink refuses, the same PDUs come out. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { writeHeader } from "../../../src/codec/index.ts";
import { FrameReader, type PduSink } from "../../../src/smsc/frame-reader.ts";

class Sink implements PduSink {
  readonly taken: number[] = [];
  badAt = -1;
  isOver = false;
  credit = Number.POSITIVE_INFINITY;
  canTake(): boolean {
    return this.credit > 0;
  }
  onPdu(bytes: Uint8Array, start: number, end: number): void {
    this.credit--;
    assert.equal(end - start, bytes[start + 3]! | (bytes[start + 2]! << 8));
    this.taken.push(bytes[start + 15]! | (bytes[start + 14]! << 8));
  }
  onBadLength(): void {
    this.badAt = this.taken.length;
    this.isOver = true;
  }
}

function stream(lengths: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  lengths.forEach((length, i) => {
    writeHeader(bytes, at, length, 0x15, 0, i + 1);
    at += length;
  });
  return bytes;
}

test("chunks of any size give the same PDUs, with a sink that stops now and then", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 16, max: 400 }), { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 1, maxLength: 50 }),
      fc.integer({ min: 1, max: 5 }),
      (lengths, cuts, credit) => {
        const bytes = stream(lengths);
        const sink = new Sink();
        const reader = new FrameReader(70_000);
        sink.credit = credit;
        let at = 0;
        for (let i = 0; at < bytes.length; i++) {
          const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
          const chunk = bytes.slice(at, end);
          reader.read(chunk, 0, chunk.length, sink);
          // The chunk is the caller's again.
          chunk.fill(0xff);
          at = end;
          if (reader.isBlocked && i % 2 === 1) {
            sink.credit = credit;
            reader.resume(sink);
          }
        }
        sink.credit = Number.POSITIVE_INFINITY;
        reader.resume(sink);
        assert.equal(reader.isBlocked, false);
        assert.deepEqual(
          sink.taken,
          lengths.map((_length, i) => i + 1),
        );
        assert.equal(sink.badAt, -1);
      },
    ),
  );
});

test("a length out of bounds ends it as soon as four octets are there", () => {
  for (const length of [0, 15, 70_001, 0x7fff_ffff]) {
    const sink = new Sink();
    const reader = new FrameReader(70_000);
    const bytes = new Uint8Array(64);
    writeHeader(bytes, 0, 16, 0x15, 0, 1);
    writeHeader(bytes, 16, length, 0x15, 0, 2);
    for (let i = 0; i < 20; i++) reader.read(bytes, i, i + 1, sink);
    assert.equal(sink.badAt, 1, String(length));
    reader.read(bytes, 20, 64, sink);
    assert.deepEqual(sink.taken, [1]);
  }
});
