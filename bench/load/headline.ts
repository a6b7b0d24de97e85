/**
 * Every bar of the gateway in one go: runs the benches one after the other, keeps their results,
 * and tells for each bar what it came to, with the results of steps that ran earlier into the same
 * folder.
 *
 *   npm run bench:headline -- [--seconds 7] [--runs 5] [--only disk,worker,…] [--out FOLDER]
 *
 * The default takes about half an hour, with turns of 7 s; a figure to quote takes `--seconds 60`.
 * Refuses to run where a reference is missing; a step that fails leaves its bars unmeasured. In
 * bars.json each bar says of which step, how many runs of how many seconds, and of which commit it
 * is. Exit code 1: a bar of what was asked for was not met or not measured.
 */
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { readFlags } from "../../test/support/flags.ts";
import { type BarRow, barTable, judge } from "./bars.ts";
import { KANNEL } from "./contenders/kannel.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type Measure, readResult, type Result, writeFigures } from "./results.ts";

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "7" },
    runs: { type: "string", default: "5" },
    connections: { type: "string", default: "256" },
    only: { type: "string" },
    "apps-max": { type: "string", default: "10000" },
    "queue-max": { type: "string", default: "1000000" },
    out: { type: "string", default: "bench-headline" },
  },
});

const seconds = Number(flags.seconds);
const runs = Number(flags.runs);
/** What a turn takes beside its load: starts, warm-up, settling, ends. */
const TURN_S = 8;
/** As many seconds more where Kannel has a turn: it settles slowly. */
const KANNEL_S = 8;
const QUOTABLE_S = 60;
/** Each pair of turns is long; three of each kind tell a tenth of throughput. */
const GROWTH_RUNS_MAX = 3;
const OVERLOAD_RUNS_MAX = 1;
const WORKER_S_MAX = 4;
const BENCH_FOLDER = dirname(fileURLToPath(import.meta.url));

interface Step {
  readonly name: string;
  readonly bench: string;
  readonly args: readonly string[];
  readonly estimateS: number;
}

const STEPS: readonly Step[] = [
  load("disk", 4, KANNEL_S, ["--against", "bare,fastify-smpp,kannel"]),
  load("process", 2, 0, ["--durability", "process"]),
  load("receipts", 2, 0, ["--receipts", "final"]),
  load("batch", 2, 0, ["--batch", "100"]),
  { name: "worker", bench: "worker", args: [], estimateS: runs * (2 * workerSeconds() + 3) },
  step("latency", "latency", runs, 3 * seconds + 10),
  step("overload", "overload", Math.min(runs, OVERLOAD_RUNS_MAX), 3 * seconds + 15),
  step("growth", "growth", Math.min(runs, GROWTH_RUNS_MAX), 6 * (seconds + TURN_S) + 20, [
    "--of",
    "links,apps,queue",
    "--connections",
    flags.connections,
    "--apps-max",
    flags["apps-max"],
    "--queue-max",
    flags["queue-max"],
  ]),
  step("idle", "idle", Math.min(runs, 3), seconds + 14),
];

await main();

async function main(): Promise<void> {
  const from = origin();
  const asked = flags.only?.split(",") ?? STEPS.map(({ name }) => name);
  const steps = STEPS.filter(({ name }) => asked.includes(name));
  const known = STEPS.map(({ name }) => name).join(", ");
  if (steps.length < asked.length) throw new Error(`--only takes ${known}`);
  const lack = asked.includes("disk") ? (KANNEL.missing?.() ?? null) : null;
  if (lack !== null) throw new Error(lack);
  const minutes = steps.reduce((sum, { estimateS }) => sum + estimateS, 0) / 60;
  console.log(describeOrigin(from));
  console.log(`${steps.length} steps, about ${Math.ceil(minutes)} minutes`);
  if (seconds < QUOTABLE_S) console.log(`turns of ${seconds} s: to quote, run with --seconds 60`);
  mkdirSync(flags.out, { recursive: true });
  const results = earlierResults(asked);
  for (const each of steps) {
    console.log(`\n== ${each.name}`);
    const path = join(flags.out, `${each.name}.json`);
    try {
      await (each.bench === "worker" ? runWorker(path, from) : runBench(each, path));
      results.set(each.name, readResult(path));
    } catch (error) {
      // Its bars are not measured; the other steps are worth their time all the same.
      console.error(`${each.name} failed: ${String(error)}`);
    }
  }
  const rows = judge(results);
  console.log(`\n${barTable(rows)}`);
  const bars = { origin: from, rows };
  writeFileSync(join(flags.out, "bars.json"), `${JSON.stringify(bars, null, 2)}\n`);
  const isAsked = ({ step: of }: BarRow): boolean => asked.includes(of);
  if (rows.some((row) => isAsked(row) && row.isMet !== true)) process.exitCode = 1;
}

/** What steps that are not run now came to when they ran into the same folder. */
function earlierResults(asked: readonly string[]): Map<string, Result> {
  const found = new Map<string, Result>();
  for (const { name } of STEPS) {
    const path = join(flags.out, `${name}.json`);
    if (!asked.includes(name) && existsSync(path)) found.set(name, readResult(path));
  }
  return found;
}

function load(name: string, turns: number, moreS: number, args: readonly string[]): Step {
  const more = ["--connections", flags.connections, ...args];
  return step(name, "throughput", runs, turns * (seconds + TURN_S) + moreS, more);
}

function step(
  name: string,
  bench: string,
  count: number,
  runS: number,
  more: readonly string[] = [],
): Step {
  const args = ["--seconds", flags.seconds, "--runs", String(count), ...more];
  return { name, bench, args, estimateS: count * runS };
}

/** A bench as a process of its own, so that none disturbs the next. */
async function runBench({ bench, args }: Step, path: string): Promise<void> {
  const script = join(BENCH_FOLDER, `${bench}.js`);
  const child = spawn(process.execPath, [script, ...args, "--json", path], { stdio: "inherit" });
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  if (code !== 0) throw new Error(`${bench} ended with ${code}`);
}

function workerSeconds(): number {
  return Math.min(WORKER_S_MAX, seconds);
}

async function runWorker(path: string, from: ReturnType<typeof origin>): Promise<void> {
  const script = join(BENCH_FOLDER, "../pipeline/worker.js");
  const args = [script, "--seconds", String(workerSeconds())];
  const perS: number[] = [];
  const ratios: number[] = [];
  for (let run = 0; run < runs; run++) {
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const figures = JSON.parse(stdout) as { segmentsPerS: number; rawPerS: number; ratio: number };
    console.log(`${figures.segmentsPerS}/s, raw ${figures.rawPerS}/s: × ${figures.ratio}`);
    perS.push(figures.segmentsPerS);
    ratios.push(figures.ratio);
  }
  const measures: Measure[] = [
    { name: "worker ÷ raw net.Socket", unit: "", better: "higher", values: ratios },
    { name: "worker", unit: "segments/s", better: "higher", values: perS },
  ];
  writeFigures(path, "worker", from, { seconds: workerSeconds() }, measures);
}
