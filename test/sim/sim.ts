/**
 * The command of the simulation: runs seeds, prints what they met, fails if one of them fails or a
 * row of the recovery table was never met.
 *
 *   node dist/test/sim/sim.js --seed N [--trace] [--messages M] [--faults F] [--deaths D]
 *                             [--reloads R] [--only REST]
 *   node dist/test/sim/sim.js --seed N --shrink
 *   node dist/test/sim/sim.js --seeds A..B [--minutes M] [--threads T] [--out FILE]
 *                             [--violations]
 *
 * With `--minutes` no seed is begun after that time. Seeds are independent, so they are dealt out
 * to threads. A failing seed is replayed by `--seed N --trace`; the first that fails is also
 * shrunk, and what is left of it traced.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { RECOVERY_ROWS } from "./log-model.ts";
import { type RunOptions, runSeed, type RunResult } from "./run-seed.ts";
import { committedState, writeResult } from "./result-file.ts";
import { formatRest, parseRest, shrinkSeed } from "./shrink.ts";

interface SeedRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Wall ms after which no seed is begun; null: none. */
  readonly untilMs: number | null;
}

/** A result as it travels between threads: without its trace. */
type Summary = Omit<RunResult, "trace">;

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
  threads: number,
  untilMs: number | null,
): Promise<Summary[]> {
  const results: Summary[] = [];
  const tell = (summary: Summary): void => {
    results.push(summary);
    if (summary.violations.length > 0) printFailure(summary);
    else if (process.stdout.isTTY) process.stdout.write(`\r${results.length} seeds `);
  };
  await Promise.all(
    Array.from({ length: threads }, (_, thread) => {
      const range: SeedRange = { first: first + thread, last, step: threads, untilMs };
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

function printFailure({ seed, violations, deaths }: Summary): void {
  console.log(`\nseed ${seed} FAILED; replay: node dist/test/sim/sim.js --seed ${seed} --trace`);
  for (const violation of violations.slice(0, 8)) console.log(`  ${violation}`);
  for (const death of deaths) console.log(`  death: ${death.split("\n", 1)[0]}`);
}

/** What many seeds came to. */
interface Figures {
  readonly seeds: number;
  readonly failed: readonly number[];
  readonly simulatedHours: number;
  readonly cpuMinutes: number;
  readonly messages: number;
  /** Of any seed. */
  readonly messagesLeast: number;
  readonly faultsLeast: number;
  readonly deathsLeast: number;
  readonly promised: number;
  readonly segments: number;
  readonly flaggedDuplicates: number;
  readonly deaths: number;
  readonly faults: number;
  readonly reloads: number;
  readonly repeated: number;
  readonly replayed: number;
  readonly decided: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Hits per row of the recovery table, and parts that met it in the log. */
  readonly rows: Readonly<Record<string, { readonly hits: number; readonly inLog: number }>>;
}

function figuresOf(results: readonly Summary[]): Figures {
  const sum = (of: (result: Summary) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const least = (of: (result: Summary) => number): number =>
    results.reduce((low, result) => Math.min(low, of(result)), Number.POSITIVE_INFINITY);
  const statuses: Record<string, number> = {};
  for (const result of results) {
    for (const [status, count] of Object.entries(result.statuses)) {
      statuses[status] = (statuses[status] ?? 0) + count;
    }
  }
  const rows = RECOVERY_ROWS.map((row) => {
    const hits = sum((result) => result.rows[row] ?? 0);
    return [row, { hits, inLog: sum((result) => result.rowsInLog[row] ?? 0) }] as const;
  });
  const { user, system } = process.cpuUsage();
  return {
    seeds: results.length,
    failed: results.filter(({ violations }) => violations.length > 0).map(({ seed }) => seed),
    simulatedHours: sum(({ simulatedMs }) => simulatedMs) / 3_600_000,
    cpuMinutes: (user + system) / 60e6,
    messages: sum(({ messages }) => messages),
    messagesLeast: least(({ messages }) => messages),
    faultsLeast: least(({ faults }) => faults),
    deathsLeast: least(({ deaths }) => deaths.length),
    promised: sum(({ promised }) => promised),
    segments: sum(({ segments }) => segments),
    flaggedDuplicates: sum(({ flaggedDuplicates }) => flaggedDuplicates),
    deaths: sum(({ deaths }) => deaths.length),
    faults: sum(({ faults }) => faults),
    reloads: sum(({ reloads }) => reloads),
    repeated: sum(({ repeated }) => repeated),
    replayed: sum(({ replayed }) => replayed),
    decided: sum(({ decided }) => decided),
    statuses,
    rows: Object.fromEntries(rows),
  };
}

/** Prints the figures; returns whether every seed held and every row was met. */
function report(figures: Figures): boolean {
  const { seeds, failed, simulatedHours, cpuMinutes, rows } = figures;
  console.log(
    `\n${seeds} seeds, ${failed.length} failed; ${simulatedHours.toFixed(2)} simulated hours,`,
    `${(simulatedHours / cpuMinutes).toFixed(2)} of them per minute of CPU,`,
    `${((cpuMinutes * 60_000) / seeds).toFixed(0)} ms of CPU a seed`,
  );
  console.log(
    `${figures.messages} messages (${figures.messagesLeast} at least in a seed),`,
    `${figures.promised} with 202, ${figures.segments} segments written,`,
    `${figures.flaggedDuplicates} flagged duplicates`,
  );
  console.log(
    `${figures.deaths} deaths (${figures.deathsLeast} at least),`,
    `${figures.faults} faults (${figures.faultsLeast} at least), ${figures.reloads} reloads,`,
    `${figures.repeated} calls repeated by key,`,
    `${figures.replayed} dead letters sent anew,`,
    `${figures.decided} decisions about held messages`,
  );
  const statuses = Object.entries(figures.statuses);
  console.log(statuses.map(([status, count]) => `${status} ${count}`).join(", "));
  console.log(
    "hits per row of the recovery table (docs/JOURNAL.md), and parts that met it in the log:",
  );
  let isComplete = true;
  for (const [row, { hits, inLog }] of Object.entries(rows)) {
    const isMet = hits > 0 && inLog > 0;
    if (!isMet) isComplete = false;
    const counts = `${String(hits).padStart(9)} ${String(inLog).padStart(9)}`;
    console.log(`  ${row.padEnd(12)}${counts}${isMet ? "" : "   NEVER MET"}`);
  }
  for (const seed of failed) console.log(`failed: seed ${seed}`);
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
      minutes: { type: "string" },
      trace: { type: "boolean", default: false },
      out: { type: "string" },
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
  const commit = values.out === undefined ? "" : committedState();
  const { minutes } = values;
  const untilMs = minutes === undefined ? null : Date.now() + Number(minutes) * 60_000;
  const results = await runOnThreads(Number(match[1]), Number(match[2]), threads, untilMs);
  if (values.violations) return tellViolations(results);
  const figures = figuresOf(results);
  const holds = report(figures);
  if (values.out !== undefined) {
    writeResult(values.out, `npm run sim -- --seeds ${values.seeds}`, commit, { ...figures });
  }
  const failed = results.find(({ violations }) => violations.length > 0);
  if (failed !== undefined) shrinkAndTell(failed.seed, {});
  return holds ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else runRange(workerData as SeedRange, (summary) => parentPort?.postMessage(summary));
