/**
 * Reference numbers for concatenated messages that do not repeat towards one handset within the
 * time in which it may still be joining parts.
 *
 *   slot = hash(source, destination) → a counter of 8 or 16 bits, and when each quarter of its
 *   range was last used. Addresses that share a slot share its counter, which only makes it run
 *   faster.
 *
 * One object per link; one thread owns it. Memory is fixed; nothing is allocated per call.
 */

/** Every number of the range was used within the reassembly time: use 16 bits, or wait. */
export const REFERENCES_EXHAUSTED = -1;

const QUARTERS = 4;

export class ConcatReferences {
  readonly #next: Uint16Array;
  /** Milliseconds since the first call, per slot and quarter; -Infinity means never. */
  readonly #lastUsed: Float64Array;
  readonly #slotMask: number;
  readonly #rangeMask: number;
  readonly #quarterShift: number;
  readonly #reassemblyMs: number;

  /**
   * `bits` is 8 or 16; `slotCount` a power of two; `reassemblyMs` how long a handset keeps parts.
   * `randomBelow` gives each slot its first number, so that a restart does not repeat the last
   * ones.
   */
  constructor(
    bits: 8 | 16,
    slotCount: number,
    reassemblyMs: number,
    randomBelow: (limit: number) => number,
  ) {
    this.#slotMask = slotCount - 1;
    this.#rangeMask = (1 << bits) - 1;
    this.#quarterShift = bits - 2;
    this.#reassemblyMs = reassemblyMs;
    this.#next = new Uint16Array(slotCount);
    for (let slot = 0; slot < slotCount; slot++) this.#next[slot] = randomBelow(1 << bits);
    this.#lastUsed = new Float64Array(slotCount * QUARTERS).fill(-Infinity);
  }

  /**
   * The next reference towards the addresses in `bytes`, or REFERENCES_EXHAUSTED. `nowMs` may be
   * any monotonic clock.
   */
  take(
    bytes: Uint8Array,
    sourceStart: number,
    sourceEnd: number,
    destinationStart: number,
    destinationEnd: number,
    nowMs: number,
  ): number {
    const hash = hashRange(0x811c9dc5, bytes, sourceStart, sourceEnd);
    const mixed = hashRange(hash ^ 0x1f, bytes, destinationStart, destinationEnd);
    const slot = (mixed ^ (mixed >>> 15)) & this.#slotMask;
    const reference = this.#next[slot]!;
    const quarter = reference >>> this.#quarterShift;
    const at = slot * QUARTERS + quarter;
    // Entering a quarter again is safe once its last use is past; inside it, the entry has decided.
    const isEntry = (reference & ((1 << this.#quarterShift) - 1)) === 0;
    if (isEntry && nowMs - this.#lastUsed[at]! < this.#reassemblyMs) return REFERENCES_EXHAUSTED;
    this.#lastUsed[at] = nowMs;
    this.#next[slot] = (reference + 1) & this.#rangeMask;
    return reference;
  }
}

/** FNV-1a over a range, continuing from `hash`. */
function hashRange(hash: number, bytes: Uint8Array, start: number, end: number): number {
  let h = hash;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h;
}
