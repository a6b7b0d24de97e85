/**
 * Copies of small arrays of bytes, cut one after the other out of bigger ones: an array buffer for
 * each would cost more than all that is done with its bytes.
 *
 *   slab  | copy | copy | copy | free …
 *
 * What was cut out is never given out again; a slab lives as long as one of its copies. One thread.
 */

const SLAB_BYTES = 64 * 1024;

let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/** An array of `length` bytes, all of them 0. */
export function takeBytes(length: number): Uint8Array {
  if (length > SLAB_BYTES / 8) return new Uint8Array(length);
  if (used + length > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const taken = new Uint8Array(slab, used, length);
  // Eight by eight, as arrays of their own begin.
  used += (length + 7) & ~7;
  return taken;
}

/** A copy of all of `bytes`. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = takeBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

const scratch = Buffer.alloc(512);

/** All of `bytes` as Latin-1 text. */
export function latin1Text(bytes: Uint8Array): string {
  const { length } = bytes;
  if (length > scratch.length) return Buffer.from(bytes).toString("latin1");
  for (let i = 0; i < length; i++) scratch[i] = bytes[i] as number;
  return scratch.toString("latin1", 0, length);
}

/** At most 512 bytes from `at` on as Latin-1 text. */
export function latin1TextAt(view: DataView, at: number, length: number): string {
  for (let i = 0; i < length; i++) scratch[i] = view.getUint8(at + i);
  return scratch.toString("latin1", 0, length);
}

/** Latin-1 text as bytes. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = takeBytes(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
