/**
 * Compares two result files of the same bench, measure by measure, with confidence intervals.
 *
 *   npm run bench:compare -- BEFORE.json AFTER.json [--fail-above 10]
 *
 * A difference counts as shown when its 95 % interval does not hold 0, and there are at least four
 * runs of each: of fewer, no order is rare enough to show anything at 95 %. Ratios to a reference
 * made in the same run compare between machines and days; absolute figures only on one quiet
 * machine.
 * With `--fail-above N` a shown worsening of more than N % ends with exit code 1.
 */
import { readFlags } from "../../test/support/flags.ts";
import { describeOrigin } from "./machine.ts";
import { type Measure, measuresOf, readResult, type Result } from "./results.ts";
import { type Difference, differenceOf, median } from "./statistics.ts";

/** With three of each, one in ten orders by chance has all of one below all of the other. */
const RUNS_MIN = 4;

process.exitCode = main();

function main(): number {
  const { values, positionals } = readFlags({
    allowPositionals: true,
    options: { "fail-above": { type: "string" } },
  });
  const [beforePath, afterPath] = positionals;
  if (beforePath === undefined || afterPath === undefined || positionals.length > 2) {
    console.error("usage: bench:compare BEFORE.json AFTER.json [--fail-above PERCENT]");
    return 2;
  }
  const before = readResult(beforePath);
  const after = readResult(afterPath);
  if (before.kind !== after.kind) {
    console.error(`${beforePath} is a ${before.kind}, ${afterPath} a ${after.kind}`);
    return 2;
  }
  tellOrigins(before, after);
  tellSettings(before, after);
  const measures = new Map(measuresOf(after).map((measure) => [measure.name, measure]));
  const limit = Number(values["fail-above"] ?? Number.POSITIVE_INFINITY) / 100;
  let worse = 0;
  for (const measure of measuresOf(before)) {
    const other = measures.get(measure.name);
    if (other === undefined) continue;
    const difference = differenceOf(measure.values, other.values, Math.random);
    console.log(describe(measure, other, difference));
    if (!isOfFewRuns(measure, other) && worseningOf(measure, difference) > limit) worse++;
  }
  return worse === 0 ? 0 : 1;
}

function tellOrigins(before: Result, after: Result): void {
  for (const { origin, runs } of [before, after]) {
    const commit = `${origin.commit.slice(0, 10)}${origin.dirty ? " + changes" : ""}`;
    console.log(`${commit} ${origin.at}, ${runs.length} runs, ${describeOrigin(origin)}`);
  }
  if (describeOrigin(before.origin) !== describeOrigin(after.origin)) {
    console.log("Two machines: read the ratios only.");
  }
}

/** What was set otherwise: then the difference may come from there. */
function tellSettings(before: Result, after: Result): void {
  const [one, two] = [before.settings, after.settings].map(
    (settings) => settings as Readonly<Record<string, unknown>>,
  );
  const names = new Set([...Object.keys(one ?? {}), ...Object.keys(two ?? {})]);
  for (const name of names) {
    const [was, is] = [String(one?.[name]), String(two?.[name])];
    if (was !== is) console.log(`set otherwise: ${name} ${was} → ${is}`);
  }
}

function isOfFewRuns(before: Measure, after: Measure): boolean {
  return Math.min(before.values.length, after.values.length) < RUNS_MIN;
}

function describe(before: Measure, after: Measure, difference: Difference): string {
  const { share, low, high } = difference;
  const worsening = worseningOf(before, difference);
  let verdict = "no difference shown";
  if (isOfFewRuns(before, after)) verdict = "too few runs to show anything";
  else if (low > 0 || high < 0) verdict = worsening > 0 ? "WORSE" : "better";
  const number = (measure: Measure): string => short(median(measure.values));
  const interval = `[${percent(low)}, ${percent(high)}]`;
  return (
    `${before.name.padEnd(26)} ${number(before).padStart(9)} → ${number(after).padStart(9)} ` +
    `${before.unit.padEnd(3)} ${percent(share).padStart(7)} ${interval.padEnd(18)} ${verdict}`
  );
}

/** By how much it surely got worse, as a share; 0 or less if that is not shown. */
function worseningOf({ better }: Measure, { low, high }: Difference): number {
  return better === "lower" ? low : -high;
}

function short(value: number): string {
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : value.toPrecision(4);
}

function percent(share: number): string {
  return `${share > 0 ? "+" : ""}${(share * 100).toFixed(1)} %`;
}
