/**
 * The bars that the headline holds the gateway to: how each is read from the results of the benches
 * and what it has to reach. Pure.
 */
import {
  figuresOf,
  type Measure,
  measuresOf,
  type Result,
  type ThroughputResult,
} from "./results.ts";
import { median } from "./statistics.ts";

/** Results of the headline's steps by name; those that did not run are missing. */
export type StepResults = ReadonlyMap<string, Result>;

export interface Bar {
  readonly what: string;
  readonly step: string;
  /** The value must be at least, or at most, this. */
  readonly least?: number;
  readonly most?: number;
  readonly unit: string;
  /** A value of each run that counts, of which the median is held to the bar. */
  readonly read: (result: Result) => readonly number[];
}

export interface BarRow {
  readonly what: string;
  readonly step: string;
  readonly bar: string;
  /** The median over the runs. */
  readonly value: number | null;
  readonly least: number | null;
  readonly most: number | null;
  readonly unit: string;
  /** null: not measured. */
  readonly isMet: boolean | null;
  /** How it was measured; null: it was not. */
  readonly taken: BarTaken | null;
}

/** Of what a bar's value is: the median of so many runs. */
export interface BarTaken {
  readonly runs: number;
  /** Of load in each run. */
  readonly seconds: number;
  readonly at: string;
  readonly commit: string;
}

/** A measure by its name, or by a pattern of it. */
function measure(name: string | RegExp): Bar["read"] {
  const isIt = (each: Measure): boolean =>
    typeof name === "string" ? each.name === name : name.test(each.name);
  return (result) => measuresOf(result).find(isIt)?.values ?? [];
}

/** Against Kannel only those runs count in which it was at its best. */
function againstKannel(result: Result): readonly number[] {
  if (result.kind !== "throughput") return [];
  return runsOf(result).flatMap(({ own, other }) =>
    other.messagesPerS >= KANNEL_PER_S_MIN ? [own.messagesPerS / other.messagesPerS] : [],
  );
}

/** Without receipts Kannel does more; a run below that was disturbed, its ratio is void. */
export const KANNEL_PER_S_MIN = 6000;

function runsOf(result: ThroughputResult) {
  const others = figuresOf(result, "kannel");
  return figuresOf(result, "gateway").flatMap((own, run) => {
    const other = others[run];
    return other === undefined ? [] : [{ own, other }];
  });
}

const MEMORY_MB_MAX = 450;
const MB_OF_MIB = 2 ** 20 / 1e6;

function memoryMb(result: Result): readonly number[] {
  return measure("memory")(result).map((mib) => mib * MB_OF_MIB);
}

/** Figures to quote are medians of so many runs. */
export const RUNS_MIN = 5;
/** What beside a bar's own app may be felt of an overload: no more than a refusal may take. */
const UNAFFECTED_MS_MAX = 50;

/** In the order in which they are told. */
export const BARS: readonly Bar[] = [
  {
    what: "single POST, disk ÷ bare uWebSockets.js",
    step: "disk",
    least: 0.45,
    unit: "×",
    read: measure("throughput ÷ bare"),
  },
  {
    what: "single POST, process ÷ bare uWebSockets.js",
    step: "process",
    least: 0.55,
    unit: "×",
    read: measure("throughput ÷ bare"),
  },
  { what: "single POST, disk ÷ Kannel", step: "disk", least: 5, unit: "×", read: againstKannel },
  {
    what: "single POST, disk ÷ fastify + npm smpp",
    step: "disk",
    least: 3,
    unit: "×",
    read: measure("throughput ÷ fastify-smpp"),
  },
  {
    what: "with receipts to the final state ÷ bare",
    step: "receipts",
    least: 0.25,
    unit: "×",
    read: measure("throughput ÷ bare"),
  },
  {
    what: "batch of 100 ÷ bare's single POST",
    step: "batch",
    least: 1.6,
    unit: "×",
    read: measure("throughput ÷ bare"),
  },
  {
    what: "CPU a message ÷ bare's a request, single",
    step: "disk",
    most: 2.5,
    unit: "×",
    read: measure("CPU ÷ bare"),
  },
  {
    what: "CPU a message ÷ bare's a request, batch",
    step: "batch",
    most: 0.7,
    unit: "×",
    read: measure("CPU ÷ bare"),
  },
  {
    what: "worker alone ÷ raw net.Socket",
    step: "worker",
    least: 0.2,
    unit: "×",
    read: measure("worker ÷ raw net.Socket"),
  },
  {
    what: "half of saturation: accept p99 ÷ disk p50",
    step: "latency",
    most: 20,
    unit: "×",
    read: measure("accept p99 ÷ disk p50"),
  },
  {
    what: "half of saturation: accept p99.9 ÷ disk p50",
    step: "latency",
    most: 50,
    unit: "×",
    read: measure("accept p99.9 ÷ disk p50"),
  },
  {
    what: "half of saturation: accept → submit_sm p99 ÷ disk p50",
    step: "latency",
    most: 40,
    unit: "×",
    read: measure("accept → submit_sm p99 ÷ disk p50"),
  },
  {
    what: "overload: goodput ÷ bound",
    step: "overload",
    least: 0.95,
    unit: "×",
    read: measure("goodput ÷ bound"),
  },
  {
    what: "overload: refusals p99",
    step: "overload",
    most: 50,
    unit: "ms",
    read: measure("refusal p99"),
  },
  {
    what: "overload: another app's messages accepted",
    step: "overload",
    least: 1,
    unit: "×",
    read: measure("other app beside, accepted"),
  },
  {
    what: "overload: another app's accept p99",
    step: "overload",
    most: UNAFFECTED_MS_MAX,
    unit: "ms",
    read: measure("other app beside, accept p99"),
  },
  ...(["disk", "receipts", "batch"] as const).map(
    (step): Bar => ({
      what: `RssAnon + RssShmem of the tree at saturation, ${step}`,
      step,
      most: MEMORY_MB_MAX,
      unit: "MB",
      read: memoryMb,
    }),
  ),
  ...(["links", "apps", "queue"] as const).map(
    (of): Bar => ({
      what: `growth of ${of}: throughput`,
      step: "growth",
      least: 0.9,
      unit: "×",
      read: measure(new RegExp(`^throughput, ${of} \\d+ → `)),
    }),
  ),
  {
    what: "idle: CPU with 10 links bound",
    step: "idle",
    most: 2,
    unit: "% of a core",
    read: measure("idle CPU"),
  },
  {
    what: "idle: start to first 202",
    step: "idle",
    most: 1000,
    unit: "ms",
    read: measure("start to first 202"),
  },
];

/** What each bar came to. */
export function judge(results: StepResults): BarRow[] {
  return BARS.map(({ what, step, least, most, unit, read }) => {
    const result = results.get(step);
    const values = result === undefined ? [] : read(result);
    const value = values.length === 0 ? null : median(values);
    const isMet =
      value === null
        ? null
        : (least === undefined || value >= least) && (most === undefined || value <= most);
    const bar = least === undefined ? `≤ ${most}` : `≥ ${least}`;
    const taken = result === undefined || value === null ? null : takenBy(result, values.length);
    const [lowest, highest] =
      value === null ? [null, null] : [Math.min(...values), Math.max(...values)];
    return { what, step, bar, value, least: lowest, most: highest, unit, isMet, taken };
  });
}

function takenBy({ settings, origin }: Result, runs: number): BarTaken {
  const { at, commit, dirty } = origin;
  const seconds = Number((settings as { readonly seconds: unknown }).seconds);
  return { runs, seconds, at, commit: dirty ? `${commit} + changes` : commit };
}

/** Whether a bar is met, in words. */
export function verdict({ isMet, taken }: BarRow): string {
  if (isMet === null || taken === null) return "not measured";
  const words = isMet ? "met" : "NOT MET";
  return taken.runs < RUNS_MIN ? `${words} (few runs)` : words;
}

/** A bar's value with its unit, of several runs also the least and the most of them. */
export function valueText({ value, least, most, unit, taken }: BarRow): string {
  if (value === null || least === null || most === null) return "–";
  const text = `${short(value)} ${unit}`;
  return taken?.runs === 1 ? text : `${text} (${short(least)}–${short(most)})`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** The rows as a table of Markdown. */
export function barTable(rows: readonly BarRow[]): string {
  const width = Math.max(...rows.map(({ what }) => what.length));
  return [
    `| ${"what".padEnd(width)} | bar    | value, least–most      | verdict            | runs     |`,
    `|${"-".repeat(width + 2)}|--------|------------------------|--------------------|----------|`,
    ...rows.map((row) => {
      const { what, bar, taken } = row;
      const runs = taken === null ? "–" : `${taken.runs} × ${taken.seconds} s`;
      return (
        `| ${what.padEnd(width)} | ${bar.padEnd(6)} | ${valueText(row).padEnd(22)} | ` +
        `${verdict(row).padEnd(18)} | ${runs.padEnd(8)} |`
      );
    }),
  ].join("\n");
}
