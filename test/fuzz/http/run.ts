/**
 * Fuzzes the HTTP calls over real sockets against the real listener, journal and rings in process.
 *
 *   npm run fuzz:http -- [--count 1000000] [--seed 1] [--json FILE]
 *
 * A failure: a 5xx, a refusal that is not a stable problem, an answer that never comes, a crash.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { readFlags } from "../../support/flags.ts";
import { fuzzHttp } from "./fuzz.ts";

const { values: flags } = readFlags({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim();
const started = performance.now();
const result = await fuzzHttp(Number(flags.seed), Number(flags.count));
const seconds = Math.round((performance.now() - started) / 1000);
const machine = `${cpus().length} × ${cpus()[0]?.model}, Node ${process.versions.node}`;
const report = { commit, at: new Date().toISOString(), machine, seconds, ...result };
console.log(JSON.stringify(report, null, 2));
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
process.exit(result.failureCount === 0 ? 0 : 1);
