/**
 * The bench suite, small: every bench runs to its end and its result is compared and reported, so
 * that none rots. Figures of such short runs mean nothing and are not looked at.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = mkdtempSync(join(tmpdir(), "smsgw-bench-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function bench(name: string, ...args: string[]): Promise<{ stdout: string }> {
  const path = fileURLToPath(new URL(`../../bench/load/${name}.js`, import.meta.url));
  return promisify(execFile)(process.execPath, [path, ...args]);
}

test("throughput against a server and a gateway, compared and reported", async () => {
  const file = join(folder, "throughput.json");
  const others = ["bare", "fastify-smpp"];
  const size = ["--seconds", "1", "--runs", "2", "--connections", "16"];
  await bench("throughput", ...size, "--against", others.join(","), "--json", file);
  const result = JSON.parse(readFileSync(file, "utf8")) as {
    runs: { contender: string; messagesPerS: number; wrk: { status_errors: number } }[][];
  };
  assert.equal(result.runs.length, 2);
  for (const run of result.runs) {
    assert.deepEqual(run.map(({ contender }) => contender).sort(), [...others, "gateway"].sort());
    for (const { messagesPerS, wrk } of run) {
      assert.ok(messagesPerS > 0);
      assert.equal(wrk.status_errors, 0);
    }
  }
  const { stdout } = await bench("compare", file, file);
  assert.match(stdout, /throughput ÷ bare .* no difference shown/);
  const page = join(folder, "report.html");
  await bench("report", file, "--out", page);
  assert.match(readFileSync(page, "utf8"), /fastify-smpp<\/text>/);
});

test("latency at a constant rate answers every message that was due", async () => {
  const file = join(folder, "latency.json");
  await bench("latency", "--seconds", "1", "--runs", "1", "--share", "0.1", "--json", file);
  const { runs } = JSON.parse(readFileSync(file, "utf8")) as {
    runs: { openLoop: { due: number; accepted: { count: number }; unanswered: number } }[];
  };
  const [{ openLoop } = { openLoop: null }] = runs;
  assert.ok(openLoop !== null && openLoop.due > 0);
  assert.equal(openLoop.accepted.count, openLoop.due);
  assert.equal(openLoop.unanswered, 0);
});
