/**
 * Pools at length: `npm run fault:pools -- [--messages N] [--waiting N] [--idle-seconds S]
 * [--trials N] [--out FILE]`.
 *
 * Prints a line a trial; `--out` writes all of it with commit, date and machine, and refuses a tree
 * with changes. Exit code 1 if a message was lost, doubled or overtaken, or a share is off by more
 * than 1 %. Entry point.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { readFlags } from "../../support/flags.ts";
import { Workspace } from "../../support/processes.ts";
import { type PoolFigures, runPools } from "./pool-trial.ts";

const SHARE_ERROR_MAX = 0.01;

const { values } = readFlags({
  options: {
    messages: { type: "string", default: "200000" },
    waiting: { type: "string", default: "50000" },
    "idle-seconds": { type: "string", default: "10" },
    trials: { type: "string", default: "5" },
    out: { type: "string" },
  },
});
const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
if (values.out !== undefined && git("status", "--porcelain", "--untracked-files=no") !== "") {
  console.error("the tree has changes; a result needs a commit");
  process.exit(2);
}
const commit = git("rev-parse", "HEAD");
const trials: (PoolFigures & { readonly load: number })[] = [];
for (let trial = 0; trial < Number(values.trials); trial++) {
  const workspace = new Workspace();
  try {
    const figures = await runPools(workspace, {
      messages: Number(values.messages),
      waiting: Number(values.waiting),
      idleSeconds: Number(values["idle-seconds"]),
    });
    trials.push({ ...figures, load: loadavg()[0] as number });
    console.log(JSON.stringify(figures));
  } finally {
    await workspace.dispose();
  }
}
if (values.out !== undefined) {
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}`;
  const date = new Date().toISOString();
  const document = { test: "pools", commit, date, machine, options: values, trials };
  writeFileSync(values.out, `${JSON.stringify(document, null, 2)}\n`);
}
const isBad = ({ lost, doubled, overtaken, shareError }: PoolFigures) =>
  lost > 0 || doubled > 0 || overtaken > 0 || shareError > SHARE_ERROR_MAX;
process.exit(trials.some(isBad) ? 1 : 0);
