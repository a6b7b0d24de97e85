/**
 * Ends at random moments of a gateway's life: `npm run fault:ends -- [--trials N] [--spins N]
 * [--seed S] [--out file.json]`.
 *
 * Two thirds of the trials end within a second of the start, or of the first line of log: then
 * threads load and the log is recovered.
 * Prints a line a trial; `--out` writes the figures with commit, date and machine. Exit code 1 if
 * an end hung, aborted, had the wrong code, or lost what was promised. Entry point.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { readFlags } from "../../support/flags.ts";
import { gatewayYaml, Workspace } from "../../support/processes.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { type EndOutcome, EndsRig, type EndTrial, THREADS } from "./end-trial.ts";

const { values } = readFlags({
  options: {
    trials: { type: "string", default: "200" },
    spins: { type: "string", default: "6" },
    kinds: { type: "string", default: "once,twice,twice,respawned,throw" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
/** A gateway that starts has no ticks yet to be missed. */
const SPIN_AFTER_MS = 8000;
const trials = Number(values.trials);
const spins = Number(values.spins);
const random = seededRandom(Number(values.seed));
const kinds = values.kinds.split(",") as EndTrial["kind"][];
const workspace = new Workspace();
const outcomes: EndOutcome[] = [];
const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

try {
  const rig = await EndsRig.open(workspace, (smscPort) =>
    gatewayYaml(smscPort, { window: 100 }).replace("{ port: 0 }", "{ port: 0, threads: 2 }"),
  );
  for (let i = 0; i < trials + spins; i++) {
    const outcome = await rig.run({
      kind: i < trials ? pick(kinds) : "spin",
      since: pick(["start", "log"]),
      atMs: i < trials ? Math.round(random() * pick([1000, 1000, 5000])) : SPIN_AFTER_MS,
      gapMs: Math.round(random() * pick([1, 20, 300])),
      thread: i < trials ? pick(THREADS) : (THREADS[i % THREADS.length] as EndTrial["thread"]),
    });
    outcomes.push(outcome);
    const { lines, ...shown } = outcome;
    console.log(JSON.stringify(shown));
    if (outcome.problem !== null) console.log(lines.slice(-12).join("\n"));
  }
  const judged = await rig.judge();
  const report = {
    trials: outcomes.length,
    problems: outcomes.filter(({ problem }) => problem !== null).length,
    before_listening: outcomes.filter(({ wasListening }) => !wasListening).length,
    by_kind: Object.fromEntries(
      [...new Set(outcomes.map(({ kind }) => kind))].map((kind) => [
        kind,
        outcomes.filter((outcome) => outcome.kind === kind).length,
      ]),
    ),
    slowest_ms: Math.max(
      ...outcomes.filter(({ kind }) => kind !== "spin").map(({ tookMs }) => tookMs),
    ),
    ...judged,
  };
  console.log(JSON.stringify(report, null, 2));
  if (values.out !== undefined) {
    const about = {
      suite: "ends",
      command: `npm run fault:ends -- --trials ${trials} --spins ${spins} --seed ${values.seed}`,
      commit: execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim(),
      date: new Date().toISOString(),
      node: process.version,
      machine: {
        cpus: cpus().length,
        model: cpus()[0]?.model ?? "",
        memory_bytes: totalmem(),
        kernel: release(),
        load: loadavg()[0],
      },
    };
    writeFileSync(values.out, `${JSON.stringify({ ...about, report }, null, 2)}\n`);
  }
  if (report.problems + report.lost + report.unflagged > 0) process.exitCode = 1;
} finally {
  await workspace.dispose();
}
