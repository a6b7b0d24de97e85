/**
 * One row per thread: doorbell, on-time ticks, and the record it has in hand.
 *
 *   bells     Int32 × 16 a thread: [0] AWAKE or IDLE (ring/doorbell.ts), [1] ticks that came on time
 *   in hand   Float64 a thread: log offset of the record being worked on, -1 for none; read after a crash
 *
 * A row is written by its thread; its bell also by whoever rings it.
 */
const WORDS_PER_THREAD = 16;
const TICKS = 1;

export function allocateBells(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * WORDS_PER_THREAD * 4);
}

export function allocateInHand(threads: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(threads * 8);
  new Float64Array(buffer).fill(-1);
  return buffer;
}

/** Index of a thread's bell in the Int32Array over the bells. */
export function bellIndex(thread: number): number {
  return thread * WORDS_PER_THREAD;
}

/** Index of a thread's count of on-time ticks. */
export function ticksIndex(thread: number): number {
  return thread * WORDS_PER_THREAD + TICKS;
}
