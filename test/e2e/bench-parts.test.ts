/** More of the bench suite, small: idleness, one worker, stages, single parts. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { bench, measureNames, resultFolder } from "./bench-programs.ts";

const folder = resultFolder();

test("idleness", async () => {
  const file = join(folder, "idle.json");
  await bench("load/idle", "--seconds", "1", "--runs", "1", "--json", file);
  assert.ok(measureNames(file).includes("start to first 202"));
});

test("one worker, and bare sockets", async () => {
  const { stdout } = await bench("pipeline/worker", "--seconds", "0.3");
  const { segmentsPerS, rawPerS } = JSON.parse(stdout) as Record<string, number>;
  assert.ok((segmentsPerS as number) > 0 && (rawPerS as number) > 0);
});

test("stages of the ingress thread", async () => {
  const file = join(folder, "stages.json");
  await bench("pipeline/stages", "--seconds", "0.2", "--messages", "32", "--json", file);
  assert.equal(measureNames(file).length, 5);
});

test("parts by themselves", async () => {
  const file = join(folder, "micro.json");
  await bench("micro/run", "--seconds", "0.01", "--json", file);
  assert.equal(measureNames(file).length, 16);
});
