/**
 * The result of a run of seeds that is too long for one sitting: a file to which each sitting adds
 * its range of seeds, with the commit that they ran on, and its sums to those of all.
 *
 *   sittings   commit, date, seeds first..last, effort, what they came to   one after the other
 *   total      what the seeds of all sittings came to
 *
 * No seed counts twice: a sitting begins behind the last seed of the one before. For the command
 * only.
 */
import { existsSync, readFileSync } from "node:fs";
import { writeResult } from "./result-file.ts";
import { addFigures, type Effort, type Figures } from "./seed-figures.ts";

/** One run of the command: seeds `first` to `last`, every one of them. */
export interface Sitting extends Effort {
  readonly commit: string;
  readonly date: string;
  readonly first: number;
  readonly last: number;
  readonly figures: Figures;
}

/** The sittings in `path`; none if there is no such file. Throws if it is of another kind. */
export function readSittings(path: string): readonly Sitting[] {
  if (!existsSync(path)) return [];
  const { sittings } = JSON.parse(readFileSync(path, "utf8")) as { sittings?: Sitting[] };
  if (sittings === undefined) throw new Error(`${path} has no sittings to add one to`);
  return sittings;
}

/** Writes `sittings` with what all of them came to. Returns that sum. */
export function writeSittings(
  path: string,
  command: string,
  sittings: readonly Sitting[],
): { readonly total: Figures; readonly effort: Effort } {
  const last = sittings.at(-1) as Sitting;
  const total = sittings.reduce<Figures | null>(
    (sum, { figures }) => addFigures(sum, figures),
    null,
  ) as Figures;
  const effort = {
    cpuMinutes: sittings.reduce((sum, { cpuMinutes }) => sum + cpuMinutes, 0),
    wallMinutes: sittings.reduce((sum, { wallMinutes }) => sum + wallMinutes, 0),
    jobs: last.jobs,
  };
  writeResult(path, command, last.commit, { ...total, ...effort, sittings });
  return { total, effort };
}
