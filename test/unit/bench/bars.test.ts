/** The bars of the headline: read from results, judged, told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BARS, barTable, judge } from "../../../bench/load/bars.ts";
import type { Result } from "../../../bench/load/results.ts";

const ORIGIN = {
  at: "2026-11-22T00:00:00.000Z",
  commit: "0",
  dirty: false,
  cpu: "a",
  cpuCount: 2,
  memoryGib: 8,
  kernel: "6",
  node: "v20",
  v8: "11",
};

function figures(values: Readonly<Record<string, readonly number[]>>): Result {
  const measures = Object.entries(values).map(([name, each]) => ({
    name,
    unit: "",
    better: "higher" as const,
    values: each,
  }));
  return {
    kind: "figures",
    bench: "b",
    origin: ORIGIN,
    settings: { seconds: "7" },
    runs: [null],
    measures,
  };
}

test("a bar is met, missed, or not measured", () => {
  const rows = judge(
    new Map([
      ["worker", figures({ "worker ÷ raw net.Socket": [0.3, 0.1, 0.25] })],
      ["overload", figures({ "goodput ÷ bound": [0.9] })],
      ["growth", figures({ "throughput, links 1 → 16": [0.95], "throughput, links 1": [9] })],
    ]),
  );
  assert.equal(rows.length, BARS.length);
  const of = (what: string) => rows.find((row) => row.what === what);
  assert.equal(of("worker alone ÷ raw net.Socket")?.isMet, true);
  assert.equal(of("worker alone ÷ raw net.Socket")?.value, 0.25);
  assert.equal(of("worker alone ÷ raw net.Socket")?.taken?.runs, 3);
  assert.equal(of("overload: refusals p99")?.taken, null);
  assert.equal(of("overload: goodput ÷ bound")?.isMet, false);
  assert.equal(of("overload: refusals p99")?.isMet, null);
  assert.equal(of("growth of links: throughput")?.value, 0.95);
  assert.equal(of("growth of apps: throughput")?.isMet, null);
  const table = barTable(rows);
  assert.match(table, /worker alone ÷ raw net.Socket .* ≥ 0.2 .* 0.25 × .* met .* 3 × 7 s/);
  assert.match(table, /overload: goodput ÷ bound .* NOT MET/);
  assert.match(table, /overload: refusals p99 .* not measured/);
});

test("runs in which Kannel was not at its best do not count against it", () => {
  const turn = (contender: string, messagesPerS: number) => ({
    contender,
    messagesPerS,
    wrk: {},
    settled: null,
    cpuUsPerMessage: 1,
    residentBytes: 1,
  });
  const runs = [
    [turn("gateway", 40_000), turn("kannel", 8000)],
    [turn("gateway", 40_000), turn("kannel", 100)],
  ];
  const result = { kind: "throughput", origin: ORIGIN, settings: {}, runs } as unknown as Result;
  const row = judge(new Map([["disk", result]])).find(({ what }) => what.endsWith("÷ Kannel"));
  assert.equal(row?.value, 5);
});
