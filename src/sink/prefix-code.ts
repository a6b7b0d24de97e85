/**
 * A prefix code of deflate (RFC 1951, 3.2.2): from the weights of symbols to the bits of each.
 *
 * Huffman's code, made anew from halved weights as long as a symbol's is longer than allowed. Any
 * thread.
 */

export class PrefixCode {
  /** Bits of each symbol's code; 0: it has none. */
  readonly lengths: Uint8Array;
  /** The codes, their first bit lowest, as deflate has them in its bytes. */
  readonly codes: Uint16Array;

  /** Of symbols with these weights, at least two of which are not 0; no code has more bits. */
  constructor(weights: Uint32Array, bitsMax: number) {
    this.lengths = new Uint8Array(weights.length);
    this.codes = new Uint16Array(weights.length);
    const symbols = [...weights.keys()].filter((symbol) => weights[symbol] !== 0);
    symbols.sort((a, b) => (weights[a] as number) - (weights[b] as number) || a - b);
    let leaves = symbols.map((symbol) => weights[symbol] as number);
    let depths = depthsOf(leaves);
    while (Math.max(...depths) > bitsMax) {
      leaves = leaves.map((weight) => (weight >>> 1) | 1);
      depths = depthsOf(leaves);
    }
    for (const [i, symbol] of symbols.entries()) this.lengths[symbol] = depths[i] as number;
    this.#assign(bitsMax);
  }

  /** Canonical codes of the lengths: shorter ones first, equal ones by symbol. */
  #assign(bitsMax: number): void {
    let code = 0;
    for (let bits = 1; bits <= bitsMax; bits++) {
      code <<= 1;
      for (const [symbol, length] of this.lengths.entries()) {
        if (length === bits) this.codes[symbol] = reversed(code++, bits);
      }
    }
  }
}

/** How deep each leaf lies, if always the two lightest nodes are joined; weights come in order. */
function depthsOf(leaves: readonly number[]): number[] {
  const count = leaves.length;
  // Leaves, then inner nodes as they are made: those come in order, too.
  const weights = [...leaves];
  const parents: number[] = [];
  let leaf = 0;
  let inner = count;
  const root = 2 * count - 2;
  while (weights.length <= root) {
    let sum = 0;
    for (let i = 0; i < 2; i++) {
      const isLeafLighter =
        inner === weights.length || (weights[leaf] as number) <= (weights[inner] as number);
      const taken = leaf < count && isLeafLighter ? leaf++ : inner++;
      parents[taken] = weights.length;
      sum += weights[taken] as number;
    }
    weights.push(sum);
  }
  const depths: number[] = [];
  depths[root] = 0;
  for (let i = root - 1; i >= 0; i--) depths[i] = (depths[parents[i] as number] as number) + 1;
  return depths.slice(0, count);
}

function reversed(code: number, bits: number): number {
  let turned = 0;
  for (let i = 0; i < bits; i++) turned |= ((code >>> i) & 1) << (bits - 1 - i);
  return turned;
}
