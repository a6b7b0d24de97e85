/**
 * The command of the simulation: runs seeds, prints what they met, fails if one of them fails or a
 * row of the recovery table was never met.
 *
 *   node dist/test/sim/sim.js --seed N [--trace] [--messages M] [--faults F] [--deaths D]
 *                             [--reloads R] [--only REST]
 *   node dist/test/sim/sim.js --seed N --shrink
 *   node dist/test/sim/sim.js --seeds A..B [--threads T] [--json] [--violations]
 *
 * Seeds are independent, so they are dealt out to threads. A failing seed is replayed by `--seed N
 * --trace`; the first that fails is also shrunk, and what is left of it traced.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { RECOVERY_ROWS } from "./log-model.ts";
import { type RunOptions, runSeed, type RunResult } from "./run-seed.ts";
import { formatRest, parseRest, shrinkSeed } from "./shrink.ts";

interface SeedRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
}

/** A result as it travels between threads: without its trace. */
type Summary = Omit<RunResult, "trace"> & { readonly ms: number };

function summarise(seed: number): Summary {
  const startedMs = Date.now();
  const { trace: _, ...summary } = runSeed(seed);
  return { ...summary, ms: Date.now() - startedMs };
}

function runRange({ first, last, step }: SeedRange, tell: (summary: Summary) => void): void {
  for (let seed = first; seed <= last; seed += step) tell(summarise(seed));
}

async function runOnThreads(first: number, last: number, threads: number): Promise<Summary[]> {
  const results: Summary[] = [];
  const tell = (summary: Summary): void => {
    results.push(summary);
    if (summary.violations.length > 0) printFailure(summary);
    else if (process.stdout.isTTY) process.stdout.write(`\r${results.length} seeds `);
  };
  await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const range: SeedRange = { first: first + thread, last, step: threads };
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: range });
        worker.on("message", tell);
        worker.on("error", reject);
        worker.on("exit", () => resolve());
      });
    }),
  );
  return results.sort((a, b) => a.seed - b.seed);
}

function printFailure({ seed, violations, deaths }: Omit<Summary, "ms">): void {
  console.log(`\nseed ${seed} FAILED; replay: node dist/test/sim/sim.js --seed ${seed} --trace`);
  for (const violation of violations.slice(0, 8)) console.log(`  ${violation}`);
  for (const death of deaths) console.log(`  death: ${death.split("\n", 1)[0]}`);
}

function sum(results: readonly Summary[], of: (result: Summary) => number): number {
  return results.reduce((total, result) => total + of(result), 0);
}

/** Prints the sums; returns whether every seed held and every row was met. */
function report(results: readonly Summary[]): boolean {
  const failed = results.filter(({ violations }) => violations.length > 0);
  const minutes = sum(results, ({ simulatedMs }) => simulatedMs) / 60_000;
  console.log(
    `\n${results.length} seeds, ${failed.length} failed; ${minutes.toFixed(1)} simulated minutes,`,
    `${(sum(results, ({ ms }) => ms) / results.length).toFixed(0)} ms a seed`,
  );
  console.log(
    `${sum(results, ({ messages }) => messages)} messages,`,
    `${sum(results, ({ promised }) => promised)} with 202,`,
    `${sum(results, ({ segments }) => segments)} segments written,`,
    `${sum(results, ({ flaggedDuplicates }) => flaggedDuplicates)} flagged duplicates,`,
    `${sum(results, ({ deaths }) => deaths.length)} deaths,`,
    `${sum(results, ({ faults }) => faults)} faults,`,
    `${sum(results, ({ reloads }) => reloads)} reloads,`,
    `${sum(results, ({ replayed }) => replayed)} dead letters sent anew,`,
    `${sum(results, ({ decided }) => decided)} decisions about held messages`,
  );
  const statuses = new Map<string, number>();
  for (const result of results) {
    for (const [status, count] of Object.entries(result.statuses)) {
      statuses.set(status, (statuses.get(status) ?? 0) + count);
    }
  }
  console.log([...statuses].map(([status, count]) => `${status} ${count}`).join(", "));
  console.log(
    "hits per row of the recovery table (docs/JOURNAL.md), and parts that met it in the log:",
  );
  let isComplete = true;
  for (const row of RECOVERY_ROWS) {
    const hits = sum(results, ({ rows }) => rows[row] ?? 0);
    const inLog = sum(results, ({ rowsInLog }) => rowsInLog[row] ?? 0);
    const isMet = hits > 0 && inLog > 0;
    if (!isMet) isComplete = false;
    const counts = `${String(hits).padStart(9)} ${String(inLog).padStart(9)}`;
    console.log(`  ${row.padEnd(12)}${counts}${isMet ? "" : "   NEVER MET"}`);
  }
  for (const { seed } of failed) console.log(`failed: seed ${seed}`);
  return failed.length === 0 && isComplete;
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

/** One line a violation, for other programs. */
function tellViolations(results: readonly Summary[]): number {
  const failed = results.filter(({ violations }) => violations.length > 0);
  for (const { seed, violations } of failed) {
    for (const text of violations) console.log(`VIOLATION ${seed} ${text.split("\n", 1)[0]}`);
  }
  return failed.length === 0 ? 0 : 1;
}

/** Shrinks a failing seed and tells what is left of it. Returns whether the seed held. */
function shrinkAndTell(seed: number, options: RunOptions): boolean {
  console.log(`\nshrinking seed ${seed}`);
  const rest = shrinkSeed(seed, options, (part, left) => console.log(`  ${part}: ${left} left`));
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
      threads: { type: "string" },
      trace: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      violations: { type: "boolean", default: false },
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
    if (values.shrink) return shrinkAndTell(Number(values.seed), options) ? 0 : 1;
    return tellSeed(Number(values.seed), values.trace, options) ? 0 : 1;
  }
  const match = /^(\d+)\.\.(\d+)$/.exec(values.seeds);
  if (match === null) {
    console.error(`--seeds takes A..B, found ${values.seeds}`);
    return 2;
  }
  const threads = Number(values.threads ?? Math.min(2, availableParallelism()));
  const results = await runOnThreads(Number(match[1]), Number(match[2]), threads);
  if (values.violations) return tellViolations(results);
  if (values.json) console.log(JSON.stringify(results));
  const holds = report(results);
  const failed = results.find(({ violations }) => violations.length > 0);
  if (failed !== undefined) shrinkAndTell(failed.seed, {});
  return holds ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else runRange(workerData as SeedRange, (summary) => parentPort?.postMessage(summary));
