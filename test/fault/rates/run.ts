/**
 * Rate accuracy at full length: `npm run fault:rates -- [--rates 1,7,…] [--seconds S] [--trials N]
 * [--out file.json]`.
 *
 * Each rate runs alone. Prints a line a trial; `--out` writes all of it with commit, date and
 * machine. Exit code 1 if any second held more than the contract. Needs tcpdump and the right to
 * capture. Entry point.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { Workspace } from "../../support/processes.ts";
import { type RateFigures, runRates } from "./rate-trial.ts";

const { values } = parseArgs({
  options: {
    rates: { type: "string", default: "1,7,100,1000,10000,100000" },
    seconds: { type: "string", default: "30" },
    trials: { type: "string", default: "1" },
    out: { type: "string" },
  },
});

const trials: (RateFigures & { readonly load: number })[] = [];
for (let trial = 0; trial < Number(values.trials); trial++) {
  for (const rate of values.rates.split(",").map(Number)) {
    const workspace = new Workspace();
    try {
      for (const figures of await runRates(workspace, [rate], Number(values.seconds))) {
        trials.push({ ...figures, load: loadavg()[0] as number });
        console.log(JSON.stringify(figures));
      }
    } finally {
      await workspace.dispose();
    }
  }
}
if (values.out !== undefined) {
  const about = {
    suite: "rates",
    commit: execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim(),
    date: new Date().toISOString(),
    node: process.version,
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model ?? "",
      memory_bytes: totalmem(),
      kernel: release(),
    },
  };
  writeFileSync(values.out, `${JSON.stringify({ ...about, trials }, null, 2)}\n`);
}
process.exit(trials.some(({ densestSecond, rate }) => densestSecond > rate) ? 1 : 0);
