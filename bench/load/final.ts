/**
 * How far behind the ledger is when ingress was at saturation: receipts for every message, and at
 * the end of the load one more message, asked for until `GET` shows it final.
 *
 *   npm run bench:final -- [--seconds 60] [--connections 256] [--receipt-delay-ms 100]
 *                          [--durability disk|process|none] [--json FILE]
 *
 * The bar: the last message is shown final within 1 s and the operator's receipt delay after the
 * load's end. Exit code 1 if it was not.
 */
import { writeFileSync } from "node:fs";
import { readFlags } from "../../test/support/flags.ts";
import { type FinalResult, runFinal } from "./final-run.ts";
import { describeOrigin, origin } from "./machine.ts";

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "60" },
    connections: { type: "string", default: "256" },
    "receipt-delay-ms": { type: "string", default: "100" },
    durability: { type: "string", default: "disk" },
    json: { type: "string" },
  },
});
const { durability } = flags;
if (durability !== "disk" && durability !== "process" && durability !== "none") {
  throw new Error("--durability takes disk, process or none");
}
const from = origin();
console.log(describeOrigin(from));
const result: FinalResult = await runFinal({
  seconds: count("seconds"),
  connections: count("connections"),
  receiptDelayMs: count("receipt-delay-ms"),
  durability,
});
console.log(
  `${result.answered} messages in ${result.loadS.toFixed(1)} s ` +
    `(${(result.answered / result.loadS).toFixed(0)}/s), ${result.refused} refused`,
);
const { lastAcceptedMs, lastStatus, lastFinalMs, barMs } = result;
console.log(
  `the last message was accepted ${lastAcceptedMs.toFixed(0)} ms after the load, shown ` +
    `${lastStatus} after ${lastFinalMs.toFixed(0)} ms; the bar is ${barMs} ms`,
);
console.log(`every message was final after ${result.allFinalMs.toFixed(0)} ms`);
if (flags.json !== undefined) {
  const document = { kind: "final", origin: from, result };
  writeFileSync(flags.json, `${JSON.stringify(document, null, 2)}\n`);
}
process.exitCode = lastFinalMs <= barMs ? 0 : 1;

function count(name: "seconds" | "connections" | "receipt-delay-ms"): number {
  const value = Number(flags[name]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a number`);
  return value;
}
