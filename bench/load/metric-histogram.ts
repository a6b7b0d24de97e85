/** Percentiles from the gateway's own histograms, as /metrics shows them. */

/** Counts at or below each bound, in milliseconds; the last bound is Infinity. */
export type Buckets = ReadonlyMap<number, number>;

export function readBuckets(metrics: string, name: string): Buckets {
  const lines = metrics.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, "gm"));
  return new Map(
    [...lines].map(([, bound, count]) => [
      bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
      Number(count),
    ]),
  );
}

/**
 * The smallest bound below which `p` percent of what came between `before` and `after` lie: never
 * less than the true percentile, and at most 41 % more.
 */
export function percentileBetween(before: Buckets, after: Buckets, p: number): number {
  const since = (bound: number): number => (after.get(bound) ?? 0) - (before.get(bound) ?? 0);
  const total = since(Number.POSITIVE_INFINITY);
  for (const bound of [...after.keys()].sort((a, b) => a - b)) {
    if (since(bound) >= (total * p) / 100) return bound;
  }
  return Number.NaN;
}
