/**
 * Recovery at large: `npm run fault:recovery -- [--only F1,F2,…] [--trials N] [--seed N]
 * [--pending N] [--log-gib N] [--out FILE [--add]]`. Prints what it does; writes the result with
 * commit, date and machine, with `--add` as one more sitting in a file that is there. SIGINT ends a
 * row after the trial at hand; what was done until then counts.
 */
import { writeFileSync } from "node:fs";
import { readFlags } from "../../support/flags.ts";
import { Workspace } from "../../support/processes.ts";
import { earlierRuns, resultDocument, runOf } from "./result-document.ts";
import { ROWS, type RowResult } from "./rows.ts";

const { values } = readFlags({
  options: {
    only: { type: "string" },
    trials: { type: "string" },
    seed: { type: "string", default: "1" },
    pending: { type: "string", default: "100000" },
    "log-gib": { type: "string", default: "0" },
    out: { type: "string" },
    add: { type: "boolean", default: false },
  },
});
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
const wanted = values.only?.split(",") ?? Object.keys(ROWS);
const earlier =
  values.add && values.out !== undefined ? earlierRuns(values.out, wanted, values.seed) : [];
const results: RowResult[] = [];
let isBroken = false;
for (const name of wanted) {
  const row = ROWS[name];
  if (row === undefined) throw new Error(`no row ${name}: ${Object.keys(ROWS).join(", ")}`);
  const workspace = new Workspace();
  try {
    const result = await row.run({
      workspace,
      trials: Number(values.trials ?? row.trials),
      seed: Number(values.seed),
      signal: stop.signal,
      pending: Number(values.pending),
      logGib: Number(values["log-gib"]),
      say: (line) => process.stdout.write(`${name}: ${line}\n`),
    });
    results.push(result);
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    if (result.failures === 0) await workspace.dispose();
    else process.stdout.write(`${name} failed: see ${workspace.folder}\n`);
  } catch (error) {
    // The other rows are still of use.
    isBroken = true;
    await workspace.end();
    process.stdout.write(`${name} broke off: see ${workspace.folder}\n${String(error)}\n`);
  }
  if (values.out !== undefined) {
    const { out, add: _, ...options } = values;
    const run = runOf("recovery", options, results);
    writeFileSync(out, resultDocument([...earlier, run]));
  }
}
process.exit(!isBroken && results.every(({ failures }) => failures === 0) ? 0 : 1);
