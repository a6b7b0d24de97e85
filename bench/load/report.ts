/**
 * Turns result files into one HTML page that needs nothing else: no script, no font, no network.
 *
 *   npm run bench:report -- RESULT.json [RESULT.json …] --out report.html
 *
 * Each file is a section: where and of what it was taken, charts with every run as a dot, and a
 * table of medians; `bars.json` of a headline is a table of its own, before them. Several
 * throughput results that differ in one setting are also drawn over it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { readFlags } from "../../test/support/flags.ts";
import { type BarRow, valueText, verdict } from "./bars.ts";
import { caveatsOf } from "./caveats.ts";
import { type Bar, barChart, escapeHtml, lineChart } from "./charts.ts";
import type { StageLatencies } from "./latency-run.ts";
import { describeOrigin } from "./machine.ts";
import {
  contendersOf,
  type FiguresResult,
  figuresOf,
  type LatencyResult,
  measuresOf,
  readResult,
  type Result,
  type ThroughputResult,
} from "./results.ts";
import { median } from "./statistics.ts";
import type { Figures } from "./turn.ts";

const BARS_FILE = "bars.json";
const COMMIT_CHARS = 7;

const STYLE = `
:root { color-scheme: light dark; --own: #0b6e4f; --other: #8a94a6; --ink: #1d2430; --line: #d5dae3;
  --page: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --own: #4cc38a; --other: #6b7485; --ink: #e6e9ef;
  --line: #343c4a; --page: #151a22; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 920px; margin: 2.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line);
  padding-top: 1.2rem; font-size: 1.25rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
figure { margin: 0; overflow-x: auto; }
svg { max-width: 100%; min-width: 560px; height: auto; }
svg text { font-size: 13px; fill: var(--ink); }
rect.own { fill: var(--own); } rect.other { fill: var(--other); }
.line { fill: none; stroke-width: 2; } .line.own { stroke: var(--own); }
.line.other { stroke: var(--other); }
.grid { stroke: var(--line); } .dot { fill: var(--page); stroke: var(--ink); stroke-width: 1; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } td:first-child, th:first-child { text-align: left; }
td:first-child { white-space: normal; min-width: 15rem; } 
.missed { font-weight: 600; }
.caveat { border-left: 3px solid var(--line); padding-left: .7rem; }
.origin { opacity: .8; font-size: 13px; }
`;

main();

function main(): void {
  const { values, positionals } = readFlags({
    allowPositionals: true,
    options: { out: { type: "string", default: "bench-report.html" } },
  });
  if (positionals.length === 0) {
    console.error("usage: bench:report RESULT.json [RESULT.json …] [--out report.html]");
    process.exitCode = 2;
    return;
  }
  const isBars = (path: string): boolean => basename(path) === BARS_FILE;
  const bars = positionals.filter(isBars).map(barsSection);
  const paths = positionals.filter((path) => !isBars(path));
  const results = paths.map((path) => ({ path, result: readResult(path) }));
  const sections = results.map(({ path, result }) => section(basename(path), result));
  const scaling = scalingSection(results.map(({ result }) => result));
  writeFileSync(values.out, page([...bars, ...sections, scaling].join("\n")));
  console.log(`wrote ${values.out}`);
}

function page(body: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Gateway benches</title>
<style>${STYLE}</style>
<h1>Gateway benches</h1>
<p>Bars are medians, dots are single runs. Ratios compare figures of the same run; absolute figures
belong to the machine named above them.</p>
${body}
</html>
`;
}

/** The bars of a headline and what each came to. */
function barsSection(path: string): string {
  const { rows } = JSON.parse(readFileSync(path, "utf8")) as { rows: readonly BarRow[] };
  const cells = rows.map((row) => {
    const { what, bar, unit, taken, isMet } = row;
    const runs = taken === null ? "–" : `${taken.runs} × ${taken.seconds} s`;
    const build = taken === null ? "–" : taken.commit.slice(0, COMMIT_CHARS);
    const texts = [`${bar} ${unit}`, valueText(row), verdict(row), runs, build];
    return (
      `<tr${isMet === false ? ' class="missed"' : ""}><td>${escapeHtml(what)}</td>` +
      `${texts.map((text) => `<td>${escapeHtml(text)}</td>`).join("")}</tr>`
    );
  });
  const heads = ["what", "bar", "median (least–most)", "verdict", "runs", "build"];
  return (
    "<h2>Bars</h2><figure><table><tr>" +
    `${heads.map((head) => `<th>${head}</th>`).join("")}</tr>${cells.join("")}</table></figure>`
  );
}

function section(name: string, result: Result): string {
  const { origin, runs } = result;
  const commit = `${origin.commit.slice(0, 12)}${origin.dirty ? " with changes" : ""}`;
  return [
    `<h2>${escapeHtml(name)}</h2>`,
    `<p class="origin">${escapeHtml(describeOrigin(origin))}. Commit ${escapeHtml(commit)}, ` +
      `${escapeHtml(origin.at)}, ${runs.length} runs.<br>${escapeHtml(settingsOf(result))}</p>`,
    ...caveatTexts(result),
    chartsOf(result),
    table(result),
  ].join("\n");
}

function caveatTexts(result: Result): string[] {
  if (result.kind !== "throughput") return [];
  return caveatsOf(result).map(({ text }) => `<p class="caveat">${escapeHtml(text)}</p>`);
}

function chartsOf(result: Result): string {
  if (result.kind === "throughput") return throughputCharts(result);
  return result.kind === "latency" ? latencyCharts(result) : figuresCharts(result);
}

/** A chart for each unit: what has the same unit can be compared. */
function figuresCharts({ measures }: FiguresResult): string {
  const units = [...new Set(measures.map(({ unit }) => unit))];
  return units
    .map((unit) => {
      const bars = measures
        .filter((measure) => measure.unit === unit)
        .map(({ name, values }) => ({ label: name, values, isOwn: true }));
      const title = unit === "" ? "Ratios" : `In ${unit}`;
      const chart = barChart(bars, median, (value) => `${short(value)} ${unit}`.trim());
      return `<h3>${escapeHtml(title)}</h3>${chart}`;
    })
    .join("\n");
}

function settingsOf({ settings }: Result): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

function throughputCharts(result: ThroughputResult): string {
  const names = contendersOf(result);
  const bars = (pick: (figures: Figures) => number): Bar[] =>
    names.map((label) => ({
      label,
      values: figuresOf(result, label).map(pick),
      isOwn: label === "gateway",
    }));
  const chart = (title: string, pick: (figures: Figures) => number, unit: string): string =>
    `<h3>${title}</h3>${barChart(bars(pick), median, (value) => `${short(value)} ${unit}`)}`;
  const steps = ["p50", "p90", "p99", "p99.9", "max"];
  // What takes no HTTP has no time to an answer.
  const answering = names.filter((label) =>
    figuresOf(result, label).every(({ wrk }) => wrk.max_us > 0),
  );
  const lines = answering.map((label) => {
    const own = figuresOf(result, label);
    const at = (pick: (figures: Figures) => number): number => median(own.map(pick)) / 1000;
    const values = [
      at(({ wrk }) => wrk.p50_us),
      at(({ wrk }) => wrk.p90_us),
      at(({ wrk }) => wrk.p99_us),
      at(({ wrk }) => wrk.p999_us),
      at(({ wrk }) => wrk.max_us),
    ];
    return { label, values, isOwn: label === "gateway" };
  });
  return [
    chart("Messages a second", ({ messagesPerS }) => messagesPerS, "/s"),
    chart("CPU a message", ({ cpuUsPerMessage }) => cpuUsPerMessage, "µs"),
    chart("Memory, RssAnon + RssShmem", (figures) => figures.residentBytes / 2 ** 20, "MiB"),
    threadChart(result),
    "<h3>Time to the answer, at saturation</h3>",
    lineChart(steps, lines, (value) => `${short(value)} ms`),
  ].join("\n");
}

/** CPU of each thread of the gateway, the unnamed ones together; empty if it named none. */
function threadChart(result: ThroughputResult): string {
  const own = figuresOf(result, "gateway").flatMap(({ settled, cpuUsPerMessage }) =>
    settled === null ? [] : [{ ...settled, cpuUsPerMessage }],
  );
  const names = Object.keys(own[0]?.cpuByThread ?? {});
  if (names.length === 0) return "";
  const usOf = (run: (typeof own)[number], label: string): number =>
    ((run.cpuByThread[label] ?? 0) * 1e6) / run.messages;
  const bars: Bar[] = names.map((label) => ({
    label,
    values: own.map((run) => usOf(run, label)),
    isOwn: true,
  }));
  const rest = own.map((run) =>
    Math.max(0, run.cpuUsPerMessage - names.reduce((sum, label) => sum + usOf(run, label), 0)),
  );
  bars.push({ label: "others (garbage collection, store)", values: rest, isOwn: true });
  const title = "<h3>CPU a message by thread of the gateway</h3>";
  return title + barChart(bars, median, (value) => `${short(value)} µs`);
}

function latencyCharts({ runs }: LatencyResult): string {
  const steps = ["p50", "p90", "p99", "p99.9", "max"];
  const lines = runs.map(({ openLoop: { accepted } }, run) => ({
    label: `run ${run + 1}`,
    values: [accepted.p50, accepted.p90, accepted.p99, accepted.p999, accepted.max].map(
      (us) => us / 1000,
    ),
    isOwn: true,
  }));
  const stages: { readonly [label: string]: keyof StageLatencies } = {
    submit_sm: "sentMs",
    submit_sm_resp: "answeredMs",
    final: "finalMs",
  };
  const stageLines = Object.entries(stages).map(([label, stage]) => ({
    label,
    values: (["p50", "p99", "p999"] as const).map((p) =>
      median(runs.map((run) => run.stages[stage][p])),
    ),
    isOwn: true,
  }));
  return [
    "<h3>Time to 202 at a constant rate, from when each message was due</h3>",
    lineChart(steps, lines, (value) => `${short(value)} ms`),
    "<h3>Time from acceptance to each stage, medians over the runs</h3>",
    lineChart(["p50", "p99", "p99.9"], stageLines, (value) => `${short(value)} ms`),
  ].join("\n");
}

function table(result: Result): string {
  const rows = measuresOf(result).map(
    ({ name, unit, values }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${short(median(values))} ${escapeHtml(unit)}</td>` +
      `<td>${short(Math.min(...values))}</td><td>${short(Math.max(...values))}</td></tr>`,
  );
  return (
    "<h3>Figures</h3><table><tr><th>measure</th><th>median</th><th>least</th><th>most</th></tr>" +
    `${rows.join("")}</table>`
  );
}

/** Throughput over whatever single setting differs between the results. */
function scalingSection(results: readonly Result[]): string {
  const throughputs = results.filter((result) => result.kind === "throughput");
  const [first] = throughputs;
  if (first === undefined || throughputs.length < 2) return "";
  const names = Object.keys(first.settings) as (keyof ThroughputResult["settings"])[];
  const differing = names.filter((name) =>
    throughputs.some(({ settings }) => settings[name] !== first.settings[name]),
  );
  const [setting] = differing;
  if (setting === undefined || differing.length > 1) return "";
  const bars = throughputs.map((result) => ({
    label: `${setting} ${result.settings[setting]}`,
    values: figuresOf(result, "gateway").map(({ messagesPerS }) => messagesPerS),
    isOwn: true,
  }));
  return (
    `<h2>Messages a second over ${escapeHtml(setting)}</h2>` +
    barChart(bars, median, (value) => `${short(value)} /s`)
  );
}

function short(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  return value.toPrecision(3).replace(/\.0+$|(\.\d*?)0+$/, "$1");
}
