/**
 * What the bench suite makes of its runs: medians, intervals, charts that show names as text only.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { barChart, escapeHtml, lineChart } from "../../../bench/load/charts.ts";
import { differenceOf, median, percentile } from "../../../bench/load/statistics.ts";
import { seededRandom } from "../../support/seeded-random.ts";

test("the median and a percentile of few runs", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
  assert.equal(percentile([5, 1, 4, 2, 3], 99), 5);
  assert.equal(percentile([5, 1, 4, 2, 3], 20), 1);
});

test("a clear difference has an interval beside 0, noise has one around it", () => {
  const random = seededRandom(1);
  const slow = [100, 103, 98, 101, 99];
  const clear = differenceOf(slow, [80, 82, 79, 81, 80], random);
  assert.ok(clear.high < 0, `${clear.low} to ${clear.high}`);
  assert.ok(Math.abs(clear.share + 0.2) < 0.01);
  const noise = differenceOf(slow, [99, 102, 104, 97, 100], random);
  assert.ok(noise.low <= 0 && noise.high >= 0, `${noise.low} to ${noise.high}`);
});

test("charts show names as text, whatever is in them", () => {
  const name = `<script>alert("1")</script>`;
  const bars = barChart([{ label: name, values: [1, 2], isOwn: true }], median, String);
  const lines = lineChart([name], [{ label: name, values: [1], isOwn: false }], () => name);
  for (const chart of [bars, lines]) {
    assert.ok(!chart.includes("<script"));
    assert.ok(chart.includes(escapeHtml(name)));
  }
});

test("a chart draws every run and every line", () => {
  const bars = barChart([{ label: "a", values: [1, 2, 3], isOwn: true }], median, String);
  assert.equal(bars.match(/<circle/g)?.length, 3);
  const line = { label: "x", values: [1, 10, 100], isOwn: true };
  assert.equal(lineChart(["a", "b", "c"], [line, line], String).match(/<polyline/g)?.length, 2);
});
