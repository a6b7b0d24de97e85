/**
 * Runs the codec's micro benches and prints their tables.
 *
 *   node --expose-gc dist/bench/micro/codec/run.js [--seconds 0.3]
 *
 * `--seconds`: CPU time of each measurement.
 */
import { rmSync } from "node:fs";
import { runDecodeBench } from "./decode.ts";
import { runEncodeBench } from "./encode.ts";
import { buildNative, createScratch } from "./native.ts";
import { formatInboundRows, runInboundBench } from "./receipt.ts";
import { allocationCanary, formatComparisons } from "./report.ts";
import { formatTextRows, runTextBench } from "./text.ts";

const scratch = createScratch();
try {
  const minimal = buildNative(scratch, "minimal", []);
  const libsmpp34 = buildNative(scratch, "libsmpp34", ["-I/usr/include/libsmpp34", "-lsmpp34"]);
  const rows = await runDecodeBench(scratch, minimal, libsmpp34);
  rows.push(await runEncodeBench(scratch, minimal, libsmpp34));
  console.log(formatComparisons(rows));
  console.log();
  console.log(formatTextRows(await runTextBench(minimal)));
  console.log();
  console.log(formatInboundRows(await runInboundBench()));
  console.log();
  const canary = allocationCanary().toFixed(0);
  console.log(`The allocation counter sees ${canary} bytes for an object of two fields.`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
