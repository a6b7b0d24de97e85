/**
 * Result files as other commands read them: what each run came to, as named figures.
 *
 *   throughput   one entry a run: messages/s and CPU per contender, and the ratios within the run
 *   latency      one entry a run: percentiles, and their multiples of the disk's p50
 *   figures      named measures of any other bench, a value a run
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { LoadSettings } from "./contenders/contender.ts";
import type { Origin } from "./machine.ts";
import type { LatencyRun } from "./latency-run.ts";
import type { Figures } from "./turn.ts";

export interface ThroughputResult {
  readonly kind: "throughput";
  readonly origin: Origin;
  readonly settings: LoadSettings;
  readonly runs: readonly (readonly Figures[])[];
}

export interface LatencyResult {
  readonly kind: "latency";
  readonly origin: Origin;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly runs: readonly LatencyRun[];
}

export interface FiguresResult {
  readonly kind: "figures";
  readonly bench: string;
  readonly origin: Origin;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly runs: readonly unknown[];
  readonly measures: readonly Measure[];
}

export type Result = ThroughputResult | LatencyResult | FiguresResult;

/** One measure of every run; `better` says which way. */
export interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  readonly values: readonly number[];
}

const KINDS: readonly string[] = ["throughput", "latency", "figures"];

/** Reads a result file; throws if it is none. */
export function readResult(path: string): Result {
  const result = JSON.parse(readFileSync(path, "utf8")) as Partial<Result>;
  if (!KINDS.includes(result.kind ?? "")) throw new Error(`${path} is no result of a bench`);
  if (result.origin === undefined || !Array.isArray(result.runs) || result.runs.length === 0) {
    throw new Error(`${path} has no runs`);
  }
  return result as Result;
}

/** The measures of a result, each with one value a run. */
export function measuresOf(result: Result): readonly Measure[] {
  switch (result.kind) {
    case "throughput":
      return throughputMeasures(result);
    case "latency":
      return latencyMeasures(result);
    case "figures":
      return result.measures;
  }
}

/**
 * Writes the measures of a bench, with its flags as settings but for `json`; `runs` may hold what
 * else each run came to.
 */
export function writeFigures(
  path: string,
  bench: string,
  origin: Origin,
  settings: Readonly<Record<string, unknown>>,
  measures: readonly Measure[],
  runs: readonly unknown[] = [],
): void {
  const count = measures[0]?.values.length ?? 0;
  const { json: _, ...what } = settings;
  const result: FiguresResult = {
    kind: "figures",
    bench,
    origin,
    settings: what,
    runs: runs.length > 0 ? runs : Array.from({ length: count }, () => null),
    measures,
  };
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
}

/** Names of the contenders, the gateway first. */
export function contendersOf({ runs }: ThroughputResult): readonly string[] {
  const names = runs[0]?.map(({ contender }) => contender) ?? [];
  return ["gateway", ...names.filter((name) => name !== "gateway").sort()];
}

/** One contender's figures, a run each. */
export function figuresOf({ runs }: ThroughputResult, contender: string): readonly Figures[] {
  return runs.flatMap((run) => run.filter((figures) => figures.contender === contender));
}

function throughputMeasures(result: ThroughputResult): readonly Measure[] {
  const own = figuresOf(result, "gateway");
  const measures: Measure[] = [
    lower("accept p50", "ms", own, ({ wrk }) => wrk.p50_us / 1000),
    lower("accept p99", "ms", own, ({ wrk }) => wrk.p99_us / 1000),
    lower("memory", "MiB", own, (figures) => figures.residentBytes / 2 ** 20),
  ];
  for (const name of contendersOf(result)) {
    const theirs = figuresOf(result, name);
    if (name === "gateway") {
      const values = own.map(({ messagesPerS }) => messagesPerS);
      measures.push({ name: "throughput", unit: "/s", better: "higher", values });
      measures.push(lower("CPU a message", "µs", own, (figures) => figures.cpuUsPerMessage));
      continue;
    }
    const ratios = (pick: (figures: Figures) => number): number[] =>
      own.map((figures, run) => pick(figures) / pick(theirs[run] as Figures));
    measures.push({
      name: `throughput ÷ ${name}`,
      unit: "",
      better: "higher",
      values: ratios(({ messagesPerS }) => messagesPerS),
    });
    measures.push({
      name: `CPU ÷ ${name}`,
      unit: "",
      better: "lower",
      values: ratios(({ cpuUsPerMessage }) => cpuUsPerMessage),
    });
  }
  return measures;
}

function latencyMeasures({ runs }: LatencyResult): readonly Measure[] {
  return [
    lower("accept p50", "ms", runs, ({ openLoop }) => openLoop.accepted.p50 / 1000),
    lower("accept p99", "ms", runs, ({ openLoop }) => openLoop.accepted.p99 / 1000),
    lower("accept p99.9", "ms", runs, ({ openLoop }) => openLoop.accepted.p999 / 1000),
    lower("accept → submit_sm p99", "ms", runs, ({ submitMs }) => submitMs.p99),
    lower("accept → submit_sm_resp p99", "ms", runs, ({ stages }) => stages.answeredMs.p99),
    lower("accept → final p99", "ms", runs, ({ stages }) => stages.finalMs.p99),
    lower(
      "accept p99 ÷ disk p50",
      "",
      runs,
      ({ openLoop, diskP50Ms }) => openLoop.accepted.p99 / 1000 / diskP50Ms,
    ),
    lower(
      "accept p99.9 ÷ disk p50",
      "",
      runs,
      ({ openLoop, diskP50Ms }) => openLoop.accepted.p999 / 1000 / diskP50Ms,
    ),
    lower(
      "accept → submit_sm p99 ÷ disk p50",
      "",
      runs,
      ({ submitMs, diskP50Ms }) => submitMs.p99 / diskP50Ms,
    ),
  ];
}

function lower<T>(
  name: string,
  unit: string,
  runs: readonly T[],
  pick: (run: T) => number,
): Measure {
  return { name, unit, better: "lower", values: runs.map(pick) };
}
