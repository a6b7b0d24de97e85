/**
 * Metrics as text for Prometheus (exposition format 0.0.4): counters and histograms of all threads
 * together, and gauges that the caller has read.
 *
 * Histograms show two of the four buckets per power of two, from 16 µs to a minute; what is slower
 * counts in +Inf.
 */
import { bucketBoundMs, BUCKETS, Counter, Histogram, type MetricBlock } from "./block.ts";
import {
  COUNTERS,
  type CounterName,
  GAUGES,
  type GaugeName,
  type GaugeRow,
  HISTOGRAMS,
  type HistogramName,
  WAITS,
} from "./table.ts";

export const PROMETHEUS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const PREFIX = "smsgw_";
const FIRST_BUCKET = 17;
const LAST_BUCKET = 103;
const BUCKET_STEP = 2;

/** One value of a gauge, with its labels in the order of the table. */
export interface GaugeSample {
  readonly name: GaugeName;
  readonly labels: readonly (string | number)[];
  readonly value: number;
}

/** The counts of a histogram with labels, in the order of WAITS. */
export interface HistogramSample {
  readonly labels: readonly (string | number)[];
  /** By bucket, not summed up; the last bucket has no bound. */
  readonly counts: readonly number[];
  readonly boundMs: (bucket: number) => number;
}

/** Sum of one counter over all threads. */
export function counterTotal(blocks: readonly MetricBlock[], name: CounterName): number {
  return total(blocks, Counter[name]);
}

/** The whole page. Samples of one gauge need not stand together. */
export function prometheusText(
  blocks: readonly MetricBlock[],
  samples: readonly GaugeSample[],
  waits: readonly HistogramSample[],
): string {
  const lines: string[] = [];
  for (const name of Object.keys(COUNTERS) as CounterName[]) {
    writeHead(lines, COUNTERS[name].name, COUNTERS[name].help, "counter");
    lines.push(`${PREFIX}${COUNTERS[name].name} ${counterTotal(blocks, name)}`);
  }
  for (const name of Object.keys(HISTOGRAMS) as HistogramName[])
    writeHistogram(lines, blocks, name);
  if (waits.length > 0) writeWaits(lines, waits);
  for (const name of Object.keys(GAUGES) as GaugeName[]) {
    const own = samples.filter((sample) => sample.name === name);
    if (own.length > 0) writeGauge(lines, GAUGES[name], own);
  }
  lines.push("");
  return lines.join("\n");
}

function writeHead(lines: string[], name: string, help: string, type: string): void {
  lines.push(`# HELP ${PREFIX}${name} ${escapeHelp(help)}`, `# TYPE ${PREFIX}${name} ${type}`);
}

function writeHistogram(
  lines: string[],
  blocks: readonly MetricBlock[],
  histogram: HistogramName,
): void {
  const { name, help } = HISTOGRAMS[histogram];
  const first = Histogram[histogram];
  writeHead(lines, name, help, "histogram");
  let count = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    count += total(blocks, first + bucket);
    if (bucket < FIRST_BUCKET || bucket > LAST_BUCKET) continue;
    if ((bucket - FIRST_BUCKET) % BUCKET_STEP !== 0) continue;
    lines.push(`${PREFIX}${name}_bucket{le="${bucketBoundMs(bucket)}"} ${count}`);
  }
  lines.push(`${PREFIX}${name}_bucket{le="+Inf"} ${count}`);
  lines.push(`${PREFIX}${name}_sum ${total(blocks, first + BUCKETS)}`);
  lines.push(`${PREFIX}${name}_count ${count}`);
}

function writeWaits(lines: string[], waits: readonly HistogramSample[]): void {
  const { name, help } = WAITS;
  writeHead(lines, name, help, "histogram");
  for (const { labels, counts, boundMs } of waits) {
    const pairs = labelPairs(WAITS.labels, labels);
    let count = 0;
    for (const [bucket, own] of counts.entries()) {
      count += own;
      const bound = boundMs(bucket);
      const le = bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound);
      lines.push(`${PREFIX}${name}_bucket{${pairs},le="${le}"} ${count}`);
    }
    lines.push(`${PREFIX}${name}_count{${pairs}} ${count}`);
  }
}

function labelPairs(names: readonly string[], values: readonly (string | number)[]): string {
  return names.map((label, i) => `${label}="${escapeLabel(String(values[i]))}"`).join(",");
}

function writeGauge(lines: string[], row: GaugeRow, samples: readonly GaugeSample[]): void {
  writeHead(lines, row.name, row.help, row.name.endsWith("_total") ? "counter" : "gauge");
  for (const { labels, value } of samples) {
    const pairs = labelPairs(row.labels, labels);
    const braces = pairs === "" ? "" : `{${pairs}}`;
    lines.push(`${PREFIX}${row.name}${braces} ${value}`);
  }
}

function total(blocks: readonly MetricBlock[], cell: number): number {
  let sum = 0;
  for (const block of blocks) sum += block.read(cell);
  return sum;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
