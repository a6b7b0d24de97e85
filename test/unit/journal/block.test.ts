import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  Block,
  BLOCK_BYTES_MIN,
  BLOCK_DAMAGED,
  BLOCK_HEADER_BYTES,
  BLOCK_NEWER,
  BLOCK_NONE,
  BLOCK_PARTIAL,
  BlockBuilder,
  checkBlock,
  RECORDS_INCONSISTENT,
  RUN_HEADER_BYTES,
  visitRecords,
} from "../../../src/journal/block.ts";
import { recordMemory, type RecordMemory } from "../../../src/records/memory.ts";
import { FILLER, writeFiller } from "../../support/filler-record.ts";
import { CollectingVisitor } from "../../support/journal-rig.ts";

const STAMP = { number: 9, offset: 4096, synced: 4000, writtenAt: 1, epoch: 2, flags: 0 };

/** A block with one run for each list of record lengths. */
function build(runs: readonly (readonly number[])[], stamp = STAMP): RecordMemory {
  const builder = new BlockBuilder(BLOCK_BYTES_MIN * 4);
  for (const [appender, lengths] of runs.entries()) {
    const run = recordMemory(new Uint8Array(16384));
    let end = 0;
    for (const [sequence, length] of lengths.entries()) {
      run.view.setUint32(end, length, true);
      run.view.setUint32(end + 4, FILLER, true);
      writeFiller(run, end, appender, sequence);
      end += (length + 7) & ~7;
    }
    builder.appendRun(appender, run.bytes, 0, end);
  }
  const length = builder.seal(stamp);
  return recordMemory(builder.bytes.slice(0, length));
}

function check(memory: RecordMemory, available = memory.bytes.length): number {
  return checkBlock(memory, 0, available, STAMP.offset, 1 << 20);
}

const runs = fc.array(fc.array(fc.integer({ min: 24, max: 600 }), { minLength: 1, maxLength: 8 }), {
  maxLength: 4,
});

test("a sealed block is intact, and shows its records at their places", () => {
  fc.assert(
    fc.property(runs, (some) => {
      const memory = build(some);
      const length = memory.bytes.length;
      assert.equal(check(memory), length);
      const visitor = new CollectingVisitor();
      const count = visitRecords(memory, 0, length, STAMP.offset, visitor);
      assert.equal(count, some.flat().length);
      const expected = [];
      let at = STAMP.offset + BLOCK_HEADER_BYTES;
      for (const [appender, lengths] of some.entries()) {
        at += RUN_HEADER_BYTES;
        for (const [sequence, lengthBytes] of lengths.entries()) {
          expected.push({ appender, sequence, logOffset: at });
          at += (lengthBytes + 7) & ~7;
        }
      }
      assert.deepEqual(visitor.records, expected);
    }),
  );
});

test("no bit of a block can change unnoticed", () => {
  const memory = build([[24, 40], [64]]);
  for (let bit = 0; bit < memory.bytes.length * 8; bit++) {
    const byte = bit >> 3;
    (memory.bytes[byte] as number) ^= 1 << (bit & 7);
    const found = check(memory);
    assert.ok(found === BLOCK_DAMAGED || found === BLOCK_PARTIAL, `bit ${bit}: ${found}`);
    (memory.bytes[byte] as number) ^= 1 << (bit & 7);
  }
  assert.equal(check(memory), memory.bytes.length);
});

test("a block that is cut anywhere is partial, or no block at all", () => {
  const memory = build([[100], [200]]);
  for (let available = 0; available < memory.bytes.length; available++) {
    const expected = available < BLOCK_HEADER_BYTES ? BLOCK_NONE : BLOCK_PARTIAL;
    assert.equal(check(memory, available), expected);
  }
});

test("a block at another place, or one that claims to be synced beyond itself, is damaged", () => {
  const memory = build([[24]]);
  assert.equal(checkBlock(memory, 0, 1000, STAMP.offset + 8, 1 << 20), BLOCK_DAMAGED);
  const ahead = build([[24]], { ...STAMP, synced: STAMP.offset + 8 });
  assert.equal(check(ahead), BLOCK_DAMAGED);
});

test("zeros are no block, and other bytes are damage", () => {
  const memory = recordMemory(new Uint8Array(256));
  assert.equal(check(memory), BLOCK_NONE);
  memory.bytes[40] = 1;
  assert.equal(check(memory), BLOCK_DAMAGED);
});

test("an intact block of a later version is told apart from damage", () => {
  const builder = new BlockBuilder(BLOCK_BYTES_MIN);
  builder.seal(STAMP);
  const memory = recordMemory(builder.bytes);
  memory.view.setUint16(Block.VERSION, 2, true);
  assert.equal(check(memory), BLOCK_DAMAGED, "without a new checksum");
  // Seal it again as a later program would.
  const again = resealed(memory);
  assert.equal(check(again), BLOCK_NEWER);
});

/** The empty block in `memory` with a checksum that fits its header. */
function resealed(memory: RecordMemory): RecordMemory {
  const copy = recordMemory(memory.bytes.slice(0, BLOCK_HEADER_BYTES));
  copy.view.setUint32(Block.CRC, crcOf(copy.bytes.subarray(0, Block.CRC)), true);
  return copy;
}

/** CRC-32 (IEEE 802.3), bit by bit: a second opinion on the native one. */
function crcOf(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

test("runs and records that do not add up are reported, whatever they claim", () => {
  fc.assert(
    fc.property(fc.nat(159), fc.integer({ min: 0, max: 0xffffffff }), (word, value) => {
      const memory = build([[24, 40], [64]]);
      const at = BLOCK_HEADER_BYTES + 4 * (word % ((memory.bytes.length - 64) / 4));
      memory.view.setUint32(at, value, true);
      const seen: number[] = [];
      const visitor = {
        onRecord: (_type: number, _memory: unknown, offset: number, length: number) => {
          assert.ok(offset + length <= memory.bytes.length);
          seen.push(offset);
        },
      };
      const count = visitRecords(memory, 0, memory.bytes.length, 0, visitor);
      assert.ok(count === RECORDS_INCONSISTENT || count === seen.length);
    }),
    { numRuns: 500 },
  );
});

test("a block too small for the largest record is refused", () => {
  assert.throws(() => new BlockBuilder(BLOCK_BYTES_MIN - 1), RangeError);
});
