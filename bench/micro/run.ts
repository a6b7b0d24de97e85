/**
 * Micro benches of single parts, each beside a reference in the same run.
 *
 *   npm run bench:micro -- [ring bucket swrr journal admission] [--seconds 0.5] [--json FILE]
 *
 * Times are medians of one thread at full speed with warm caches: they rank designs and show
 * regressions; what a message costs is in bench:load.
 */
import { readFlags } from "../../test/support/flags.ts";
import { describeOrigin, origin } from "../load/machine.ts";
import { writeFigures } from "../load/results.ts";
import { runAdmissionBench } from "./parts/admission.ts";
import { runBucketBench } from "./parts/bucket.ts";
import { runJournalBench } from "./parts/journal.ts";
import { runRingBench } from "./parts/ring.ts";
import { runSwrrBench } from "./parts/swrr.ts";
import { type MicroRow, type MicroSpan, microTable } from "./row.ts";

const BENCHES: Readonly<Record<string, (span: MicroSpan) => Promise<MicroRow[]>>> = {
  ring: runRingBench,
  bucket: runBucketBench,
  swrr: runSwrrBench,
  journal: runJournalBench,
  admission: runAdmissionBench,
};

const { values: flags, positionals } = readFlags({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "0.5" }, json: { type: "string" } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
const from = origin();
console.log(describeOrigin(from));
const rows: MicroRow[] = [];
for (const name of names) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    throw new Error(`there are ${Object.keys(BENCHES).join(", ")}; found ${name}`);
  }
  rows.push(...(await bench({ cpuNs: Number(flags.seconds) * 1e9 })));
}
console.log(microTable(rows));
if (flags.json !== undefined) {
  const measures = rows.flatMap(({ what, ns, reference, referenceNs }) => [
    { name: what, unit: "ns", better: "lower" as const, values: [ns] },
    {
      name: `${what} ÷ ${reference}`,
      unit: "",
      better: "lower" as const,
      values: [ns / referenceNs],
    },
  ]);
  writeFigures(flags.json, "micro", from, flags, measures);
}
