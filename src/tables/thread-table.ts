/**
 * One row per thread: doorbell, on-time ticks, and the record it has in hand.
 *
 *   bells     Int32 × 16 a thread: [0] AWAKE or IDLE (ring/doorbell.ts), [1] ticks that came on
 *             time, [2] 1 while inside a disk call, [3] 1 = stop when nothing is left (journal),
 *             [4] the operating system's number of the thread, -1 = not known, 0 = the thread has
 *             not loaded its modules yet
 *   in hand   Float64 a thread: log offset of the record being worked on, -1 for none; read
 *             after a crash
 *
 * A row is written by its thread; its bell also by whoever rings it, its stop word by the main
 * thread.
 */
const WORDS_PER_THREAD = 16;
const TICKS = 1;
const BLOCKED = 2;
const STOP = 3;
const SYSTEM_ID = 4;

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

/** Index of the word that is 1 while a thread waits for the disk. */
export function blockedIndex(thread: number): number {
  return thread * WORDS_PER_THREAD + BLOCKED;
}

/** Index of the word by which a thread without an event loop is told to stop. */
export function stopIndex(thread: number): number {
  return thread * WORDS_PER_THREAD + STOP;
}

/** Index of the word with the operating system's number of a thread. */
export function systemIdIndex(thread: number): number {
  return thread * WORDS_PER_THREAD + SYSTEM_ID;
}
