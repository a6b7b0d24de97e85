/**
 * The bench suite, small: every bench runs to its end and its result is compared and reported, so
 * that none rots. Figures of such short runs mean nothing and are not looked at.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = mkdtempSync(join(tmpdir(), "smsgw-bench-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function bench(name: string, ...args: string[]): Promise<{ stdout: string }> {
  const path = fileURLToPath(new URL(`../../bench/${name}.js`, import.meta.url));
  return promisify(execFile)(process.execPath, [path, ...args]);
}

/** The names of the measures that a bench wrote; each has a finite value a run. */
function measureNames(file: string): string[] {
  const { measures } = JSON.parse(readFileSync(file, "utf8")) as {
    measures: { name: string; values: (number | null)[] }[];
  };
  for (const { name, values } of measures) {
    assert.ok(values.length > 0 && values.every(Number.isFinite), `${name}: ${values.join()}`);
  }
  return measures.map(({ name }) => name);
}

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
  assert.match(stdout, /throughput ÷ bare .* no difference shown/);
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

describe("smaller benches", { concurrency: 2 }, () => {
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

  test("overload", async () => {
    const file = join(folder, "overload.json");
    await bench("load/overload", "--seconds", "1", "--json", file);
    assert.ok(measureNames(file).includes("goodput ÷ bound"));
  });

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
});

test("a headline is not taken with short runs", async () => {
  const refused = bench("load/throughput", "--headline", "--seconds", "5");
  await assert.rejects(refused, /a headline takes --seconds 60 and --runs 5/);
});
