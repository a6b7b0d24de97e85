/**
 * Large fuzz runs by command: mutated PDUs at full speed with the slowest one timed.
 *
 *   node dist/test/fuzz/codec/run.js [count = 20000000] [seed = 1]
 *
 * The other fuzzers take FUZZ_ROUND_TRIPS, FUZZ_TEXTS, FUZZ_RECEIPTS and FUZZ_SEED under node
 * --test.
 */
import { fuzz } from "./harness.ts";
import { targets } from "./targets.ts";

const count = Number(process.argv[2] ?? 20_000_000);
const seed = Number(process.argv[3] ?? 1);
const now = (): number => Number(process.hrtime.bigint());
const start = now();
const result = fuzz(seed, count, targets, now);
const seconds = (now() - start) / 1e9;
console.log(
  JSON.stringify(
    {
      ...result,
      seconds: Math.round(seconds),
      pdusPerSecond: Math.round(count / seconds),
      slowestUs: Math.round(result.slowestNs / 1000),
    },
    null,
    1,
  ),
);
process.exitCode = result.failureCount === 0 ? 0 : 1;
