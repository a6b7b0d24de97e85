/** Statistics of a handful of runs. */

/** Middle value; the mean of both middle ones if their number is even. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value below which `p` percent of `values` lie (nearest rank). */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** How much one set of runs differs from another, as a share of the first. */
export interface Difference {
  /** Of the medians. */
  readonly share: number;
  /** 95 % confidence interval of it. */
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 5000;

/**
 * Difference of the medians of `after` and `before`, with a percentile bootstrap interval (Efron
 * 1979). Of few runs the interval is wide, as it should be. `random` draws from [0, 1).
 */
export function differenceOf(
  before: readonly number[],
  after: readonly number[],
  random: () => number,
): Difference {
  const resample = (values: readonly number[]): number[] =>
    values.map(() => values[Math.floor(random() * values.length)] as number);
  const shares = Array.from(
    { length: RESAMPLES },
    () => median(resample(after)) / median(resample(before)) - 1,
  );
  return {
    share: median(after) / median(before) - 1,
    low: percentile(shares, 2.5),
    high: percentile(shares, 97.5),
  };
}
