/**
 * Concatenation references: handsets join parts by (source, destination, reference), so the low 8
 * bits that the short header carries must not repeat soon for the same pair.
 *
 *   counters[hash of both addresses]   one up per long message; starts anywhere, so that a
 *                                      restart does not repeat
 *
 * A pair sees the same 8 bits again after 256 long messages that fall on its counter, whichever
 * ingress thread took them: the counters are shared (atomic add). One instance per thread.
 */
import type { Random } from "../environment.ts";

const COUNTERS = 65_536;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** Memory of the counters. */
export function allocateReferences(): SharedArrayBuffer {
  return new SharedArrayBuffer(COUNTERS * Uint16Array.BYTES_PER_ELEMENT);
}

/** Lets every counter start anywhere; once, before the memory is shared. */
export function scatterReferences(memory: SharedArrayBuffer, random: Random): void {
  const counters = new Uint16Array(memory);
  for (let i = 0; i < COUNTERS; i++) counters[i] = Math.floor(random() * 0x10000);
}

export class ConcatReferences {
  readonly #counters: Uint16Array;

  /** `counters`: memory of `allocateReferences`. */
  constructor(counters: SharedArrayBuffer) {
    this.#counters = new Uint16Array(counters);
  }

  /**
   * Reference, 16 bits, for the next long message of this pair: digits of the destination from
   * `toStart` on, source address from `fromStart` on. Allocation-free.
   */
  next(to: string, toStart: number, from: string, fromStart: number): number {
    const hash = fold(fold(FNV_OFFSET, to, toStart), from, fromStart);
    const cell = (hash ^ (hash >>> 16)) & (COUNTERS - 1);
    return (Atomics.add(this.#counters, cell, 1) + 1) & 0xffff;
  }
}

/** FNV-1a over the characters of `text` from `from` on. */
function fold(start: number, text: string, from: number): number {
  let hash = start;
  for (let i = from; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  }
  return hash;
}
