/**
 * Idempotency keys in shared memory: each with the answer to the call that brought it first.
 *
 *   header   word 0 seed of the places, 1 keys that the ledger keeps; 16 words
 *   locks    16 words a region: 0 free or held, 1 slots in use
 *   regions  REGION_SLOTS slots of 32 bytes, linear probing, no gaps within a run
 *   slot     0 fingerprint of app and key, 2 words    8 digest of the request, 2 words
 *            16 sequence f64                          24 origin    28 state | facts << 2; 0: free
 *
 *   free ──claim──► running ──complete, after the commit──► kept ──remove, by the ledger──► free
 *                      └──release: it was not admitted──► free
 *
 * A running slot has its claim's number in place of the sequence. A region is changed under its
 * lock, for less than a microsecond and never across a call of anything else; who finds it held for
 * longer (its holder was preempted) sleeps. Ingress threads and the ledger.
 */

/** What `claim` returns. */
export const Claim = {
  /** The key is the caller's, who has to complete or release it. */
  TAKEN: 0,
  /** It was kept with the same request: `answer` has what was said. */
  REPLAY: 1,
  /** A call with it has no answer yet. */
  RUNNING: 2,
  /** It belongs to another request. */
  CONFLICT: 3,
  /** There is no room where it belongs. */
  FULL: 4,
} as const;

/** What `restore` returns. */
export const Restored = { KEPT: 0, REPLACED: 1, FULL: 2 } as const;

/** Words of a key: fingerprint, digest; as they stand in an ACCEPT's tail. */
export const KEY_WORDS = 4;

const REGION_SLOTS = 4096;
const SLOT_MASK = REGION_SLOTS - 1;
/** Beyond this, probes of a region would become long. */
const REGION_USED_MAX = (REGION_SLOTS / 8) * 7;
/** Slots per key: regions fill unevenly, and keys in flight come on top. */
const SLOTS_PER_KEY = 4 / 3;
const SLOT_WORDS = 8;
const LOCK_WORDS = 16;
const HEADER_WORDS = 16;
const SEED = 0;
const KEPT_COUNT = 1;
const SEQUENCE = 4;
const ORIGIN = 6;
const FACTS = 7;
const STATE_MASK = 3;
const STATE_RUNNING = 1;
const STATE_KEPT = 2;
const SPINS_MAX = 200;
const LOCK_WAIT_MS = 1;

/** Memory for so many keys: 43 bytes each, touched as they come. */
export function allocateIdempotency(keysMax: number): SharedArrayBuffer {
  const regions = Math.ceil((keysMax * SLOTS_PER_KEY) / REGION_SLOTS);
  const words = HEADER_WORDS + regions * (LOCK_WORDS + REGION_SLOTS * SLOT_WORDS);
  return new SharedArrayBuffer(words * 4);
}

/**
 * Sets what decides where keys lie, so that nobody outside can aim at one region; once, before the
 * memory is shared. `seed` is 32 random bits.
 */
export function seedIdempotency(memory: SharedArrayBuffer, seed: number): void {
  new Int32Array(memory)[SEED] = seed | 0;
}

/** Packs what an answer says beside the id: segments, a BodyEncoding below 4, scheduled or not. */
export function packFacts(segments: number, encoding: number, isScheduled: boolean): number {
  return segments | (encoding << 8) | (isScheduled ? 1 << 10 : 0);
}

export function factSegments(facts: number): number {
  return facts & 0xff;
}

export function factEncoding(facts: number): number {
  return (facts >> 8) & 3;
}

export function factScheduled(facts: number): boolean {
  return (facts & (1 << 10)) !== 0;
}

export class IdempotencyTable {
  /** What the last `claim` found, after REPLAY. */
  readonly answer = { sequence: 0, origin: 0, facts: 0 };
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #regionCount: number;
  readonly #slotsStart: number;
  readonly #seed: number;

  constructor(memory: SharedArrayBuffer) {
    const words = new Int32Array(memory);
    this.#words = words;
    this.#floats = new Float64Array(memory);
    const regionWords = LOCK_WORDS + REGION_SLOTS * SLOT_WORDS;
    this.#regionCount = (words.length - HEADER_WORDS) / regionWords;
    this.#slotsStart = HEADER_WORDS + this.#regionCount * LOCK_WORDS;
    this.#seed = words[SEED] as number;
  }

  /** Keys that the ledger keeps; those in flight come on top. */
  get keptCount(): number {
    return Atomics.load(this.#words, KEPT_COUNT);
  }

  /** For the ledger only. */
  set keptCount(count: number) {
    Atomics.store(this.#words, KEPT_COUNT, count);
  }

  /** Takes the key for a call of producer `origin`, numbered `claim` there; or says why not. */
  claim(key: Int32Array, origin: number, claim: number): number {
    const region = this.#lock(key[0] as number);
    const at = this.#find(region, key[0] as number, key[1] as number);
    const found = this.#judge(key, at);
    if (found === Claim.TAKEN) {
      if (!this.#insert(region, at, key)) {
        this.#unlock(region);
        return Claim.FULL;
      }
      this.#write(at, claim, origin, STATE_RUNNING);
    }
    this.#unlock(region);
    return found;
  }

  /** The call was not admitted: the key is free. */
  release(key: Int32Array, origin: number, claim: number): void {
    const region = this.#lock(key[0] as number);
    const at = this.#find(region, key[0] as number, key[1] as number);
    if (this.#isClaim(at, origin, claim)) this.#removeAt(region, at);
    this.#unlock(region);
  }

  /** The call's message is committed: from now on this is its answer. */
  complete(key: Int32Array, origin: number, claim: number, sequence: number, facts: number): void {
    const region = this.#lock(key[0] as number);
    const at = this.#find(region, key[0] as number, key[1] as number);
    // The ledger may have been here before, and may even have let go of the key.
    if (this.#isClaim(at, origin, claim)) {
      this.#write(at, sequence, origin, STATE_KEPT | (facts << 2));
    }
    this.#unlock(region);
  }

  /**
   * Keeps the answer of a committed message; a later one replaces an earlier one (REPLACED). FULL:
   * it cannot be kept.
   */
  restore(key: Int32Array, sequence: number, origin: number, facts: number): number {
    const region = this.#lock(key[0] as number);
    const at = this.#find(region, key[0] as number, key[1] as number);
    const state = (this.#words[at + FACTS] as number) & STATE_MASK;
    let restored: number = Restored.KEPT;
    if (state === 0 && !this.#insert(region, at, key)) restored = Restored.FULL;
    else {
      const isOther = this.#sequenceAt(at) !== sequence || this.#originAt(at) !== origin;
      if (state === STATE_KEPT && isOther) restored = Restored.REPLACED;
      this.#words[at + 2] = key[2] as number;
      this.#words[at + 3] = key[3] as number;
      this.#write(at, sequence, origin, STATE_KEPT | (facts << 2));
    }
    this.#unlock(region);
    return restored;
  }

  /** Lets go of the kept key with this fingerprint; one that is a call's stays the call's. */
  remove(high: number, low: number): void {
    const region = this.#lock(high);
    const at = this.#find(region, high, low);
    const state = (this.#words[at + FACTS] as number) & STATE_MASK;
    if (state === STATE_KEPT) this.#removeAt(region, at);
    this.#unlock(region);
  }

  #judge(key: Int32Array, at: number): number {
    const words = this.#words;
    const facts = words[at + FACTS] as number;
    if (facts === 0) return Claim.TAKEN;
    if (words[at + 2] !== key[2] || words[at + 3] !== key[3]) return Claim.CONFLICT;
    if ((facts & STATE_MASK) === STATE_RUNNING) return Claim.RUNNING;
    const { answer } = this;
    answer.sequence = this.#sequenceAt(at);
    answer.origin = this.#originAt(at);
    answer.facts = facts >>> 2;
    return Claim.REPLAY;
  }

  #sequenceAt(at: number): number {
    return this.#floats[(at + SEQUENCE) >> 1] as number;
  }

  #originAt(at: number): number {
    return (this.#words[at + ORIGIN] as number) >>> 0;
  }

  #isClaim(at: number, origin: number, claim: number): boolean {
    if (((this.#words[at + FACTS] as number) & STATE_MASK) !== STATE_RUNNING) return false;
    return this.#originAt(at) === origin && this.#sequenceAt(at) === claim;
  }

  /** Makes a free slot the key's; false if its region has too many. */
  #insert(region: number, at: number, key: Int32Array): boolean {
    const words = this.#words;
    const used = this.#lockOf(region) + 1;
    if ((words[used] as number) >= REGION_USED_MAX) return false;
    words[used] = (words[used] as number) + 1;
    for (let i = 0; i < KEY_WORDS; i++) words[at + i] = key[i] as number;
    return true;
  }

  #write(at: number, sequence: number, origin: number, facts: number): void {
    this.#floats[(at + SEQUENCE) >> 1] = sequence;
    this.#words[at + ORIGIN] = origin;
    this.#words[at + FACTS] = facts;
  }

  /** First word of the slot that has the fingerprint, or of the free one where it would lie. */
  #find(region: number, high: number, low: number): number {
    const words = this.#words;
    const start = this.#slotsStart + region * REGION_SLOTS * SLOT_WORDS;
    for (let slot = this.#homeOf(low); ; slot = (slot + 1) & SLOT_MASK) {
      const at = start + slot * SLOT_WORDS;
      if (words[at + FACTS] === 0 || (words[at] === high && words[at + 1] === low)) return at;
    }
  }

  /** Empties a slot, and moves up what lies behind it only because it was taken. */
  #removeAt(region: number, at: number): void {
    const words = this.#words;
    const start = this.#slotsStart + region * REGION_SLOTS * SLOT_WORDS;
    let hole = (at - start) / SLOT_WORDS;
    for (let slot = (hole + 1) & SLOT_MASK; ; slot = (slot + 1) & SLOT_MASK) {
      const from = start + slot * SLOT_WORDS;
      if (words[from + FACTS] === 0) break;
      const home = this.#homeOf(words[from + 1] as number);
      if (((slot - home) & SLOT_MASK) < ((slot - hole) & SLOT_MASK)) continue;
      words.copyWithin(start + hole * SLOT_WORDS, from, from + SLOT_WORDS);
      hole = slot;
    }
    words[start + hole * SLOT_WORDS + FACTS] = 0;
    const used = this.#lockOf(region) + 1;
    words[used] = (words[used] as number) - 1;
  }

  #homeOf(low: number): number {
    return scatter(low ^ this.#seed) & SLOT_MASK;
  }

  #lockOf(region: number): number {
    return HEADER_WORDS + region * LOCK_WORDS;
  }

  /** Locks the region of a fingerprint; returns it. */
  #lock(high: number): number {
    const share = (scatter(high ^ ~this.#seed) >>> 0) / 0x1_0000_0000;
    const region = Math.floor(share * this.#regionCount);
    const lock = this.#lockOf(region);
    for (let spins = 1; Atomics.compareExchange(this.#words, lock, 0, 1) !== 0; spins++) {
      if (spins % SPINS_MAX === 0) Atomics.wait(this.#words, lock, 1, LOCK_WAIT_MS);
    }
    return region;
  }

  #unlock(region: number): void {
    Atomics.store(this.#words, this.#lockOf(region), 0);
  }
}

/** Mixes 32 bits (the end of MurmurHash3). */
function scatter(value: number): number {
  let bits = value;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}
