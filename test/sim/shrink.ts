/**
 * Makes a failing seed small: leaves out deaths, faults and messages as long as what is left still
 * breaks the same rule, so that its trace can be read.
 *
 *   all ──► halves, quarters, … left out in turn ──► no single one can be left out any more
 *
 * Delta debugging after Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input"
 * (2002), part by part and within a bound of runs. Other draws of the world shift when something
 * is left out, so the violation counts by its kind, not by its numbers.
 */
import { runSeed, type RunOptions, SEED_PARTS, type SeedPart } from "./run-seed.ts";

/** Runs that one part may take. */
const RUNS_MAX = 150;

/** What is left of a seed, by part. */
export type SeedRest = Readonly<Record<SeedPart, ReadonlySet<number>>>;

/** A violation without its numbers and names: what two runs must have in common. */
export function violationKind(violation: string): string {
  return violation
    .split("\n", 1)
    .join("")
    .replace(/[0-9a-f]{8,}|\d+(\.\d+)?/g, "#")
    .replace(/\b(delivered|undelivered|sent|unknown|expired|rejected|failed|held)\b/g, "*");
}

/**
 * The smallest list found that `fails`, of those made by leaving elements of `items` out; `items`
 * itself must fail. Calls `fails` at most `runsMax` times.
 */
export function leaveOut<T>(
  items: readonly T[],
  fails: (rest: readonly T[]) => boolean,
  runsMax = RUNS_MAX,
): readonly T[] {
  let rest = items;
  let runs = 0;
  let size = rest.length;
  while (size >= 1 && rest.length > 0) {
    let isShorter = false;
    for (let from = 0; from < rest.length && runs < runsMax; ) {
      const shorter = [...rest.slice(0, from), ...rest.slice(from + size)];
      runs++;
      if (fails(shorter)) {
        rest = shorter;
        isShorter = true;
      } else {
        from += size;
      }
    }
    if (runs >= runsMax) break;
    if (size === 1 && !isShorter) break;
    if (!isShorter || size > rest.length) size = Math.max(1, Math.min(size, rest.length) >> 1);
  }
  return rest;
}

/**
 * What is left of failing seed `seed` when nothing more can be left out; null if it holds. `onStep`
 * hears of each part's end. Once `isTimeUp`, what is left stays.
 */
export function shrinkSeed(
  seed: number,
  options: RunOptions,
  onStep: (part: SeedPart, left: number) => void,
  isTimeUp: () => boolean = () => false,
): SeedRest | null {
  const first = runSeed(seed, options);
  const violation = first.violations[0];
  if (violation === undefined) return null;
  const kind = violationKind(violation);
  const rest: Record<SeedPart, ReadonlySet<number>> = {
    deaths: new Set(Array(first.planned.deaths).keys()),
    faults: new Set(Array(first.planned.faults).keys()),
    messages: new Set(Array(first.planned.messages).keys()),
  };
  for (const part of SEED_PARTS) {
    const left = leaveOut([...rest[part]], (some) => {
      if (isTimeUp()) return false;
      const only = { ...rest, [part]: new Set(some) };
      const { violations } = runSeed(seed, { ...options, only });
      return violations.some((other) => violationKind(other) === kind);
    });
    rest[part] = new Set(left);
    onStep(part, left.length);
  }
  return rest;
}

/** As a flag of the command: `deaths:0;faults:3,7;messages:12`. */
export function formatRest(rest: SeedRest): string {
  return SEED_PARTS.map((part) => `${part}:${[...rest[part]].join(",")}`).join(";");
}

/** What formatRest wrote; throws on anything else. */
export function parseRest(text: string): SeedRest {
  const rest: Partial<Record<SeedPart, ReadonlySet<number>>> = {};
  for (const piece of text.split(";")) {
    const match = /^(deaths|faults|messages):((?:\d+,)*\d+)?$/.exec(piece);
    if (match === null) throw new Error(`--only takes parts:numbers, found ${piece}`);
    const numbers = match[2] === undefined ? [] : match[2].split(",").map(Number);
    rest[match[1] as SeedPart] = new Set(numbers);
  }
  const missing = SEED_PARTS.find((part) => rest[part] === undefined);
  if (missing !== undefined) throw new Error(`--only says nothing of ${missing}`);
  return rest as SeedRest;
}
