/**
 * Tables of docs/BENCHMARKS.md, made from the result files that they name. Pure.
 *
 *   <!-- bench:bars -->  what bar, value, runs, build, file     <!-- /bench -->
 *   <!-- bench:loads --> contenders of each load step, and CPU by thread of the gateway
 *   <!-- bench:latency --> times at half of saturation
 */
import { type BarRow, judge, type StepResults, valueText, verdict } from "./bars.ts";
import type { StagePercentiles } from "./latency-run.ts";
import type { Origin } from "./machine.ts";
import { contendersOf, figuresOf, type LatencyResult, type ThroughputResult } from "./results.ts";
import { median } from "./statistics.ts";
import type { Figures } from "./turn.ts";

/** Where the files lie, as the page links to them. */
const FOLDER = "../bench/results/headline";
const COMMIT_CHARS = 7;

/** `page` with each of its generated parts made anew. Throws for a part that there is not. */
export function withTables(page: string, results: StepResults): string {
  const parts: Readonly<Record<string, () => string>> = {
    bars: () => barsPart(judge(results)),
    loads: () => loadsPart(results),
    latency: () => latencyPart(results),
  };
  return page.replaceAll(
    /(<!-- bench:(\w+) -->\n).*?(<!-- \/bench -->)/gs,
    (_, begin: string, name: string, end: string) => {
      const part = parts[name];
      if (part === undefined) throw new Error(`there is no table ${name}`);
      return `${begin}\n${part()}\n\n${end}`;
    },
  );
}

function barsPart(rows: readonly BarRow[]): string {
  return [
    "| what | bar | median (least–most of the runs) | verdict | runs | build, date, file |",
    "|---|---|---|---|---|---|",
    ...rows.map((row) => {
      const { what, bar, taken, step } = row;
      const runs = taken === null ? "–" : `${taken.runs} × ${taken.seconds} s`;
      const from = taken === null ? "–" : sourceText(step, taken.commit, taken.at);
      const bold = row.isMet === false ? "**" : "";
      return (
        `| ${what} | ${bar} ${row.unit} | ${bold}${valueText(row)}${bold} | ${verdict(row)} | ` +
        `${runs} | ${from} |`
      );
    }),
  ].join("\n");
}

function loadsPart(results: StepResults): string {
  return [...results]
    .flatMap(([step, result]) => (result.kind === "throughput" ? [loadPart(step, result)] : []))
    .join("\n\n");
}

function loadPart(step: string, result: ThroughputResult): string {
  const { origin, settings, runs } = result;
  const rows = contendersOf(result).map((name) => contenderRow(result, name));
  return [
    `**${loadText(result)}**: ${runs.length} runs of ${settings.seconds} s, ` +
      `${machineText(origin)}, ${sourceText(step, commitOf(origin), origin.at)}`,
    "",
    "| contender | messages/s | gateway ÷ it | answer p50 / p99 | CPU µs a message | memory |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
    threadsText(result),
  ].join("\n");
}

function contenderRow(result: ThroughputResult, name: string): string {
  const own = figuresOf(result, "gateway");
  const theirs = figuresOf(result, name);
  const of = (pick: (figures: Figures) => number): number => median(theirs.map(pick));
  const ratios = own.map((each, run) => each.messagesPerS / (theirs[run]?.messagesPerS ?? 0));
  const p50 = of(({ wrk }) => wrk.p50_us / 1000);
  const p99 = of(({ wrk }) => wrk.p99_us / 1000);
  const mib = of((figures) => figures.residentBytes / 2 ** 20);
  return (
    `| ${name} | ${Math.round(of((figures) => figures.messagesPerS)).toLocaleString("en")} | ` +
    `${name === "gateway" ? "–" : median(ratios).toFixed(2)} | ` +
    `${p50.toFixed(1)} / ${p99.toFixed(1)} ms | ` +
    `${of((figures) => figures.cpuUsPerMessage).toFixed(1)} | ${mib.toFixed(0)} MiB |`
  );
}

function loadText({ settings }: ThroughputResult): string {
  const { durability, receipts, batch, stream } = settings;
  const form = stream ? "NDJSON streams" : batch === 1 ? "single POSTs" : `batches of ${batch}`;
  const end = receipts === "final" ? "receipts to the final state" : "no receipts";
  return `${form}, durability ${durability}, ${end}`;
}

/** CPU of the gateway's threads, and how late its last message was final. */
function threadsText(result: ThroughputResult): string {
  const own = figuresOf(result, "gateway");
  const settled = own.flatMap((figures) => figures.settled ?? []);
  const names = Object.keys(settled[0]?.cpuByThread ?? {});
  const each = names.map((name) => ({
    name,
    us: median(
      settled.map(({ cpuByThread, messages }) => ((cpuByThread[name] ?? 0) * 1e6) / messages),
    ),
  }));
  const total = median(own.map(({ cpuUsPerMessage }) => cpuUsPerMessage));
  const others = Math.max(0, total - each.reduce((sum, { us }) => sum + us, 0));
  const parts = [...each, { name: "others (garbage collection, LMDB's writer)", us: others }];
  const refused = median(own.map(({ wrk }) => wrk.status_errors));
  return (
    "CPU of the gateway by thread, µs a message: " +
    `${parts.map(({ name, us }) => `${name} ${us.toFixed(1)}`).join(", ")}. ` +
    `Requests refused in a run: ${refused}.`
  );
}

function latencyPart(results: StepResults): string {
  const result = results.get("latency");
  if (result?.kind !== "latency") return "Not measured yet.";
  const { origin, runs } = result;
  const of = (pick: (run: LatencyResult["runs"][number]) => number): string =>
    median(runs.map(pick)).toFixed(2);
  const rate = (pick: (run: LatencyResult["runs"][number]) => number): string =>
    Math.round(median(runs.map(pick))).toLocaleString("en");
  const stage = (name: string, pick: (run: (typeof runs)[number]) => StagePercentiles): string =>
    `| ${name} | ${of((run) => pick(run).p50)} | ${of((run) => pick(run).p99)} | ` +
    `${of((run) => pick(run).p999)} |`;
  return [
    `${rate(({ ratePerS }) => ratePerS)} messages/s of ` +
      `${rate(({ saturationPerS }) => saturationPerS)}, ` +
      `${runs.length} runs of ${String(result.settings["seconds"])} s, ${machineText(origin)}, ` +
      sourceText("latency", commitOf(origin), origin.at),
    "",
    "| ms | p50 | p99 | p99.9 |",
    "|---|---|---|---|",
    `| 64 KB write + fdatasync | ${of(({ diskP50Ms }) => diskP50Ms)} | ` +
      `${of(({ diskP99Ms }) => diskP99Ms)} | |`,
    `| due → 202 | ${of(({ openLoop }) => openLoop.accepted.p50 / 1000)} | ` +
      `${of(({ openLoop }) => openLoop.accepted.p99 / 1000)} | ` +
      `${of(({ openLoop }) => openLoop.accepted.p999 / 1000)} |`,
    bareLine(runs),
    `| accepted → submit_sm, all messages, at most | ${of(({ submitMs }) => submitMs.p50)} | ` +
      `${of(({ submitMs }) => submitMs.p99)} | |`,
    stage("accepted → submit_sm, a sample by GET", ({ stages }) => stages.sentMs),
    stage("accepted → submit_sm_resp", ({ stages }) => stages.answeredMs),
    stage("accepted → final", ({ stages }) => stages.finalMs),
  ].join("\n");
}

/** What the same generator sees of the bare server. */
function bareLine(runs: LatencyResult["runs"]): string {
  const [p50, p99, p999] = (["p50", "p99", "p999"] as const).map((p) =>
    (median(runs.map(({ bare }) => bare[p])) / 1000).toFixed(2),
  );
  return `| the bare server, same rate and generator: due → 202 | ${p50} | ${p99} | ${p999} |`;
}

function sourceText(step: string, commit: string, at: string): string {
  const build = commit.slice(0, COMMIT_CHARS) + (commit.endsWith("changes") ? " + changes" : "");
  return `${build}, ${at.slice(0, 10)}, [${step}.json](${FOLDER}/${step}.json)`;
}

function commitOf({ commit, dirty }: Origin): string {
  return dirty ? `${commit} + changes` : commit;
}

function machineText({ cpu, cpuCount, memoryGib, node }: Origin): string {
  return `${cpuCount} × ${cpu}, ${memoryGib} GiB, Node ${node.slice(1)}`;
}
