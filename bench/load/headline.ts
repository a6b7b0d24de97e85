/**
 * Every bar of the gateway in one go: runs the benches one after the other, keeps their results,
 * and tells for each bar what it came to.
 *
 *   npm run bench:headline -- [--seconds 7] [--runs 5] [--only disk,worker,…] [--out FOLDER]
 *
 * The default takes about twenty minutes, with turns of 7 s; a figure to quote takes `--seconds
 * 60`. Refuses to run where a reference is missing; a step that fails leaves its bars unmeasured.
 * Exit code 1: a bar was not met or not measured.
 */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { barTable, judge } from "./bars.ts";
import { KANNEL } from "./contenders/kannel.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type Measure, readResult, type Result, writeFigures } from "./results.ts";

const { values: flags } = parseArgs({
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
/** What a turn takes beside its load: starts, settling, ends. */
const TURN_S = 5;
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
  load("disk", 4, ["--against", "bare,fastify-smpp,kannel"]),
  load("process", 2, ["--durability", "process"]),
  load("receipts", 2, ["--receipts", "final"]),
  load("batch", 2, ["--batch", "100"]),
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
  const lack = KANNEL.missing?.() ?? null;
  if (lack !== null) throw new Error(lack);
  const from = origin();
  const asked = flags.only?.split(",") ?? STEPS.map(({ name }) => name);
  const steps = STEPS.filter(({ name }) => asked.includes(name));
  const known = STEPS.map(({ name }) => name).join(", ");
  if (steps.length < asked.length) throw new Error(`--only takes ${known}`);
  const minutes = steps.reduce((sum, { estimateS }) => sum + estimateS, 0) / 60;
  console.log(describeOrigin(from));
  console.log(`${steps.length} steps, about ${Math.ceil(minutes)} minutes`);
  if (seconds < QUOTABLE_S) console.log(`turns of ${seconds} s: to quote, run with --seconds 60`);
  mkdirSync(flags.out, { recursive: true });
  const results = new Map<string, Result>();
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
  const shown = rows.filter(({ value }) => value !== null || flags.only === undefined);
  console.log(`\n${barTable(shown)}`);
  const bars = { origin: from, seconds, runs, rows: shown };
  writeFileSync(join(flags.out, "bars.json"), `${JSON.stringify(bars, null, 2)}\n`);
  if (shown.some(({ isMet }) => isMet !== true)) process.exitCode = 1;
}

function load(name: string, turns: number, args: readonly string[]): Step {
  const more = ["--connections", flags.connections, ...args];
  return step(name, "throughput", runs, turns * (seconds + TURN_S), more);
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
