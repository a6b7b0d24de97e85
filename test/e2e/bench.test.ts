/**
 * The bench suite, small: throughput and latency run to their end and their results are compared
 * and reported, so that none rots. Figures of such short runs mean nothing and are not looked at.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bench, resultFolder } from "./bench-programs.ts";

const folder = resultFolder();

test("throughput against a server and a gateway, compared and reported", async () => {
  const file = join(folder, "throughput.json");
  const others = ["bare", "fastify-smpp"];
  const size = ["--seconds", "1", "--runs", "2", "--connections", "16"];
  await bench("load/throughput", ...size, "--against", others.join(","), "--json", file);
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
  const { stdout } = await bench("load/compare", file, file);
  assert.match(stdout, /throughput ÷ bare .* \[.* %, .* %\] +too few runs/);
  const page = join(folder, "report.html");
  await bench("load/report", file, "--out", page);
  assert.match(readFileSync(page, "utf8"), /fastify-smpp<\/text>/);
});

test("latency at a constant rate answers every message that was due", async () => {
  const file = join(folder, "latency.json");
  await bench("load/latency", "--seconds", "1", "--runs", "1", "--share", "0.1", "--json", file);
  const { runs } = JSON.parse(readFileSync(file, "utf8")) as {
    runs: { openLoop: { due: number; accepted: { count: number }; unanswered: number } }[];
  };
  const [{ openLoop } = { openLoop: null }] = runs;
  assert.ok(openLoop !== null && openLoop.due > 0);
  assert.equal(openLoop.accepted.count, openLoop.due);
  assert.equal(openLoop.unanswered, 0);
});

test("a headline is not taken with short runs", async () => {
  const refused = bench("load/throughput", "--headline", "--seconds", "5");
  await assert.rejects(refused, /a headline takes --seconds 60 and --runs 5/);
});

test("the last message of a load with receipts is asked for until it is final", async () => {
  const file = join(folder, "final.json");
  const size = ["--seconds", "1", "--connections", "8", "--receipt-delay-ms", "20"];
  // Its exit code is the bar's, which a busy machine may miss.
  await bench("load/final", ...size, "--json", file).catch(() => undefined);
  const { result } = JSON.parse(readFileSync(file, "utf8")) as {
    result: { answered: number; lastStatus: string; lastFinalMs: number; barMs: number };
  };
  assert.ok(result.answered > 0);
  assert.equal(result.lastStatus, "delivered");
  assert.ok(result.lastFinalMs >= 20, "not before its receipt");
  assert.equal(result.barMs, 1020);
});
