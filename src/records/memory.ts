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
 * Copies `length` bytes between memories, wherever they lie: four at a time, without the view of a
 * part that `set` of a typed array would need.
 */
export function copyMemory(
  from: DataView,
  fromOffset: number,
  to: DataView,
  toOffset: number,
  length: number,
): void {
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) to.setInt32(toOffset + i, from.getInt32(fromOffset + i));
  for (; i < length; i++) to.setUint8(toOffset + i, from.getUint8(fromOffset + i));
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
