/**
 * The folder that the headline's steps write into: a result a step, and `bars.json`, which says
 * what each bar came to by all of them.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BARS, type BarRow, judge } from "./bars.ts";
import { readResult, type Result } from "./results.ts";

/** Names of the headline's steps, in the order of the bars. */
export const STEP_NAMES: readonly string[] = [...new Set(BARS.map(({ step }) => step))];

/** The file of a step. */
export function stepPath(folder: string, step: string): string {
  return join(folder, `${step}.json`);
}

/** What the steps came to that ran into `folder`. Throws if a file there is no result. */
export function readSteps(folder: string): Map<string, Result> {
  const found = new Map<string, Result>();
  for (const step of STEP_NAMES) {
    const path = stepPath(folder, step);
    if (existsSync(path)) found.set(step, readResult(path));
  }
  return found;
}

/** Judges every bar by what is in `folder` and writes `bars.json` there; returns its rows. */
export function writeBars(folder: string): readonly BarRow[] {
  const rows = judge(readSteps(folder));
  writeFileSync(join(folder, "bars.json"), barsText(rows));
  return rows;
}

/** The text of `bars.json`. */
export function barsText(rows: readonly BarRow[]): string {
  return `${JSON.stringify({ rows }, null, 2)}\n`;
}
