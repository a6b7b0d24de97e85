/**
 * Watches concatenated messages for parts that come twice or never.
 *
 *   16,384 entries of 13 words: hash 2 | total | seen | tick | parts seen, 256 bits
 *
 * An entry is found by a 64-bit hash of account, addresses, reference and total, within eight
 * neighbours; if none is free, the oldest goes, and counts as incomplete if it was. Complete
 * messages stay for a while, so that a part that comes again is recognised. The table is made when
 * the first part arrives. One thread.
 */

export const PART_NEW = 0;
export const PART_DUPLICATE = 1;

const ENTRIES = 16_384;
const ENTRY_WORDS = 13;
const NEIGHBOURS = 8;
const TOTAL = 2;
const SEEN = 3;
const TICK = 4;
const BITS = 5;
/** After this time a complete message's reference may be used again. */
const REUSE_MS = 60_000;

export class PartsWatch {
  /** Messages given up without all their parts. */
  abandonedCount = 0;
  #words: Int32Array | null = null;

  /**
   * Notes that part `index` (from 1) of `total` was accepted at `tick`. `hash` and `hash2` identify
   * the message. Returns PART_NEW or PART_DUPLICATE.
   */
  note(hash: number, hash2: number, total: number, index: number, tick: number): number {
    this.#words ??= new Int32Array(ENTRIES * ENTRY_WORDS);
    const words = this.#words;
    const at = this.#entryOf(words, hash | 0, hash2 | 1, total, tick);
    const bitAt = at + BITS + (index >>> 5);
    const bit = 1 << (index & 31);
    words[at + TICK] = tick;
    if ((words[bitAt]! & bit) !== 0) return PART_DUPLICATE;
    words[bitAt] = words[bitAt]! | bit;
    words[at + SEEN]!++;
    return PART_NEW;
  }

  #entryOf(words: Int32Array, hash: number, hash2: number, total: number, tick: number): number {
    let chosen = -1;
    let chosenAge = -1;
    for (let i = 0; i < NEIGHBOURS; i++) {
      const at = ((hash + i) & (ENTRIES - 1)) * ENTRY_WORDS;
      const age = words[at + 1] === 0 ? 0x7fff_ffff : (tick - words[at + TICK]!) >>> 0;
      if (words[at] === hash && words[at + 1] === hash2) {
        const isDone = words[at + SEEN] === words[at + TOTAL];
        if (!isDone || age < REUSE_MS) return at;
        chosen = at;
        break;
      }
      if (age > chosenAge) {
        chosen = at;
        chosenAge = age;
      }
    }
    if (words[chosen + SEEN]! < words[chosen + TOTAL]!) this.abandonedCount++;
    words.fill(0, chosen, chosen + ENTRY_WORDS);
    words[chosen] = hash;
    words[chosen + 1] = hash2;
    words[chosen + TOTAL] = total;
    return chosen;
  }

  /** Messages of which parts are still missing, those given up included. */
  incompleteCount(): number {
    let count = this.abandonedCount;
    if (this.#words === null) return count;
    for (let at = 0; at < this.#words.length; at += ENTRY_WORDS) {
      if (this.#words[at + SEEN]! < this.#words[at + TOTAL]!) count++;
    }
    return count;
  }
}
