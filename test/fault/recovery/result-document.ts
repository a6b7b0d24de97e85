/**
 * The file that large runs leave: results with commit, date and machine, a run or one sitting after
 * the other.
 *
 *   test, commit, date, machine, options, results      one run
 *   test, total, sittings: [ … ]                       several, each as one run has it
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";

/** What the sum over sittings needs of a row's result. */
export interface Counted {
  readonly row: string;
  readonly trials: number;
  readonly failures: number;
}

export interface Run {
  readonly test: string;
  readonly commit: string;
  readonly date: string;
  readonly machine: string;
  /** Over 1, 5 and 15 minutes: how busy the machine was with other work as well. */
  readonly load_average: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly results: readonly Counted[];
}

/** A run of this build on this machine, that ends now. */
export function runOf(test: string, options: Run["options"], results: readonly Counted[]): Run {
  return {
    test,
    commit: execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim(),
    date: new Date().toISOString(),
    machine: `${availableParallelism()} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}`,
    load_average: loadavg().map((load) => Number(load.toFixed(1))),
    options,
    results,
  };
}

/**
 * The runs in the file at `path`; none if there is no such file. Throws if one of them had one of
 * these rows with this seed: what was tried once does not count again.
 */
export function earlierRuns(path: string, rows: readonly string[], seed: string): readonly Run[] {
  if (!existsSync(path)) return [];
  const found = JSON.parse(readFileSync(path, "utf8")) as Run | { readonly sittings: Run[] };
  const runs = "sittings" in found ? found.sittings : [found];
  for (const { options, results } of runs) {
    const again = results.find(({ row }) => options["seed"] === seed && rows.includes(row));
    if (again === undefined) continue;
    throw new Error(`${path} has ${again.row} with seed ${seed}: give another one by --seed`);
  }
  return runs;
}

/** The file's text, JSON. `runs`: at least one. */
export function resultDocument(runs: readonly Run[]): string {
  const [first] = runs as [Run];
  const document =
    runs.length === 1 ? first : { test: first.test, total: totalOf(runs), sittings: runs };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Trials and failures by row, over all runs; bound_95 as in one run. */
function totalOf(runs: readonly Run[]): object {
  const total: Record<string, { trials: number; failures: number; bound_95: number | null }> = {};
  for (const { row, trials, failures } of runs.flatMap(({ results }) => results)) {
    const sum = (total[row] ??= { trials: 0, failures: 0, bound_95: null });
    sum.trials += trials;
    sum.failures += failures;
    sum.bound_95 = sum.failures === 0 ? 3 / sum.trials : null;
  }
  return total;
}
