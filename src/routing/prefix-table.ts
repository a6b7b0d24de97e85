/**
 * Longest prefix of a destination number → pool, as a trie over digits in one array.
 *
 *   node n   cells[11 n … 11 n + 9]   node behind each digit, 0 = none (none leads to the root)
 *            cells[11 n + 10]         pool index of the prefix that ends here, -1 = none
 *
 * Built once, then read only; any thread may look up in its own copy.
 */
import type { DerivedRoute } from "../config/derive.ts";

/** No prefix matches. */
export const NO_ROUTE = -1;
const CELLS_PER_NODE = 11;
const POOL = 10;
const ZERO = 0x30;

export class PrefixTable {
  /** Digits of the prefix that `find` went by last. */
  foundLength = 0;
  readonly #cells: Int32Array;

  /** Later routes with the same prefix do not count: the configuration refuses them. */
  constructor(routes: readonly DerivedRoute[]) {
    const nodesMax = routes.reduce((sum, route) => sum + route.prefix.length, 1);
    const cells = new Int32Array(nodesMax * CELLS_PER_NODE);
    let nodes = 1;
    cells[POOL] = NO_ROUTE;
    for (const { prefix, poolIndex } of routes) {
      let node = 0;
      for (let i = 0; i < prefix.length; i++) {
        const digit = prefix.charCodeAt(i) - ZERO;
        if (digit < 0 || digit > 9) throw new RangeError(`prefix ${prefix} is not digits`);
        const cell = node * CELLS_PER_NODE + digit;
        if (cells[cell] === 0) {
          cells[nodes * CELLS_PER_NODE + POOL] = NO_ROUTE;
          cells[cell] = nodes++;
        }
        node = cells[cell] as number;
      }
      if (cells[node * CELLS_PER_NODE + POOL] === NO_ROUTE) {
        cells[node * CELLS_PER_NODE + POOL] = poolIndex;
      }
    }
    this.#cells = cells.slice(0, nodes * CELLS_PER_NODE);
  }

  /**
   * Pool index for the digits of `number` from `start` on, or NO_ROUTE. Stops at the first
   * non-digit.
   */
  find(number: string, start: number): number {
    const cells = this.#cells;
    let node = 0;
    let pool = cells[POOL] as number;
    this.foundLength = 0;
    for (let i = start; i < number.length; i++) {
      const digit = number.charCodeAt(i) - ZERO;
      if (digit < 0 || digit > 9) break;
      node = cells[node * CELLS_PER_NODE + digit] as number;
      if (node === 0) break;
      const here = cells[node * CELLS_PER_NODE + POOL] as number;
      if (here === NO_ROUTE) continue;
      pool = here;
      this.foundLength = i + 1 - start;
    }
    return pool;
  }
}
