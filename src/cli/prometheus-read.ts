/**
 * Reads the Prometheus text of our own admin port back into numbers. Pure.
 */

/** Value by labels as they stand between the braces; "" for none. */
export type MetricSamples = ReadonlyMap<string, ReadonlyMap<string, number>>;

export function readPrometheus(text: string): MetricSamples {
  const samples = new Map<string, Map<string, number>>();
  for (const line of text.split("\n")) {
    const match = /^smsgw_([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) continue;
    const [, name = "", labels = "", value] = match;
    let byLabels = samples.get(name);
    if (byLabels === undefined) {
      byLabels = new Map();
      samples.set(name, byLabels);
    }
    byLabels.set(labels, Number(value));
  }
  return samples;
}

/** Sum over all labels; 0 if there is no such metric. */
export function sumOf(samples: MetricSamples, name: string): number {
  let sum = 0;
  for (const value of samples.get(name)?.values() ?? []) sum += value;
  return sum;
}

/** Values by one label's value. */
export function byLabel(samples: MetricSamples, name: string, label: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [labels, value] of samples.get(name) ?? []) {
    const key = new RegExp(`(?:^|,)${label}="([^"]*)"`).exec(labels)?.[1];
    if (key !== undefined) found.set(key, (found.get(key) ?? 0) + value);
  }
  return found;
}

/**
 * Upper bound, in milliseconds, of the bucket that holds the `p`th percent of what a histogram
 * counted between two looks; null if it counted nothing. With `labels`, as they stand before `le`,
 * only of that part of the histogram.
 */
export function percentileSince(
  before: MetricSamples,
  after: MetricSamples,
  name: string,
  p: number,
  labels = "",
): number | null {
  const then = bucketsOf(before, name, labels);
  const counts = [...bucketsOf(after, name, labels)].map(([bound, count]) => ({
    bound: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
    count: count - (then.get(bound) ?? 0),
  }));
  const total = Math.max(0, ...counts.map(({ count }) => count));
  if (total === 0) return null;
  const reached = counts.filter(({ count }) => count >= (total * p) / 100);
  return Math.min(...reached.map(({ bound }) => bound));
}

function bucketsOf(samples: MetricSamples, name: string, labels: string): Map<string, number> {
  const all = samples.get(`${name}_bucket`) ?? new Map<string, number>();
  const own = new Map([...all].filter(([key]) => key.startsWith(labels)));
  return byLabel(new Map([[name, own]]), name, "le");
}
