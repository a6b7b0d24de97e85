/**
 * What each ingress thread has to do, for others to look at: 16 Int32 words a producer, a cache
 * line.
 *
 *   PENDING_CALLS       calls that wait for their commit
 *   WAITING_MESSAGES    accepted messages that wait for a link
 *
 * Written by its producer every few milliseconds; any thread reads.
 */
export const ProducerWord = { PENDING_CALLS: 0, WAITING_MESSAGES: 1 } as const;

const WORDS_PER_PRODUCER = 16;

export function allocateProducers(producers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(producers * WORDS_PER_PRODUCER * 4);
}

/** Index of `word` of a producer in the table's Int32Array. */
export function producerWord(producer: number, word: number): number {
  return producer * WORDS_PER_PRODUCER + word;
}
