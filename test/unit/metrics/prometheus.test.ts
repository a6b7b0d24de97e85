import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { allocateMetrics, Counter, Histogram, MetricBlock } from "../../../src/metrics/block.ts";
import { metricsMarkdown } from "../../../src/metrics/docs.ts";
import { prometheusText } from "../../../src/metrics/prometheus.ts";
import { COUNTERS, GAUGES, HISTOGRAMS } from "../../../src/metrics/table.ts";

/** Value of each line that is no comment, by what stands before it. */
function values(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const match = /^(?<name>[a-z_]+(?:\{[^}]*\})?) (?<value>\S+)$/.exec(line);
      assert.ok(match?.groups, line);
      return [match.groups["name"] as string, Number(match.groups["value"])];
    }),
  );
}

test("counters and histograms are summed over threads", () => {
  const buffer = allocateMetrics(2);
  const blocks = [new MetricBlock(buffer, 0), new MetricBlock(buffer, 1)];
  blocks[0]?.add(Counter.messagesAccepted, 3);
  blocks[1]?.add(Counter.messagesAccepted, 4);
  for (const ms of [0.0005, 0.01, 1, 2.1, 50, 120_000]) {
    blocks[0]?.record(Histogram.acceptLatency, ms);
    blocks[1]?.record(Histogram.acceptLatency, ms);
  }
  const text = prometheusText(blocks, [], []);
  const seen = values(text);
  assert.equal(seen.get("smsgw_messages_accepted_total"), 7);
  assert.equal(seen.get("smsgw_accept_duration_ms_count"), 12);
  assert.equal(seen.get('smsgw_accept_duration_ms_bucket{le="+Inf"}'), 12);
  assert.ok(Math.abs((seen.get("smsgw_accept_duration_ms_sum") as number) - 240_106.221) < 0.01);
  const buckets = [...seen].filter(([name]) => name.startsWith("smsgw_accept_duration_ms_bucket"));
  assert.equal(buckets[0]?.[1], 4, "what is faster than the first bound counts in it");
  for (const [i, [name, count]] of buckets.entries()) {
    assert.ok(i === 0 || count >= (buckets[i - 1]?.[1] as number), "cumulative");
    const bound = Number(/le="(.*)"/.exec(name)?.[1]?.replace("+Inf", "Infinity"));
    const within = [0.0005, 0.01, 1, 2.1, 50, 120_000].filter((ms) => ms < bound).length;
    assert.equal(count, 2 * within, name);
  }
});

test("gauges carry their labels, escaped, under one head", () => {
  const text = prometheusText(
    [],
    [
      { name: "credits", labels: [1000, 3], value: 7 },
      { name: "ready", labels: [], value: 1 },
      { name: "credits", labels: ['a"b\\c\nd', 0], value: 8 },
    ],
    [],
  );
  assert.ok(text.includes('smsgw_credits{pool="1000",priority="3"} 7\n'));
  assert.ok(text.includes('smsgw_credits{pool="a\\"b\\\\c\\nd",priority="0"} 8\n'));
  assert.ok(text.includes("smsgw_ready 1\n"));
  assert.equal(text.match(/# TYPE smsgw_credits gauge/g)?.length, 1);
  assert.ok(!text.includes("smsgw_heap"), "gauges that were not read are not shown");
});

test("waits are a histogram per pool and priority", () => {
  const boundMs = (bucket: number): number => [1, 2, Number.POSITIVE_INFINITY][bucket] as number;
  const text = prometheusText([], [], [{ labels: [1000, 3], counts: [4, 0, 2], boundMs }]);
  const lines = text.split("\n").filter((line) => line.includes("queue_wait"));
  assert.deepEqual(lines.slice(1), [
    "# TYPE smsgw_queue_wait_ms histogram",
    'smsgw_queue_wait_ms_bucket{pool="1000",priority="3",le="1"} 4',
    'smsgw_queue_wait_ms_bucket{pool="1000",priority="3",le="2"} 4',
    'smsgw_queue_wait_ms_bucket{pool="1000",priority="3",le="+Inf"} 6',
    'smsgw_queue_wait_ms_count{pool="1000",priority="3"} 6',
  ]);
});

test("names are unique, end as their kind does, and the page in docs is the generated one", () => {
  const rows = [COUNTERS, HISTOGRAMS, GAUGES].flatMap((table) => Object.values(table));
  assert.equal(new Set(rows.map((row) => row.name)).size, rows.length);
  for (const { name } of Object.values(COUNTERS)) assert.match(name, /_total$/);
  for (const { name } of Object.values(HISTOGRAMS)) assert.match(name, /_ms$/);
  const page = readFileSync(join(process.cwd(), "docs", "METRICS.md"), "utf8");
  assert.equal(page, metricsMarkdown(), "run npm run docs");
});
