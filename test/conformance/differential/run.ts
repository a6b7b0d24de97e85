/**
 * A large differential run by command.
 *
 *   node dist/test/conformance/differential/run.js [count = 100000] [seed = 1]
 */
import {
  compareWithLibsmpp34Batch,
  compareWithNpmBatch,
  compareWithTsharkBatch,
  createBatch,
} from "./compare.ts";
import { buildLister } from "./libsmpp34.ts";

const count = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? 1);
const batchCount = 5000;
const lister = buildLister();
if (lister === null) throw new Error("libsmpp34-dev and gcc are needed");
let differences = 0;
for (let done = 0; done < count; done += batchCount) {
  const batch = createBatch(seed + done, Math.min(batchCount, count - done));
  const found = [
    ...compareWithTsharkBatch(batch),
    ...compareWithLibsmpp34Batch(batch, lister),
    ...compareWithNpmBatch(batch),
  ];
  for (const line of found.slice(0, 20)) console.log(`seed ${seed + done}: ${line}`);
  differences += found.length;
}
console.log(JSON.stringify({ count, seed, differences }));
process.exitCode = differences === 0 ? 0 : 1;
