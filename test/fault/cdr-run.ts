/**
 * CDRs at large: `npm run fault:cdr -- [--messages N] [--trials N] [--outage-s S]
 * [--connections N] [--out FILE]`. Prints each trial; writes the result with commit, date and
 * machine.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { readFlags } from "../support/flags.ts";
import { Workspace } from "../support/processes.ts";
import { startRadosgw } from "../support/radosgw.ts";
import { type CdrTrialResult, runCdrTrial } from "./cdr-trial.ts";

const { values } = readFlags({
  options: {
    messages: { type: "string", default: "1000000" },
    trials: { type: "string", default: "1" },
    "outage-s": { type: "string", default: "60" },
    connections: { type: "string", default: "64" },
    out: { type: "string" },
  },
});
const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim();
const server = await startRadosgw();
const results: CdrTrialResult[] = [];
let isClean = true;
try {
  for (let trial = 1; trial <= Number(values.trials); trial++) {
    const workspace = new Workspace();
    try {
      const result = await runCdrTrial({
        workspace,
        server,
        bucket: `cdr-${trial}`,
        messages: Number(values.messages),
        connections: Number(values.connections),
        outageMs: Number(values["outage-s"]) * 1000,
        say: (line) => process.stdout.write(`trial ${trial}, ${line}\n`),
      });
      results.push(result);
      isClean &&= result.lost + result.doubled + result.strangers + result.row_gaps === 0;
      process.stdout.write(`trial ${trial}: ${JSON.stringify(result)}\n`);
    } finally {
      await workspace.dispose();
    }
  }
} finally {
  await server.dispose();
}
if (values.out !== undefined) {
  const machine = `${availableParallelism()} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}`;
  const date = new Date().toISOString();
  const document = { test: "cdr", commit, date, machine, options: values, results };
  writeFileSync(values.out, `${JSON.stringify(document, null, 2)}\n`);
}
process.exit(isClean ? 0 : 1);
