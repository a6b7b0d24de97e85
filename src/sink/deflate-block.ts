/**
 * A block of deflate (RFC 1951) of literals and copies that are told by who made the bytes.
 *
 *   0 10 HLIT HDIST HCLEN, lengths of the codes   not the last; it has codes of its own
 *   symbols … end
 *   0 00, zeros up to a byte, 00 00 FF FF          nothing, stored: the next block begins at a byte
 *
 * Finding copies is what compression spends its time on; lines made from the last ones are known to
 * be copies. The codes are the same for all blocks: for digits, which is what lines differ in, and
 * copies of any length from one or two lines back. Any thread.
 */
import { Buffer } from "node:buffer";
import { PrefixCode } from "./prefix-code.ts";

/** Of literals, the end and lengths; of distances; of the lengths of both codes. */
const SYMBOL_COUNT = 286;
const DISTANCE_COUNT = 30;
const LENGTH_COUNT = 19;
const CODE_BITS_MAX = 15;
const LENGTH_BITS_MAX = 7;
/** In which the lengths of the lengths' codes stand. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
const END = 256;
const COPY_BYTES_MAX = 258;
/** Shorter ones cost as much as their bytes. */
const COPY_BYTES_MIN = 4;
const DISTANCE_MAX = 32 * 1024;
/** Symbols that are told before they are written. */
const TOLD_MAX = 4096;

const SYMBOLS = new PrefixCode(symbolWeights(), CODE_BITS_MAX);
const DISTANCES = new PrefixCode(distanceWeights(), CODE_BITS_MAX);

/** Of a message's symbols a third are digits of numbers, times and keys, a third copies. */
function symbolWeights(): Uint32Array {
  const weights = new Uint32Array(SYMBOL_COUNT).fill(1);
  for (const letter of 'abcdefghijklmnopqrstuvwxyz",:-') weights[letter.charCodeAt(0)] = 4;
  for (const letter of "23456789") weights[letter.charCodeAt(0)] = 64;
  for (const letter of "01") weights[letter.charCodeAt(0)] = 112;
  for (const letter of "abcdef") weights[letter.charCodeAt(0)] = 24;
  weights.fill(32, END + 1);
  weights[SYMBOL_COUNT - 1] = 64;
  return weights;
}

/** Lines have some hundred bytes: they are copied from one or two of them back. */
function distanceWeights(): Uint32Array {
  const weights = new Uint32Array(DISTANCE_COUNT).fill(1);
  for (let distance = 512; distance <= 2048; distance += 256) {
    const symbol = distanceSymbol(distance);
    weights[symbol] = (weights[symbol] as number) + 64;
  }
  return weights;
}

function distanceSymbol(distance: number): number {
  const over = distance - 1;
  if (over < 4) return over;
  const bits = 30 - Math.clz32(over);
  return 2 * bits + (over >>> bits);
}

/** Bits, the lowest first, and above them how many: at most 16. */
function packBits(value: number, bits: number): number {
  return value | (bits << 16);
}

const BYTES = Uint32Array.from({ length: END + 1 }, (_, symbol) =>
  packBits(SYMBOLS.codes[symbol] as number, SYMBOLS.lengths[symbol] as number),
);
/** By length. */
const COPIES = Uint32Array.from({ length: COPY_BYTES_MAX + 1 }, (_, length) => {
  if (length < 3) return 0;
  const over = length - 3;
  const isMost = length === COPY_BYTES_MAX;
  const extraBits = isMost || over < 8 ? 0 : 29 - Math.clz32(over);
  const symbol = isMost ? SYMBOL_COUNT - 1 : END + 1 + 4 * extraBits + (over >>> extraBits);
  const extra = isMost ? 0 : over & ((1 << extraBits) - 1);
  const bits = SYMBOLS.lengths[symbol] as number;
  return packBits((SYMBOLS.codes[symbol] as number) | (extra << bits), bits + extraBits);
});

const HEADER = Uint32Array.from(headerOf());

/** What a block begins with. The lengths stand one by one: symbols for runs would save little. */
function headerOf(): number[] {
  const all = [...SYMBOLS.lengths, ...DISTANCES.lengths];
  const weights = new Uint32Array(LENGTH_COUNT);
  for (const length of all) weights[length] = (weights[length] as number) + 1;
  const { codes, lengths } = new PrefixCode(weights, LENGTH_BITS_MAX);
  return [
    packBits(0b100, 3),
    packBits(SYMBOL_COUNT - 257, 5),
    packBits(DISTANCE_COUNT - 1, 5),
    packBits(LENGTH_COUNT - 4, 4),
    ...LENGTH_ORDER.map((length) => packBits(lengths[length] as number, 3)),
    ...all.map((length) => packBits(codes[length] as number, lengths[length] as number)),
  ];
}

export class DeflateBlock {
  readonly #out: Buffer;
  #at = 0;
  #bits = 0;
  #bitCount = 0;
  /** Told and not in `out` yet, as packBits has it. */
  readonly #told = new Uint32Array(TOLD_MAX);
  #count = 0;

  /** For blocks that are encoded to less than `bytesMax`. */
  constructor(bytesMax: number) {
    this.#out = Buffer.allocUnsafeSlow(bytesMax);
    this.begin();
  }

  /** Begins a block; what was told of another is gone. */
  begin(): void {
    this.#at = 0;
    this.#bits = 0;
    this.#bitCount = 0;
    this.#told.set(HEADER);
    this.#count = HEADER.length;
  }

  literals(bytes: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      if (this.#count === TOLD_MAX) this.#write();
      this.#told[this.#count++] = BYTES[bytes[i] as number] as number;
    }
  }

  /** Bytes [start, end), which are the same as those `back` before them. */
  copy(bytes: Uint8Array, start: number, end: number, back: number): void {
    let at = start;
    if (back <= DISTANCE_MAX) {
      const symbol = distanceSymbol(back);
      const bits = symbol < 4 ? 0 : (symbol >>> 1) - 1;
      const code = packBits(DISTANCES.codes[symbol] as number, DISTANCES.lengths[symbol] as number);
      const rest = packBits((back - 1) & ((1 << bits) - 1), bits);
      while (end - at >= COPY_BYTES_MIN) {
        const length = Math.min(end - at, COPY_BYTES_MAX);
        if (this.#count > TOLD_MAX - 3) this.#write();
        this.#told[this.#count] = COPIES[length] as number;
        this.#told[this.#count + 1] = code;
        this.#told[this.#count + 2] = rest;
        this.#count += 3;
        at += length;
      }
    }
    if (at < end) this.literals(bytes, at, end);
  }

  /**
   * What was told since `begin`, as deflate blocks that end at a byte, none the last: valid until
   * the next call. Null if that is too long.
   */
  finish(): Uint8Array | null {
    this.#write();
    this.#put(SYMBOLS.codes[END] as number, SYMBOLS.lengths[END] as number);
    this.#put(0b000, 3);
    this.#write();
    this.#put(0, -this.#bitCount & 7);
    this.#put(0, 16);
    this.#put(0xffff, 16);
    this.#write();
    // Less than 16 bits are kept back, and these are whole bytes.
    if (this.#bitCount > 0) this.#out[this.#at++] = this.#bits;
    // What found no room is not there, but counted.
    return this.#at > this.#out.length ? null : this.#out.subarray(0, this.#at);
  }

  #put(value: number, bits: number): void {
    this.#told[this.#count++] = packBits(value, bits);
  }

  /** Writes what was told, two bytes at a time. */
  #write(): void {
    const out = this.#out;
    const told = this.#told;
    let at = this.#at;
    let bits = this.#bits;
    let bitCount = this.#bitCount;
    for (let i = 0; i < this.#count; i++) {
      const packed = told[i] as number;
      bits |= (packed & 0xffff) << bitCount;
      bitCount += packed >>> 16;
      out[at] = bits;
      out[at + 1] = bits >>> 8;
      // 16 or 0, without a branch that nobody could foresee.
      const whole = bitCount & 16;
      at += whole >>> 3;
      bits >>>= whole;
      bitCount -= whole;
    }
    this.#at = at;
    this.#bits = bits;
    this.#bitCount = bitCount;
    this.#count = 0;
  }
}
