/** More of the bench suite, small: streams, growth, overload. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bench, measureNames, resultFolder } from "./bench-programs.ts";

const folder = resultFolder();

test("streams and raw SMPP", async () => {
  const file = join(folder, "stream.json");
  const args = ["--seconds", "1", "--runs", "1", "--stream", "--against", "raw-smpp"];
  await bench("load/throughput", ...args, "--json", file);
  const { runs } = JSON.parse(readFileSync(file, "utf8")) as {
    runs: { contender: string; messagesPerS: number; wrk: Record<string, number> }[][];
  };
  for (const { messagesPerS, wrk } of runs.flat()) {
    assert.ok(messagesPerS > 0);
    assert.equal(wrk.status_errors, 0);
    assert.equal(wrk.socket_errors, 0);
  }
});

test("growth of the queue", async () => {
  const file = join(folder, "growth.json");
  const size = ["--seconds", "1", "--runs", "1", "--connections", "16", "--queue-max", "3000"];
  await bench("load/growth", ...size, "--of", "queue", "--json", file);
  assert.ok(measureNames(file).includes("throughput, queue 0 → 3000"));
  const page = join(folder, "growth.html");
  await bench("load/report", file, "--out", page);
  assert.match(readFileSync(page, "utf8"), /throughput, queue 0 → 3000<\/text>/);
});

test("fairness", async () => {
  const file = join(folder, "fairness.json");
  const size = ["--seconds", "1", "--runs", "1", "--waiting", "2000"];
  await bench("load/fairness", ...size, "--json", file);
  assert.ok(measureNames(file).includes("otp, due → submit_sm p99, beside ÷ without"));
});

test("overload", async () => {
  const file = join(folder, "overload.json");
  await bench("load/overload", "--seconds", "1", "--json", file);
  assert.ok(measureNames(file).includes("goodput ÷ bound"));
});
