/**
 * Memory layout of every ring, imported by both of its ends.
 *
 *   0        published   Int32, bytes; written by the producer only
 *   128      released    Int32, bytes; written by the one thread that frees (docs/THREADS.md)
 *   256      data        capacity bytes, a power of two
 *
 * Positions count bytes since the ring was made and wrap at 2^32: compare them by difference only.
 * A record is 8-aligned and never straddles the end of the data: padding (type 0) fills up.
 *
 *   record   u32 length (header included, alignment excluded)
 *            u8 type | u8 version | u8 flags | u8 0, or the record's own | payload
 *
 * The journal writes staged bytes to disk as they are, so this is also the form of a record in the
 * log. All integers are little-endian.
 */
export const RING_HEADER_BYTES = 256;
export const PUBLISHED_INDEX = 0;
export const RELEASED_INDEX = 32;

export const RECORD_HEADER_BYTES = 8;
export const RECORD_ALIGNMENT = 8;
export const RECORD_LENGTH_OFFSET = 0;
export const RECORD_TYPE_OFFSET = 4;
export const RECORD_VERSION_OFFSET = 5;
export const RECORD_FLAGS_OFFSET = 6;

/** The type of a record that only fills up to the end of the ring. */
export const PADDING_TYPE = 0;

/** No record, header included, is longer; it bounds padding and every reader's buffer. */
export const RECORD_BYTES_MAX = 8192;

/** `claim` found no room. */
export const RING_FULL = -1;
/** `next` found no record. */
export const RING_EMPTY = -1;

/** Rounds a record's length up to its footprint in a ring or in the log. */
export function alignRecord(lengthBytes: number): number {
  return (lengthBytes + (RECORD_ALIGNMENT - 1)) & ~(RECORD_ALIGNMENT - 1);
}

/** Bytes published in a ring and not yet freed, as any thread may see them. */
export function ringUsedBytes(ring: SharedArrayBuffer): number {
  const words = new Int32Array(ring, 0, RING_HEADER_BYTES / 4);
  return (Atomics.load(words, PUBLISHED_INDEX) - Atomics.load(words, RELEASED_INDEX)) | 0;
}

/**
 * Allocates the memory of a ring with `capacityBytes` of data (a power of two, ≥ 2 ×
 * RECORD_BYTES_MAX).
 */
export function allocateRing(capacityBytes: number): SharedArrayBuffer {
  if ((capacityBytes & (capacityBytes - 1)) !== 0 || capacityBytes < 2 * RECORD_BYTES_MAX) {
    throw new RangeError(`ring capacity ${capacityBytes} is not a power of two of at least 16384`);
  }
  return new SharedArrayBuffer(RING_HEADER_BYTES + capacityBytes);
}
