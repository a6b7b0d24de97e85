/**
 * Rate accuracy at full length: `npm run fault:rates -- [--rates 1:60,7,…] [--seconds S] [--trials
 * N] [--restarts SIGKILL,SIGTERM] [--free-from R] [--mean-min M] [--out file.json]`.
 *
 * Each rate runs alone, for the seconds behind its colon or for `--seconds`. Rates from
 * `--free-from` on run twice, the second time without the contract: what the machine carries then
 * is what the mean is judged against where it is less than the contract. Prints a line a trial;
 * `--out` writes all of it with commit, date and machine, and refuses a tree with changes. Exit
 * code 1 if any second held more than the contract, or a trial used less than `--mean-min` of it,
 * or of what the machine carries (without restarts). Needs tcpdump and the right to capture. Entry
 * point.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { readFlags } from "../../support/flags.ts";
import { Workspace } from "../../support/processes.ts";
import { type RateFigures, runRates } from "./rate-trial.ts";

const { values } = readFlags({
  options: {
    rates: { type: "string", default: "1,7,100,1000,10000,100000" },
    seconds: { type: "string", default: "30" },
    trials: { type: "string", default: "1" },
    restarts: { type: "string", default: "" },
    "mean-min": { type: "string", default: "0.99" },
    "free-from": { type: "string", default: "100000" },
    out: { type: "string" },
  },
});

type Signal = "SIGKILL" | "SIGTERM";

const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" }).trim();
const changed = git("status", "--porcelain", "--untracked-files=no");
if (values.out !== undefined && changed !== "") {
  console.error(`the tree has changes; a result needs a commit:\n${changed}`);
  process.exit(2);
}
const commit = git("describe", "--always", "--dirty");
const restarts = values.restarts.split(",").filter((signal): signal is Signal => {
  if (signal !== "" && signal !== "SIGKILL" && signal !== "SIGTERM") {
    console.error(`--restarts takes SIGKILL and SIGTERM, not ${signal}`);
    process.exit(2);
  }
  return signal !== "";
});
const plan = values.rates.split(",").map((item) => {
  const [rate, seconds = Number(values.seconds)] = item.split(":").map(Number) as [number, number?];
  if (Number.isInteger(rate) && rate > 0 && seconds > 0) return { rate, seconds };
  console.error(`--rates takes RATE or RATE:SECONDS, not ${item}`);
  return process.exit(2);
});

interface Trial extends RateFigures {
  /** What the same load came to without a contract, as a share of it; null: not tried. */
  readonly free: number | null;
  readonly load: number;
}

const freeFrom = Number(values["free-from"]);
const trials: Trial[] = [];
for (let trial = 0; trial < Number(values.trials); trial++) {
  for (const { rate, seconds } of plan) {
    const figures = await runOne(rate, seconds, false);
    const isTriedFree = rate >= freeFrom && restarts.length === 0;
    const free = isTriedFree ? (await runOne(rate, seconds, true)).mean : null;
    const done = { ...figures, free, load: loadavg()[0] as number };
    trials.push(done);
    console.log(JSON.stringify(done));
  }
}

async function runOne(rate: number, seconds: number, isFree: boolean): Promise<RateFigures> {
  const workspace = new Workspace();
  try {
    const [figures] = await runRates(workspace, [rate], seconds, { restarts, isFree });
    return figures as RateFigures;
  } finally {
    await workspace.dispose();
  }
}
if (values.out !== undefined) {
  const about = {
    suite: "rates",
    commit,
    date: new Date().toISOString(),
    node: process.version,
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model ?? "",
      memory_bytes: totalmem(),
      kernel: release(),
    },
  };
  writeFileSync(values.out, `${JSON.stringify({ ...about, restarts, trials }, null, 2)}\n`);
}
const meanMin = restarts.length > 0 ? 0 : Number(values["mean-min"]);
const isBad = ({ densestSecond, rate, mean, free }: Trial) =>
  densestSecond > rate || mean < meanMin * Math.min(1, free ?? 1);
process.exit(trials.some(isBad) ? 1 : 0);
