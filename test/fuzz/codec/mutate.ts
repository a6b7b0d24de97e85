/**
 * A seeded mutator of PDUs: bits, octets, lengths, TLVs, cuts and splices.
 *
 * It writes into one buffer and never allocates, so that millions of mutants cost little.
 */
import { encodePdu } from "../../../src/codec/index.ts";
import { createRandom, type Random, randomPdu } from "../../unit/codec/support/random-pdu.ts";
import { hex, VECTORS } from "../../unit/codec/support/vectors.ts";

/** Sound PDUs to start from: all vectors, and random ones of every command. */
export function createSeeds(seed: number, count: number): Uint8Array[] {
  const random = createRandom(seed);
  const out = new Uint8Array(8192);
  const seeds: Uint8Array[] = Object.values(VECTORS).map(hex);
  while (seeds.length < count) {
    const length = encodePdu(out, 0, randomPdu(random));
    if (length > 0) seeds.push(out.slice(0, length));
  }
  return seeds;
}

/** Lengths and flags that decoders stumble over. */
const EDGE_OCTETS = [0, 1, 2, 3, 0x0f, 0x10, 0x40, 0x7f, 0x80, 0xfe, 0xff];

export class Mutator {
  /** The mutant stands in octets [0, length). */
  readonly octets: Uint8Array;
  length = 0;
  readonly #random: Random;
  readonly #seeds: readonly Uint8Array[];

  constructor(random: Random, seeds: readonly Uint8Array[], lengthMax: number) {
    this.#random = random;
    this.#seeds = seeds;
    this.octets = new Uint8Array(lengthMax);
  }

  /**
   * Makes the next mutant: a seed with one to six changes. command_length follows four times in
   * five.
   */
  next(): void {
    const random = this.#random;
    const seed = this.#seeds[random(this.#seeds.length)]!;
    this.length = Math.min(seed.length, this.octets.length);
    for (let i = 0; i < this.length; i++) this.octets[i] = seed[i]!;
    for (let changes = 1 + random(6); changes > 0; changes--) this.#change();
    if (this.length >= 4 && random(5) > 0) this.#writeLength();
  }

  #writeLength(): void {
    this.octets[0] = this.octets[1] = 0;
    this.octets[2] = this.length >>> 8;
    this.octets[3] = this.length;
  }

  #change(): void {
    const random = this.#random;
    if (this.length === 0) return;
    const at = random(this.length);
    switch (random(8)) {
      case 0:
        this.octets[at]! ^= 1 << random(8);
        break;
      case 1:
        this.octets[at] = random(256);
        break;
      case 2:
        this.octets[at] = EDGE_OCTETS[random(EDGE_OCTETS.length)]!;
        break;
      case 3:
        this.length = at;
        break;
      case 4:
        this.#append(random(40));
        break;
      case 5:
        this.#splice(at);
        break;
      case 6:
        this.#removeOctets(at, 1 + random(8));
        break;
      default:
        this.#addTlv();
    }
  }

  #append(count: number): void {
    for (let i = 0; i < count && this.length < this.octets.length; i++) {
      this.octets[this.length++] = this.#random(256);
    }
  }

  /** Overwrites from `at` with a piece of another seed. */
  #splice(at: number): void {
    const other = this.#seeds[this.#random(this.#seeds.length)]!;
    const from = this.#random(other.length);
    const count = Math.min(this.#random(64), other.length - from, this.octets.length - at);
    for (let i = 0; i < count; i++) this.octets[at + i] = other[from + i]!;
    this.length = Math.max(this.length, at + count);
  }

  #removeOctets(at: number, count: number): void {
    const end = Math.min(at + count, this.length);
    this.octets.copyWithin(at, end, this.length);
    this.length -= end - at;
  }

  /** Appends a TLV whose length is right, or off by a little, or absurd. */
  #addTlv(): void {
    const random = this.#random;
    if (this.length + 8 > this.octets.length) return;
    const length = [0, 1, 2, 4, 0xffff, 0x0100, random(65_536)][random(7)]!;
    this.octets[this.length++] = random(3) === 0 ? 0x14 : [0, 2, 4][random(3)]!;
    this.octets[this.length++] = random(64);
    this.octets[this.length++] = length >>> 8;
    this.octets[this.length++] = length;
    this.#append(random(2) === 0 ? Math.min(length, 16) : random(6));
  }
}
