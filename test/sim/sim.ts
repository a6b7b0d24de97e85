/**
 * The command of the simulation: runs seeds, prints what they met, fails if one of them fails or
 * has too little in it, or a row of the recovery table or a kind of fault was never met.
 *
 *   node dist/test/sim/sim.js --seed N [--trace] [--messages M] [--faults F] [--deaths D]
 *                             [--reloads R] [--only REST]
 *   node dist/test/sim/sim.js --seed N --shrink
 *   node dist/test/sim/sim.js --seeds A..B [--minutes M] [--jobs N] [--out FILE [--add]]
 *                             [--violations | --until PATTERN]
 *
 * With `--minutes` no seed is begun after that time. Seeds are independent, so they are dealt out
 * in their order to N threads, as many as the machine has cores unless told. FILE is written every
 * minute and at the end; with `--add` the run goes on behind the last seed in it, and adds itself
 * as one more sitting. A failing seed is replayed by `--seed
 * N --trace`; the first that fails is also shrunk, and what is left of it traced. For other
 * programs: `--violations` prints one line each, `--until` too, and stops at the first that fits a
 * pattern.
 */
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { readFlags } from "../support/flags.ts";
import { committedState } from "./result-file.ts";
import { type RunOptions, runSeed } from "./run-seed.ts";
import {
  addFigures,
  type Effort,
  type Figures,
  figuresOf,
  report,
  type Summary,
} from "./seed-figures.ts";
import { formatRest, parseRest, shrinkSeed } from "./shrink.ts";
import { readSittings, writeSittings } from "./sittings.ts";

/**
 * What a seed allocates is mostly garbage a moment later: a young generation of this size keeps the
 * collector from copying it.
 */
const YOUNG_GENERATION_MB = 96;

/** What a run of many seeds takes to shrink one; `--shrink` takes as long as it needs. */
const SHRINK_MS = 90_000;

/** How often the result of a run under way is written. */
const WRITE_MS = 60_000;

interface SeedRange {
  readonly first: number;
  readonly last: number;
}

/** Runs the seeds that the main thread asks for, one after the other. */
function runAsked(): void {
  parentPort?.on("message", (seed: number) => {
    const { trace: _, ...summary } = runSeed(seed);
    parentPort?.postMessage(summary);
  });
}

/**
 * Runs seeds on `jobs` threads until the range or the time is over, or `tell`, which gets each
 * result as it comes, returns false.
 */
async function runOnThreads(
  { first, last }: SeedRange,
  jobs: number,
  untilMs: number,
  tell: (summary: Summary) => boolean,
): Promise<void> {
  const workers: Worker[] = [];
  let next = first;
  const deal = (worker: Worker): void => {
    if (next > last || Date.now() > untilMs) void worker.terminate();
    else worker.postMessage(next++);
  };
  await Promise.all(
    Array.from({ length: jobs }, () => {
      return new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), {
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
        });
        workers.push(worker);
        worker.on("message", (summary: Summary) => {
          if (tell(summary)) deal(worker);
          else for (const one of workers) void one.terminate();
        });
        worker.on("error", reject);
        worker.on("exit", () => resolve());
        deal(worker);
      });
    }),
  );
}

/** Sums up results in the order of their seeds, so that none is missing below the last. */
class Tally {
  figures: Figures | null = null;
  #next: number;
  readonly #waiting = new Map<number, Summary>();

  constructor(first: number) {
    this.#next = first;
  }

  get last(): number {
    return this.#next - 1;
  }

  add(summary: Summary): void {
    this.#waiting.set(summary.seed, summary);
    for (;;) {
      const next = this.#waiting.get(this.#next);
      if (next === undefined) return;
      this.#waiting.delete(this.#next++);
      this.figures = addFigures(this.figures, figuresOf(next));
    }
  }
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
function tellViolations(failed: Summary[]): number {
  for (const { seed, violations } of failed.sort((a, b) => a.seed - b.seed)) {
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
  const { values } = readFlags({
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "1..100" },
      jobs: { type: "string" },
      minutes: { type: "string" },
      trace: { type: "boolean", default: false },
      out: { type: "string" },
      add: { type: "boolean", default: false },
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
  return await runSeeds(values);
}

interface ManySeeds {
  readonly seeds: string;
  readonly jobs?: string;
  readonly minutes?: string;
  readonly out?: string;
  readonly add: boolean;
  readonly violations: boolean;
  readonly until?: string;
}

async function runSeeds({ seeds, jobs, minutes, out, add, ...values }: ManySeeds): Promise<number> {
  const match = /^(\d+)\.\.(\d+)$/.exec(seeds);
  if (match === null || (add && out === undefined)) {
    console.error(`--seeds takes A..B, found ${seeds}; --add needs --out`);
    return 2;
  }
  const earlier = add ? readSittings(out as string) : [];
  const first = Math.max(Number(match[1]), 1 + (earlier.at(-1)?.last ?? 0));
  const commit = out === undefined ? "" : committedState(out);
  const threads = Number(jobs ?? availableParallelism());
  const until = values.until === undefined ? null : new RegExp(values.until);
  const startedMs = Date.now();
  const tally = new Tally(first);
  const failed: Summary[] = [];
  const effort = (): Effort => {
    const { user, system } = process.cpuUsage();
    const wallMinutes = (Date.now() - startedMs) / 60_000;
    return { cpuMinutes: (user + system) / 60e6, wallMinutes, jobs: threads };
  };
  const write = (): { total: Figures; effort: Effort } | null => {
    const { figures, last } = tally;
    if (out === undefined || figures === null) return null;
    const date = new Date(startedMs).toISOString();
    const sitting = { commit, date, first, last, ...effort(), figures };
    const command = `npm run sim -- --seeds ${seeds}${add ? " --add" : ""} --out ${out}`;
    return writeSittings(out, command, [...earlier, sitting]);
  };
  const writing = setInterval(write, WRITE_MS);
  const untilMs = minutes === undefined ? Infinity : startedMs + Number(minutes) * 60_000;
  await runOnThreads({ first, last: Number(match[2]) }, threads, untilMs, (summary) => {
    tally.add(summary);
    if (process.stdout.isTTY) process.stdout.write(`\rseed ${summary.seed} `);
    if (summary.violations.length === 0) return true;
    failed.push(summary);
    if (until !== null) return !summary.violations.some((text) => until.test(firstLine(text)));
    if (!values.violations) printFailure(summary);
    return true;
  });
  clearInterval(writing);
  if (values.violations || until !== null) return tellViolations(failed);
  if (tally.figures === null) {
    console.error(`no seed of ${seeds} was run${add ? `: ${out} may have them all` : ""}`);
    return 2;
  }
  let holds = report(tally.figures, effort());
  const written = write();
  if (written !== null && earlier.length > 0) {
    console.log(`\nall ${earlier.length + 1} sittings in ${out}:`);
    holds = report(written.total, written.effort);
  }
  if (failed[0] !== undefined) shrinkAndTell(failed[0].seed, {}, SHRINK_MS);
  return holds ? 0 : 1;
}

if (isMainThread) process.exitCode = await main();
else runAsked();
