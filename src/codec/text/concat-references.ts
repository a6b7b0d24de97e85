/**
 * Reference numbers for concatenated messages that do not repeat towards one handset within the
 * time in which it may still be joining parts.
 *
 *   word[hash of source and destination] = the last number given, counting on for ever; a reference
 *   is its low 8 or 16 bits
 *
 *   floor(t) = t · range / (2 · reassembly time)    numbers are given in [floor, floor + range/2)
 *
 * Two equal references are a whole range of numbers apart. Numbers run ahead of the clock by half a
 * range at most, so the clock has moved on by the other half of it, which takes the reassembly
 * time. Within any such time half the range is available, all of it at once if need be. Addresses
 * that share a word share its numbers, which only makes them run out sooner. References of 16 bits
 * begin at 256, since some phones do not tell a short one from one of 8 bits; none is 0, which
 * stands for a message that has none.
 *
 * Memory is the words, whoever asks. Threads may share them: a number is taken by compare-and-
 * exchange. The clock is the wall's, since what was given before a restart counts too: the words
 * then start RESTART_AHEAD numbers ahead, so that nothing repeats that did not run further ahead.
 */

/** Every number of the range was used within the reassembly time: use 16 bits, or wait. */
export const REFERENCES_EXHAUSTED = -1;

/** Numbers that a start skips, as a part of the range. */
const RESTART_AHEAD_PARTS = 8;
/** A message has no reference: it has one part, or none of its parts was sent yet. */
export const NO_REFERENCE = 0;
/** How many references 8 bits hold. */
const NARROW_RANGE = 256;
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;
/** Stands between the addresses, so that "1","23" and "12","3" differ. */
const HASH_SEPARATOR = 0x1f;

export class ConcatReferences {
  readonly #words: Int32Array;
  readonly #range: number;
  readonly #aheadMax: number;
  readonly #lowest: number;
  readonly #perMs: number;

  /**
   * `bits` is 8 or 16; `words` one or a power of two of words, shared or not; `reassemblyMs` how
   * long a handset keeps parts.
   */
  constructor(bits: 8 | 16, words: Int32Array, reassemblyMs: number) {
    this.#words = words;
    this.#range = 1 << bits;
    this.#aheadMax = this.#range / 2;
    this.#lowest = bits === 16 ? NARROW_RANGE : NO_REFERENCE + 1;
    this.#perMs = this.#range / (2 * reassemblyMs);
  }

  /** Prepares all words, once at the start of whatever shares them. */
  reset(wallMs: number): void {
    this.#words.fill(this.#floor(wallMs) + this.#range / RESTART_AHEAD_PARTS);
  }

  /** Whether `take` would find no number now; takes none. */
  isExhausted(hash: number, wallMs: number): boolean {
    const floor = this.#floor(wallMs);
    return this.#next(this.#words[this.#slotOf(hash)]!, floor) - floor >= this.#aheadMax;
  }

  /** The next reference towards the addresses with this `hash`, or REFERENCES_EXHAUSTED. */
  take(hash: number, wallMs: number): number {
    const words = this.#words;
    const slot = this.#slotOf(hash);
    const floor = this.#floor(wallMs);
    for (;;) {
      const seen = Atomics.load(words, slot);
      const next = this.#next(seen, floor);
      if (next - floor >= this.#aheadMax) return REFERENCES_EXHAUSTED;
      if (Atomics.compareExchange(words, slot, seen, next | 0) === seen) {
        return next & (this.#range - 1);
      }
    }
  }

  /**
   * The number after `seen`, and none of the past; differences are good over the wrap at 2^32. What
   * no clock can have given (a word never reset) counts as past.
   */
  #next(seen: number, floor: number): number {
    const ahead = (seen - floor) | 0;
    const next = ahead < 0 || ahead > this.#aheadMax ? floor : floor + ahead + 1;
    const missing = this.#lowest - (next & (this.#range - 1));
    return missing > 0 ? next + missing : next;
  }

  #floor(wallMs: number): number {
    return Math.floor(wallMs * this.#perMs) | 0;
  }

  #slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.#words.length - 1);
  }
}

/**
 * The hash of who writes to whom: `source` from `sourceStart` on, `destination` from
 * `destinationStart` on. The way between them does not count: the handset does not see it.
 */
export function hashAddresses(
  source: string,
  sourceStart: number,
  destination: string,
  destinationStart: number,
): number {
  const hash = foldText(HASH_START, source, sourceStart);
  return foldText(Math.imul(hash ^ HASH_SEPARATOR, HASH_PRIME), destination, destinationStart);
}

/** The same of ASCII addresses in `bytes`: a source [start, end) and a destination. */
export function hashAddressBytes(
  bytes: Uint8Array,
  source: number,
  sourceEnd: number,
  destination: number,
  destinationEnd: number,
): number {
  const hash = foldBytes(HASH_START, bytes, source, sourceEnd);
  const between = Math.imul(hash ^ HASH_SEPARATOR, HASH_PRIME);
  return foldBytes(between, bytes, destination, destinationEnd);
}

function foldBytes(hash: number, bytes: Uint8Array, start: number, end: number): number {
  let h = hash;
  for (let i = start; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), HASH_PRIME);
  return h;
}

/** FNV-1a over the characters of `text` from `start` on. */
function foldText(hash: number, text: string, start: number): number {
  let h = hash;
  for (let i = start; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), HASH_PRIME);
  return h;
}
