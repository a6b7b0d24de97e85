/**
 * Runs the fault rows about links at full length: `npm run fault:links -- [--trials N] [--rows
 * F9,F10] [--seed S] [--out file.json]`.
 *
 * F12-network lays virtual networks and needs to be root. `--trials` replaces each row's own
 * number. Prints a line a row; `--out` writes all of it with commit, date and machine. Exit code 1
 * if anything failed. Entry point.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { readFlags } from "../../support/flags.ts";
import type { RowReport } from "./report.ts";
import { lostNetworks } from "./lost-networks.ts";
import { type Row, ROWS } from "./rows.ts";

const FAILURES_SHOWN = 10;

const { values } = readFlags({
  options: {
    trials: { type: "string" },
    rows: { type: "string" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
});

function commit(): string {
  const shown = execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" });
  return shown.trim();
}

const network: Row = { id: "F12-network", trials: 20, trialsQuick: 1, run: lostNetworks };
const wanted = values.rows?.split(",") ?? [...ROWS, network].map(({ id }) => id);
const seed = Number(values.seed);
const testedCommit = commit();
const reports: RowReport[] = [];
for (const row of [...ROWS, network].filter(({ id }) => wanted.includes(id))) {
  const report = await row.run(Number(values.trials ?? row.trials), seed);
  reports.push(report);
  const { trials, failures, worst } = report;
  console.log(`${row.id}: ${trials} trials, ${failures.length} failures, ${JSON.stringify(worst)}`);
  for (const failure of failures.slice(0, FAILURES_SHOWN)) console.log(`  ${failure}`);
}
if (values.out !== undefined) {
  const about = {
    suite: "links",
    commit: testedCommit,
    date: new Date().toISOString(),
    node: process.version,
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model ?? "",
      memory_bytes: totalmem(),
      kernel: release(),
    },
    seed,
  };
  writeFileSync(values.out, `${JSON.stringify({ ...about, rows: reports }, null, 2)}\n`);
}
process.exit(reports.some(({ failures }) => failures.length > 0) ? 1 : 0);
