/**
 * Records for tests that prove themselves: 8 appender u32, 12 length u32, 16 sequence f64, then
 * bytes that follow.
 */
import assert from "node:assert/strict";
import type { RecordMemory } from "../../src/records/memory.ts";
import { RecordType } from "../../src/records/types.ts";

/** Type of filler records: a durable one. */
export const FILLER = RecordType.RECEIPT;
export const RecordLength = { MIN: 24, MAX: 8192 } as const;

/** Fills the claimed record at `offset`, whose header stands already. */
export function writeFiller(
  memory: RecordMemory,
  offset: number,
  appender: number,
  sequence: number,
): void {
  const { bytes, view } = memory;
  const lengthBytes = view.getUint32(offset, true);
  view.setUint32(offset + 8, appender, true);
  view.setUint32(offset + 12, lengthBytes, true);
  view.setFloat64(offset + 16, sequence, true);
  for (let i = RecordLength.MIN; i < lengthBytes; i++) {
    bytes[offset + i] = byteOf(appender, sequence, i);
  }
}

/** Asserts that a record is whole, and returns what it says. */
export function checkFiller(
  memory: RecordMemory,
  offset: number,
  lengthBytes: number,
): { appender: number; sequence: number } {
  const { bytes, view } = memory;
  const appender = view.getUint32(offset + 8, true);
  const sequence = view.getFloat64(offset + 16, true);
  assert.equal(view.getUint32(offset + 12, true), lengthBytes);
  for (let i = RecordLength.MIN; i < lengthBytes; i++) {
    if (bytes[offset + i] !== byteOf(appender, sequence, i)) {
      assert.fail(`record ${sequence} of appender ${appender} is changed at byte ${i}`);
    }
  }
  return { appender, sequence };
}

function byteOf(appender: number, sequence: number, index: number): number {
  return (appender * 31 + sequence * 7 + index) & 0xff;
}
