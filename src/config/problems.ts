/**
 * What is wrong with a configuration: the key's path, what was found there, what is allowed.
 *
 * All problems are collected before anything is refused, so that one run shows them all.
 * Secrets never appear in them. Cold path; any thread.
 */
import { EXIT_CODES } from "../errors.ts";

/** One refusal. */
export interface ConfigProblem {
  /** As `links[100].rate_tps`; items without a usable id by position from 0, as `links[#0]`. */
  readonly path: string;
  readonly found: string;
  readonly allowed: string;
  /** `line 12`, or the environment variable; null if neither is known. */
  readonly where: string | null;
}

/** One line for people: path (where): found …; allowed: …. */
export function problemLine(problem: ConfigProblem): string {
  const where = problem.where === null ? "" : ` (${problem.where})`;
  return `${problem.path}${where}: found ${problem.found}; allowed: ${problem.allowed}`;
}

/** The configuration was refused; the program ends with exit code 78. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly exitCode = EXIT_CODES.config.code;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => problemLine(problem)).join("\n"));
    this.problems = problems;
  }
}

const SHOWN_MAX = 60;

/** A found value in JSON, cut short; never call it with a secret. */
export function showValue(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`;
}

/** Number of single-character edits between two words (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const UNIT_SUFFIX = /_(?:ms|s|m|h|sec|secs|seconds|bytes|kb|mb|tps|max)$/u;

/** The known word that was probably meant: the same name with another unit, or a small typo. */
export function didYouMean(word: string, known: readonly string[]): string | null {
  const typed = word.slice(0, 64).toLowerCase().replaceAll("-", "_");
  const stem = typed.replace(UNIT_SUFFIX, "");
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(typed.length / 4)) + 1;
  for (const candidate of known) {
    const sameStem = candidate.replace(UNIT_SUFFIX, "") === stem;
    const distance = sameStem
      ? 1
      : editDistance(typed.replaceAll("_", ""), candidate.replaceAll("_", ""));
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
