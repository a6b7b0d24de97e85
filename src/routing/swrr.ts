/**
 * Smooth weighted round-robin over a small set whose weights and availability change at any time.
 *
 * Each pick adds every available candidate's weight to its credit, takes the one with most credit
 * and charges it the sum: over any stretch each candidate is picked in proportion to its weight,
 * evenly interleaved. A candidate that is not available neither earns nor pays. One thread per
 * instance; no allocation after construction. Source: nginx's upstream balancer, "smooth weighted
 * round-robin" (2012).
 */
export class SmoothWeightedRoundRobin {
  readonly #credit: Float64Array;

  constructor(count: number) {
    this.#credit = new Float64Array(count);
  }

  /** Index of the next candidate by `weights` (0 = not available), or -1 if none is available. */
  pick(weights: ArrayLike<number>): number {
    const credit = this.#credit;
    let best = -1;
    let sum = 0;
    for (let i = 0; i < credit.length; i++) {
      const weight = weights[i] as number;
      if (weight <= 0) continue;
      sum += weight;
      credit[i] = (credit[i] as number) + weight;
      if (best < 0 || (credit[i] as number) > (credit[best] as number)) best = i;
    }
    if (best >= 0) credit[best] = (credit[best] as number) - sum;
    return best;
  }
  /** Charges a candidate as if `pick` had taken it `count` more times by the same weights. */
  charge(weights: ArrayLike<number>, index: number, count: number): void {
    const credit = this.#credit;
    let sum = 0;
    for (let i = 0; i < credit.length; i++) {
      const weight = weights[i] as number;
      if (weight <= 0) continue;
      sum += weight;
      credit[i] = (credit[i] as number) + count * weight;
    }
    credit[index] = (credit[index] as number) - count * sum;
  }
}
