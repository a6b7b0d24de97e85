/**
 * The command of the simulation: runs seeds, prints what they met, fails if one of them fails or
 * has too little in it, or a row of the recovery table or a kind of fault was never met.
 *
 *   node dist/test/sim/sim.js --seed N [--trace] [--messages M] [--faults F] [--deaths D]
 *                             [--reloads R] [--only REST]
 *   node dist/test/sim/sim.js --seed N --shrink
 *   node dist/test/sim/sim.js --seeds A..B [--minutes M] [--jobs N] [--out FILE]
 *                             [--violations | --until PATTERN]
 *
 * With `--minutes` no seed is begun after that time. Seeds are independent, so they are dealt out
 * to N threads, as many as the machine has cores unless told. A failing seed is replayed by `--seed
 * N --trace`; the first that fails is also shrunk, and what is left of it traced. For other
 * programs: `--violations` prints one line each, `--until` too, and stops at the first that fits a
 * pattern.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { committedState, writeResult } from "./result-file.ts";
import { type RunOptions, runSeed } from "./run-seed.ts";
import { figuresOf, report, type Summary } from "./seed-figures.ts";
import { formatRest, parseRest, shrinkSeed } from "./shrink.ts";

/**
 * What a seed allocates is mostly garbage a moment later: a young generation of this size keeps the
 * collector from copying it.
 */
const YOUNG_GENERATION_MB = 96;

/** What a run of many seeds takes to shrink one; `--shrink` takes as long as it needs. */
const SHRINK_MS = 90_000;

interface SeedRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Wall ms after which no seed is begun; null: none. */
  readonly untilMs: number | null;
}

function summarise(seed: number): Summary {
  const { trace: _, ...summary } = runSeed(seed);
  return summary;
}

function runRange(range: SeedRange, tell: (summary: Summary) => void): void {
  const { first, last, step, untilMs } = range;
  for (let seed = first; seed <= last; seed += step) {
    if (untilMs !== null && Date.now() > untilMs) return;
    tell(summarise(seed));
  }
}

async function runOnThreads(
  first: number,
  last: number,
  jobs: number,
  untilMs: number | null,
  until: RegExp | null,
): Promise<Summary[]> {
  const results: Summary[] = [];
  const workers: Worker[] = [];
  const tell = (summary: Summary): void => {
    results.push(summary);
    if (until !== null) {
      if (!summary.violations.some((text) => until.test(firstLine(text)))) return;
      for (const worker of workers) void worker.terminate();
    } else if (summary.violations.length > 0) printFailure(summary);
    else if (process.stdout.isTTY) process.stdout.write(`\r${results.length} seeds `);
  };
  await Promise.all(
    Array.from({ length: jobs }, (_, job) => {
      const range: SeedRange = { first: first + job, last, step: jobs, untilMs };
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), {
          workerData: range,
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
        });
        workers.push(worker);
        worker.on("message", tell);
        worker.on("error", reject);
        worker.on("exit", () => resolve());
      });
    }),
  );
  return results.sort((a, b) => a.seed - b.seed);
}

function printFailure({ seed, violations, deaths }: Summary): void {
  console.log(`\nseed ${seed} FAILED; replay: node dist/test/sim/sim.js --seed ${seed} --trace`);
  for (const violation of violations.slice(0, 8)) console.log(`  ${violation}`);
  for (const death of deaths) console.log(`  death: ${death.split("\n", 1)[0]}`);
}

/** One seed, told in full. Returns whether it held. */
function tellSeed(seed: number, withTrace: boolean, options: RunOptions): boolean {
  const onLog = (line: string): void => console.log(line);
  const result = runSeed(seed, withTrace ? { ...options, onLog } : options);
  const { trace, violations, ...facts } = result;
  if (withTrace) {
    for (const { atMs, text } of trace) console.log(`${atMs.toFixed(3).padStart(12)}  ${text}`);
  }
  console.log(JSON.stringify(facts, null, 2));
  for (const violation of violations) console.log(`VIOLATION ${violation}`);
  console.log(violations.length === 0 ? "held" : "FAILED");
  return violations.length === 0;
}

function firstLine(text: string): string {
  return text.split("\n", 1).join("");
}

/** One line a violation, for other programs. */
function tellViolations(results: readonly Summary[]): number {
  const failed = results.filter(({ violations }) => violations.length > 0);
  for (const { seed, violations } of failed) {
    for (const text of violations) console.log(`VIOLATION ${seed} ${firstLine(text)}`);
  }
  return failed.length === 0 ? 0 : 1;
}

/**
 * Shrinks a failing seed for at most `ms` and tells what is left of it. Returns whether the seed
 * held.
 */
function shrinkAndTell(seed: number, options: RunOptions, ms: number): boolean {
  console.log(`\nshrinking seed ${seed}`);
  const untilMs = Date.now() + ms;
  const onStep = (part: string, left: number): void => console.log(`  ${part}: ${left} left`);
  const rest = shrinkSeed(seed, options, onStep, () => Date.now() > untilMs);
  if (rest === null) {
    console.log("held");
    return true;
  }
  tellSeed(seed, true, { ...options, only: rest });
  console.log(`replay: npm run sim -- --seed ${seed} --only "${formatRest(rest)}" --trace`);
  return false;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "1..100" },
      jobs: { type: "string" },
      minutes: { type: "string" },
      trace: { type: "boolean", default: false },
      out: { type: "string" },
      violations: { type: "boolean", default: false },
      until: { type: "string" },
      messages: { type: "string" },
      faults: { type: "string" },
      reloads: { type: "string" },
      deaths: { type: "string" },
      only: { type: "string" },
      shrink: { type: "boolean", default: false },
    },
  });
  if (values.seed !== undefined) {
    const { messages, faults, deaths, reloads, only } = values;
    const options: RunOptions = {
      ...(messages === undefined ? {} : { messages: Number(messages) }),
      ...(faults === undefined ? {} : { faults: Number(faults) }),
      ...(reloads === undefined ? {} : { reloads: Number(reloads) }),
      ...(deaths === undefined ? {} : { deaths: Number(deaths) }),
      ...(only === undefined ? {} : { only: parseRest(only) }),
    };
    if (values.shrink) {
      return shrinkAndTell(Number(values.seed), options, Number.POSITIVE_INFINITY) ? 0 : 1;
    }
    return tellSeed(Number(values.seed), values.trace, options) ? 0 : 1;
  }
  const match = /^(\d+)\.\.(\d+)$/.exec(values.seeds);
  if (match === null) {
    console.error(`--seeds takes A..B, found ${values.seeds}`);
    return 2;
  }
  const jobs = Number(values.jobs ?? availableParallelism());
  const commit = values.out === undefined ? "" : committedState();
  const { minutes } = values;
  const until = values.until === undefined ? null : new RegExp(values.until);
  const startedMs = Date.now();
  const untilMs = minutes === undefined ? null : startedMs + Number(minutes) * 60_000;
  const results = await runOnThreads(Number(match[1]), Number(match[2]), jobs, untilMs, until);
  if (values.violations || until !== null) return tellViolations(results);
  const figures = figuresOf(results, jobs, Date.now() - startedMs);
  const holds = report(figures);
  if (values.out !== undefined) {
    writeResult(values.out, `npm run sim -- --seeds ${values.seeds}`, commit, { ...figures });
  }
  const failed = results.find(({ violations }) => violations.length > 0);
  if (failed !== undefined) shrinkAndTell(failed.seed, {}, SHRINK_MS);
  return holds ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else runRange(workerData as SeedRange, (summary) => parentPort?.postMessage(summary));
