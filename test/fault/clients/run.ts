/**
 * Hostile clients at large: `node dist/test/fault/clients/run.js [--connections N] [--seconds S]
 * [--tls-seconds S] [--idle N] [--active N] [--descriptors N] [--flood-trials N] [--out FILE]`.
 * Prints each trial; writes the result with commit, date and machine.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { readFlags } from "../../support/flags.ts";
import { Workspace } from "../../support/processes.ts";
import { flood, type FloodResult } from "./flood.ts";
import {
  type AttackName,
  type AttackResult,
  attackSlowly,
  ATTACKS,
  isByTls,
} from "./slow-attacks.ts";

const { values } = readFlags({
  options: {
    connections: { type: "string", default: "2000" },
    seconds: { type: "string", default: "300" },
    "tls-seconds": { type: "string", default: "60" },
    idle: { type: "string", default: "20000" },
    active: { type: "string", default: "5000" },
    descriptors: { type: "string", default: "4096" },
    "flood-trials": { type: "string", default: "3" },
    out: { type: "string" },
  },
});
/** How long the good senders are alone first. */
const ALONE_SECONDS = 20;

const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim();
const results: (AttackResult | FloodResult)[] = [];

async function trial(run: (workspace: Workspace) => Promise<AttackResult | FloodResult>) {
  const workspace = new Workspace();
  try {
    const result = await run(workspace);
    results.push(result);
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } finally {
    await workspace.dispose();
  }
}

const seconds = Number(values.seconds);
const connections = Number(values.connections);
for (const attack of Object.keys(ATTACKS) as AttackName[]) {
  const lasts = isByTls(attack) ? Number(values["tls-seconds"]) : seconds;
  await trial((workspace) => attackSlowly(workspace, attack, connections, lasts, ALONE_SECONDS));
}
for (let i = 0; i < Number(values["flood-trials"]); i++) {
  const options = {
    idle: Number(values.idle),
    active: Number(values.active),
    seconds: Math.min(30, seconds),
    descriptorsMax: Number(values.descriptors),
  };
  await trial((workspace) => flood(workspace, options));
}
if (values.out !== undefined) {
  const model = cpus()[0]?.model ?? "?";
  const machine = `${availableParallelism()} × ${model}, Node ${process.version}`;
  const date = new Date().toISOString();
  const document = { test: "hostile clients", commit, date, machine, options: values, results };
  writeFileSync(values.out, `${JSON.stringify(document, null, 2)}\n`);
}
