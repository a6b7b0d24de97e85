/**
 * Every bar of the gateway in one go: runs the benches one after the other, keeps their results,
 * and tells for each bar what it came to, with the results of steps that ran earlier into the same
 * folder.
 *
 *   npm run bench:headline -- [--seconds 7] [--runs 5] [--only disk,worker,…] [--out FOLDER]
 *
 * The default takes about half an hour, with turns of 7 s; a figure to quote takes `--seconds 60`.
 * Refuses to run where a reference is missing; a step that fails, or takes far longer than it
 * should, leaves its bars unmeasured. In bars.json each bar says of which step, how many runs of
 * how many seconds, and of which commit it is. Exit code 1: a bar of what was asked for was not met
 * or not measured. A signal ends the step and what it started.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { readFlags } from "../../test/support/flags.ts";
import { type BarRow, barTable, RUNS_MIN } from "./bars.ts";
import { KANNEL } from "./contenders/kannel.ts";
import { stepPath, writeBars } from "./headline-folder.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type Measure, writeFigures } from "./results.ts";

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
/** The saturation that latency and overload take their rates from. */
const SATURATION_S_MAX = 15;
const WORKER_S_MAX = 4;
/** A step that takes longer than so many times its estimate, and so much more, hangs. */
const HANG_TIMES = 3;
const HANG_MORE_S = 300;
const END_MS_MAX = 20_000;
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
  step("latency", "latency", saturationSeconds() + seconds + 15, [
    "--connections",
    flags.connections,
  ]),
  step("overload", "overload", saturationSeconds() + Math.min(10, seconds) + seconds + 20),
  step("growth", "growth", 6 * (seconds + TURN_S) + 20, [
    "--of",
    "links,apps,queue",
    "--connections",
    flags.connections,
    "--apps-max",
    flags["apps-max"],
    "--queue-max",
    flags["queue-max"],
  ]),
  step("idle", "idle", Math.min(10, seconds) + seconds + 4),
];

let running: ChildProcess | null = null;
// SIGINT and SIGTERM end this process by way of it; the step then ends what it started.
process.on("exit", () => running?.kill("SIGTERM"));

await main();

async function main(): Promise<void> {
  const from = origin();
  const asked = flags.only?.split(",") ?? STEPS.map(({ name }) => name);
  const steps = STEPS.filter(({ name }) => asked.includes(name));
  const known = STEPS.map(({ name }) => name).join(", ");
  if (steps.length < asked.length) throw new Error(`--only takes ${known}`);
  refuseWhatIsMissing(steps);
  const minutes = steps.reduce((sum, { estimateS }) => sum + estimateS, 0) / 60;
  console.log(describeOrigin(from));
  console.log(`${steps.length} steps, about ${Math.ceil(minutes)} minutes`);
  if (seconds < QUOTABLE_S) console.log(`turns of ${seconds} s: to quote, run with --seconds 60`);
  if (runs < RUNS_MIN) console.log(`${runs} runs: to quote, run with --runs ${RUNS_MIN} or more`);
  mkdirSync(flags.out, { recursive: true });
  for (const each of steps) {
    console.log(`\n== ${each.name}`);
    const path = stepPath(flags.out, each.name);
    // What an earlier run came to is not this run's.
    rmSync(path, { force: true });
    try {
      await (each.bench === "worker" ? runWorker(path, from) : runBench(each, path));
    } catch (error) {
      // Its bars are not measured; the other steps are worth their time all the same.
      console.error(`${each.name} failed: ${String(error)}`);
    }
  }
  const rows = writeBars(flags.out);
  console.log(`\n${barTable(rows)}`);
  const isAsked = ({ step: of }: BarRow): boolean => asked.includes(of);
  if (rows.some((row) => isAsked(row) && row.isMet !== true)) process.exitCode = 1;
}

/** wrk, which most steps load with, and Kannel where it has a turn. */
function refuseWhatIsMissing(steps: readonly Step[]): void {
  const needsWrk = steps.some(({ name }) => name !== "worker" && name !== "idle");
  const hasWrk = spawnSync("wrk", ["--version"]).error === undefined;
  const lacks = [
    ...(needsWrk && !hasWrk ? ["wrk is missing: apt-get install wrk"] : []),
    ...(steps.some(({ name }) => name === "disk") ? [KANNEL.missing?.() ?? []].flat() : []),
  ];
  if (lacks.length > 0) throw new Error(lacks.join("; "));
}

function load(name: string, turns: number, moreS: number, args: readonly string[]): Step {
  const more = ["--connections", flags.connections, ...args];
  return step(name, "throughput", turns * (seconds + TURN_S) + moreS, more);
}

function step(name: string, bench: string, runS: number, more: readonly string[] = []): Step {
  const args = ["--seconds", flags.seconds, "--runs", flags.runs, ...more];
  return { name, bench, args, estimateS: runs * runS };
}

function saturationSeconds(): number {
  return Math.min(SATURATION_S_MAX, seconds) + TURN_S;
}

/** A bench as a process of its own, so that none disturbs the next. */
async function runBench({ bench, args, estimateS }: Step, path: string): Promise<void> {
  const script = join(BENCH_FOLDER, `${bench}.js`);
  const child = spawn(process.execPath, [script, ...args, "--json", path], { stdio: "inherit" });
  running = child;
  const late = setTimeout(
    () => {
      console.error(`${bench} hangs: ended`);
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), END_MS_MAX).unref();
    },
    (HANG_TIMES * estimateS + HANG_MORE_S) * 1000,
  );
  const code = await new Promise<number | null>((resolve) => child.on("exit", resolve));
  clearTimeout(late);
  running = null;
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
