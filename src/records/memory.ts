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

/**
 * Copies `length` bytes between memories; short runs byte by byte, since a subarray would allocate.
 */
export function copyBytes(
  from: Uint8Array,
  fromOffset: number,
  to: Uint8Array,
  toOffset: number,
  length: number,
): void {
  if (length > 512) {
    to.set(from.subarray(fromOffset, fromOffset + length), toOffset);
    return;
  }
  for (let i = 0; i < length; i++) to[toOffset + i] = from[fromOffset + i] as number;
}
