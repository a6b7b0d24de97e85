/** More of the bench suite, small: headline, simulator, codec, CDR files, stages, single parts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bench, measureNames, resultFolder } from "./bench-programs.ts";

const folder = resultFolder();

test("the headline: some of its steps, their bars, what ran before kept", async () => {
  const size = ["--seconds", "1", "--runs", "1", "--out", folder];
  // Its exit code tells of bars that a busy machine misses.
  await bench("load/headline", ...size, "--only", "worker").catch(() => undefined);
  await bench("load/headline", ...size, "--only", "idle").catch(() => undefined);
  const { rows } = JSON.parse(readFileSync(join(folder, "bars.json"), "utf8")) as {
    rows: { step: string; value: number | null; taken: { runs: number; seconds: number } | null }[];
  };
  const measured = rows.filter(({ value }) => value !== null);
  assert.deepEqual(
    measured.map(({ step }) => step),
    ["worker", "idle", "idle"],
  );
  for (const { value, taken } of measured) {
    assert.ok((value as number) > 0);
    assert.deepEqual([taken?.runs, taken?.seconds], [1, 1]);
  }
  assert.ok(measureNames(join(folder, "idle.json")).includes("start to first 202"));
});

test("the headline refuses steps that it does not have", async () => {
  await assert.rejects(bench("load/headline", "--only", "disc"), /--only takes disk, process/);
});

test("the simulator's own speed", async () => {
  const { stdout } = await bench("load/smsc-speed", "--seconds", "0.2");
  const [figure] = Object.values(JSON.parse(stdout) as Record<string, number>).filter(
    (value) => typeof value === "number" && value > 0,
  );
  assert.ok(figure !== undefined);
});

test("the codec against others, and CDR files", async () => {
  const codec = await bench("micro/codec/run", "--seconds", "0.005");
  assert.match(codec.stdout, /submit_sm/);
  const file = join(folder, "cdr.json");
  await bench("micro/cdr/run", "--seconds", "0.005", "--json", file);
  assert.ok(readFileSync(file, "utf8").includes("us_a_message"));
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
