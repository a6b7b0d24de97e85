/**
 * Bytes that hold records, seen both ways: a ring's data, a block read from the log, a message
 * slot.
 */
export interface RecordMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Wraps plain bytes (not a whole ring) as record memory. */
export function recordMemory(bytes: Uint8Array): RecordMemory {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Up to so many bytes a loop takes no longer than a call with a subarray, and makes no garbage. */
const LOOP_BYTES_MAX = 64;

/** Copies `length` bytes between memories; short runs byte by byte. */
export function copyBytes(
  from: Uint8Array,
  fromOffset: number,
  to: Uint8Array,
  toOffset: number,
  length: number,
): void {
  if (length > LOOP_BYTES_MAX) {
    to.set(from.subarray(fromOffset, fromOffset + length), toOffset);
    return;
  }
  for (let i = 0; i < length; i++) to[toOffset + i] = from[fromOffset + i] as number;
}
