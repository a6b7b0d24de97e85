/** One line of a micro bench: what an operation costs, beside a reference of the same run. */
import { measure } from "mitata";

export interface MicroRow {
  readonly what: string;
  /** Nanoseconds an operation, the median. */
  readonly ns: number;
  readonly reference: string;
  readonly referenceNs: number;
}

/** How long each function is measured, in nanoseconds of CPU. */
export interface MicroSpan {
  readonly cpuNs: number;
}

const TRIAL_NS = 50e6;

/** Median nanoseconds of one of the `count` operations that a call of `run` makes. */
export async function nsOf(
  run: () => unknown,
  count: number,
  { cpuNs }: MicroSpan,
): Promise<number> {
  // A trial, where figures do not matter, calls fast functions less often, too.
  const size = cpuNs < TRIAL_NS ? { batch_samples: 8 } : {};
  const span = { min_cpu_time: cpuNs, gc: false, inner_gc: false } as const;
  const stats = await measure(run, { ...span, ...size });
  return stats.p50 / count;
}

/** The rows as a table of Markdown. */
export function microTable(rows: readonly MicroRow[]): string {
  const time = (ns: number): string =>
    ns < 10_000 ? `${ns.toFixed(1)} ns` : `${(ns / 1000).toFixed(0)} µs`;
  return [
    "| operation | time | reference | its time | ÷ reference |",
    "|---|---|---|---|---|",
    ...rows.map(
      ({ what, ns, reference, referenceNs }) =>
        `| ${what} | ${time(ns)} | ${reference} | ${time(referenceNs)} | ` +
        `${(ns / referenceNs).toFixed(2)} |`,
    ),
  ].join("\n");
}
