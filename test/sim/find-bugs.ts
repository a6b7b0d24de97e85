/**
 * The command that proves the simulation can see: applies realistic bugs to a copy of the sources
 * one by one, builds it, and runs seeds until one fails.
 *
 *   npm run sim:bugs -- [--seeds 5000] [--only WORD] [--check] [--out FILE]
 *
 * A bug is a unified diff in `bugs/`; the lines before its first `---` say what it stands for, and
 * `Finds:` gives a pattern that a violation must match, so that a bug is not "found" by chance.
 * `--check` only tells whether every diff still applies. A bug that no seed finds fails the run.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { committedState, writeResult } from "./result-file.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BUGS = join(ROOT, "test/sim/bugs");
const COPIED = ["src", "test", "bench", "package.json", "tsconfig.json"];

/** A planted bug as its file describes it. */
export interface PlantedBug {
  readonly name: string;
  readonly file: string;
  readonly finds: RegExp;
}

/** What became of one. */
interface Finding {
  readonly bug: string;
  /** Seeds run until one failed as it should; null: none did. */
  readonly seeds: number | null;
  readonly violation: string;
}

/** Every bug in `bugs/`; throws if one does not say what finds it. */
export function plantedBugs(): readonly PlantedBug[] {
  return readdirSync(BUGS)
    .filter((name) => name.endsWith(".patch"))
    .sort()
    .map((name) => {
      const file = join(BUGS, name);
      const pattern = /^Finds: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
      if (pattern === undefined) throw new Error(`${name} has no line "Finds: <pattern>"`);
      return { name: name.replace(/\.patch$/, ""), file, finds: new RegExp(pattern) };
    });
}

/** Why a bug's diff does not apply to the sources as they are; null if it does. */
export function whyNotApplicable(bug: PlantedBug): string | null {
  const run = spawnSync("git", ["apply", "--check", bug.file], { cwd: ROOT, encoding: "utf8" });
  return run.status === 0 ? null : `${run.stderr}${run.error?.message ?? ""}`.trim();
}

function copySources(into: string): void {
  for (const name of COPIED) cpSync(join(ROOT, name), join(into, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(into, "node_modules"));
}

/** Builds a copy with the bug, and runs seeds in it until one fails as it should. */
function hunt(bug: PlantedBug, seedsMax: number): Finding {
  const copy = mkdtempSync(join(tmpdir(), "planted-bug-"));
  try {
    copySources(copy);
    execFileSync("git", ["apply", bug.file], { cwd: copy });
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [tsc, "-p", "tsconfig.json"], { cwd: copy });
    const stepMax = 20 * availableParallelism();
    // Most bugs are found at once.
    let step = 4;
    for (let first = 1; first <= seedsMax; ) {
      const last = Math.min(first + step - 1, seedsMax);
      const sim = ["dist/test/sim/sim.js", "--seeds", `${first}..${last}`, "--violations"];
      const { stdout } = spawnSync(process.execPath, sim, { cwd: copy, encoding: "utf8" });
      const found = readViolations(stdout).find(({ text }) => bug.finds.test(text));
      if (found !== undefined) return { bug: bug.name, seeds: found.seed, violation: found.text };
      first = last + 1;
      step = Math.min(2 * step, stepMax);
    }
    return { bug: bug.name, seeds: null, violation: "" };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

function readViolations(stdout: string): { seed: number; text: string }[] {
  return stdout
    .split("\n")
    .map((line) => /^VIOLATION (\d+) (.*)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ seed: Number(match[1]), text: match[2] ?? "" }))
    .sort((a, b) => a.seed - b.seed);
}

function checkAll(bugs: readonly PlantedBug[]): number {
  let failures = 0;
  for (const bug of bugs) {
    const why = whyNotApplicable(bug);
    if (why !== null) failures++;
    console.log(`${why === null ? "applies" : "STALE  "}  ${bug.name}${why === null ? "" : why}`);
  }
  return failures === 0 ? 0 : 1;
}

function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: "string", default: "5000" },
      only: { type: "string", default: "" },
      check: { type: "boolean", default: false },
      out: { type: "string" },
    },
  });
  const bugs = plantedBugs().filter(({ name }) => name.includes(values.only));
  if (values.check) return checkAll(bugs);
  const commit = values.out === undefined ? "" : committedState();
  const findings = bugs.map((bug) => {
    const finding = hunt(bug, Number(values.seeds));
    const verdict = finding.seeds === null ? "NOT FOUND" : `seed ${finding.seeds}`;
    console.log(`${verdict.padEnd(10)} ${finding.bug}: ${finding.violation.slice(0, 120)}`);
    return finding;
  });
  if (values.out !== undefined) {
    const command = `npm run sim:bugs -- --seeds ${values.seeds}`;
    writeResult(values.out, command, commit, { findings });
  }
  const missed = findings.filter(({ seeds }) => seeds === null).length;
  console.log(`${findings.length - missed} of ${findings.length} planted bugs found`);
  return missed === 0 && findings.length > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
