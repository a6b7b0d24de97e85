/**
 * Concatenation references: handsets join parts by (source, destination, reference), so the low 8
 * bits that the short header carries must not repeat soon for the same pair.
 *
 *   counters[hash of both addresses]   one up per long message; starts anywhere, so that a
 *                                      restart does not repeat
 *
 * A pair sees the same 8 bits again after 256 long messages that fall on its counter. One instance
 * per producer.
 */
import type { Random } from "../environment.ts";

const COUNTERS = 65_536;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export class ConcatReferences {
  readonly #counters = new Uint16Array(COUNTERS);

  constructor(random: Random) {
    for (let i = 0; i < COUNTERS; i++) this.#counters[i] = Math.floor(random() * 0x10000);
  }

  /**
   * Reference, 16 bits, for the next long message of this pair: digits of the destination from
   * `toStart` on, source address from `fromStart` on. Allocation-free.
   */
  next(to: string, toStart: number, from: string, fromStart: number): number {
    const hash = fold(fold(FNV_OFFSET, to, toStart), from, fromStart);
    const cell = (hash ^ (hash >>> 16)) & (COUNTERS - 1);
    const reference = ((this.#counters[cell] as number) + 1) & 0xffff;
    this.#counters[cell] = reference;
    return reference;
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
