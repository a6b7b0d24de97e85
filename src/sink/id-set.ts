/**
 * A set of message ids that takes 8 to 16 bytes an id: 64-bit fingerprints, open addressing.
 *
 * Two ids of ten million share a fingerprint with a probability of 5 in a million. One thread.
 */
const SLOTS_MIN = 1 << 12;
/** Doubled beyond this share. */
const LOAD_MAX = 0.7;

export class IdSet {
  #high = new Uint32Array(SLOTS_MIN);
  #low = new Uint32Array(SLOTS_MIN);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** Adds an id; false if it was there. */
  add(id: string): boolean {
    // FNV-1a twice, from different starts.
    let high = 0x811c9dc5;
    let low = 0x9e3779b9;
    for (let i = 0; i < id.length; i++) {
      const unit = id.charCodeAt(i);
      high = Math.imul(high ^ unit, 0x01000193);
      low = Math.imul(low ^ (unit + i), 0x85ebca6b);
      low ^= low >>> 15;
    }
    if (!insert(this.#high, this.#low, (high ^ (low >>> 7)) >>> 0, (low | 1) >>> 0)) return false;
    this.#count += 1;
    if (this.#count > LOAD_MAX * this.#high.length) this.#grow();
    return true;
  }

  #grow(): void {
    const [oldHigh, oldLow] = [this.#high, this.#low];
    this.#high = new Uint32Array(2 * oldHigh.length);
    this.#low = new Uint32Array(2 * oldLow.length);
    for (let i = 0; i < oldLow.length; i++) {
      const low = oldLow[i] as number;
      if (low !== 0) insert(this.#high, this.#low, oldHigh[i] as number, low);
    }
  }
}

/** Puts (high, low) into its slot; `low` is not 0, which marks an empty one. False if there. */
function insert(highs: Uint32Array, lows: Uint32Array, high: number, low: number): boolean {
  const mask = lows.length - 1;
  for (let slot = (high ^ (low >>> 1)) & mask; ; slot = (slot + 1) & mask) {
    const seen = lows[slot] as number;
    if (seen === 0) {
      lows[slot] = low;
      highs[slot] = high;
      return true;
    }
    if (seen === low && highs[slot] === high) return false;
  }
}
