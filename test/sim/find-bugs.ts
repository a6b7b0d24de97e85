/**
 * The command that proves the simulation can see: applies realistic bugs to a copy of the sources
 * one by one, builds it, and runs seeds until one fails.
 *
 *   npm run sim:bugs -- [--seeds 5000] [--only WORD] [--jobs N] [--check] [--out FILE]
 *
 * A bug is a unified diff in `bugs/`; the lines before its first `---` say what it stands for, and
 * `Finds:` gives a pattern that a violation must match, so that a bug is not "found" by chance.
 * N bugs are hunted at once, as many as there are cores unless told. `--check` only tells
 * whether every diff still applies. A bug that no seed finds fails the run.
 */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readFlags } from "../support/flags.ts";
import { committedState, writeResult } from "./result-file.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const BUGS = join(ROOT, "test/sim/bugs");
/** What 5,000 seeds that fail in other ways may print. */
const OUTPUT_BYTES_MAX = 64 << 20;
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
  /** The seed that failed as it should, of those from 1 on; null: none did. */
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
  const check = spawnSync("git", ["apply", "--check", bug.file], { cwd: ROOT, encoding: "utf8" });
  return check.status === 0 ? null : `${check.stderr}${check.error?.message ?? ""}`.trim();
}

function copySources(into: string): void {
  for (const name of COPIED) cpSync(join(ROOT, name), join(into, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(into, "node_modules"));
}

/** Builds a copy with the bug, and runs seeds in it until one fails as it should. */
async function hunt(bug: PlantedBug, seedsMax: number): Promise<Finding> {
  const copy = mkdtempSync(join(tmpdir(), "planted-bug-"));
  try {
    copySources(copy);
    await run("git", ["apply", bug.file], { cwd: copy });
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [tsc, "-p", "tsconfig.json"], { cwd: copy });
    const seeds = ["--seeds", `1..${seedsMax}`, "--jobs", "1", "--until", bug.finds.source];
    const options = { cwd: copy, maxBuffer: OUTPUT_BYTES_MAX };
    const command = ["--single-threaded-gc", "dist/test/sim/sim.js", ...seeds];
    const sim = run(process.execPath, command, options);
    // Its exit code tells that a seed failed, as it should.
    const { stdout } = await sim.catch((error: { readonly stdout?: string }) => error);
    const found = readViolations(stdout ?? "").find(({ text }) => bug.finds.test(text));
    if (found === undefined) return { bug: bug.name, seeds: null, violation: "" };
    return { bug: bug.name, seeds: found.seed, violation: found.text };
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

async function main(): Promise<number> {
  const { values } = readFlags({
    options: {
      seeds: { type: "string", default: "5000" },
      only: { type: "string", default: "" },
      check: { type: "boolean", default: false },
      jobs: { type: "string" },
      out: { type: "string" },
    },
  });
  const bugs = plantedBugs().filter(({ name }) => name.includes(values.only));
  if (values.check) return checkAll(bugs);
  const commit = values.out === undefined ? "" : committedState(values.out);
  const findings: Finding[] = [];
  const waiting = [...bugs];
  const huntOn = async (): Promise<void> => {
    const bug = waiting.shift();
    if (bug === undefined) return;
    const finding = await hunt(bug, Number(values.seeds));
    const verdict = finding.seeds === null ? "NOT FOUND" : `seed ${finding.seeds}`;
    console.log(`${verdict.padEnd(10)} ${finding.bug}: ${finding.violation.slice(0, 120)}`);
    findings.push(finding);
    if (values.out !== undefined) {
      // After each, so that a run that is cut short leaves what it found.
      const command = `npm run sim:bugs -- --seeds ${values.seeds}`;
      writeResult(values.out, command, commit, { planted: bugs.length, findings });
    }
    await huntOn();
  };
  const jobs = Number(values.jobs ?? availableParallelism());
  await Promise.all(Array.from({ length: jobs }, huntOn));
  const missed = findings.filter(({ seeds }) => seeds === null).length;
  console.log(`${findings.length - missed} of ${findings.length} planted bugs found`);
  return missed === 0 && findings.length > 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
