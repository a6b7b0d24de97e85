/** Frames of `smsgw top` from two looks at a gateway. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byLabel,
  percentileSince,
  readPrometheus,
  sumOf,
} from "../../../src/cli/prometheus-read.ts";
import {
  type AdminStatus,
  fittedLines,
  frameLines,
  type Look,
} from "../../../src/cli/top-frame.ts";

const STATUS: AdminStatus = {
  node: "gw-1",
  uptime_s: 3725,
  ready: false,
  not_ready_because: ["draining"],
  durability: "disk",
  links: [
    {
      id: 100,
      contract_rate: 500,
      effective_rate: 125,
      sessions: [
        { state: "bound", window_used: 7 },
        { state: "closed", window_used: 0 },
      ],
    },
    {
      id: 101,
      contract_rate: null,
      effective_rate: null,
      sessions: [{ state: "closed", window_used: 0 }],
    },
  ],
  pools: [
    {
      id: 1000,
      weight: 0,
      queues: [
        { priority: 3, queued: 12, oldest_age_s: 2 },
        { priority: 1, queued: 1_000_000, oldest_age_s: 3725 },
      ],
    },
  ],
};

function look(atMs: number, accepted: number, cpu: number): Look {
  const metrics = readPrometheus(
    [
      "# HELP smsgw_messages_accepted_total Messages answered with 202.",
      `smsgw_messages_accepted_total ${accepted}`,
      `smsgw_accept_duration_ms_bucket{le="1.5"} ${accepted / 2}`,
      `smsgw_accept_duration_ms_bucket{le="6"} ${accepted}`,
      `smsgw_accept_duration_ms_bucket{le="+Inf"} ${accepted}`,
      `smsgw_thread_cpu_seconds_total{thread="main"} ${cpu}`,
      `smsgw_process_cpu_seconds_total ${cpu * 1.5}`,
      'smsgw_ring_size_bytes{ring="staging-0"} 1000',
      'smsgw_ring_used_bytes{ring="staging-0"} 250',
      `smsgw_link_written_segments_total{link="100"} ${accepted}`,
      `smsgw_queue_wait_ms_bucket{pool="1000",priority="3",le="2"} ${accepted}`,
      `smsgw_queue_wait_ms_bucket{pool="1000",priority="3",le="+Inf"} ${accepted}`,
      'smsgw_queue_wait_ms_bucket{pool="1000",priority="1",le="2"} 0',
      "",
    ].join("\n"),
  );
  return { atMs, metrics, status: STATUS };
}

test("Prometheus text is read back by name and label", () => {
  const { metrics } = look(0, 100, 1);
  assert.equal(sumOf(metrics, "messages_accepted_total"), 100);
  assert.equal(sumOf(metrics, "no_such_total"), 0);
  assert.deepEqual([...byLabel(metrics, "ring_used_bytes", "ring")], [["staging-0", 250]]);
  assert.equal(percentileSince(look(0, 0, 0).metrics, metrics, "accept_duration_ms", 50), 1.5);
  assert.equal(percentileSince(look(0, 0, 0).metrics, metrics, "accept_duration_ms", 51), 6);
  assert.equal(percentileSince(metrics, metrics, "accept_duration_ms", 99), null);
});

test("a frame tells rates, latencies, threads, rings and links", () => {
  const lines = frameLines(look(1000, 100, 1), look(3000, 2100, 2), 100);
  const text = lines.join("\n");
  assert.match(text, /gw-1 +up 1 h 2 min +durability disk +NOT READY: draining/);
  assert.match(text, /accepted 1,000/);
  assert.match(text, /request to 202 +1\.50 ms +6\.00 ms/);
  assert.match(text, /submit_sm to its answer +- +-/);
  assert.match(text, /main +█{10}░{10} +50 %/);
  assert.match(text, /others +█{5}░{15} +25 %/);
  assert.match(text, /staging-0 +█{5}░{15} +25 %/);
  assert.match(text, /100 +1\/2 +7 +1,000 +500 +slowed to 125/);
  assert.match(text, /1000 +3 +12 +2 s +2\.00 ms/);
  assert.match(text, /1000 +1 +1,000,000 +1 h 2 min +-/);
  assert.match(text, /101 +0\/1 +0 +0 +unlimited +DOWN/);
  assert.ok(lines.every((line) => line.length <= 100));
});

test("no line is longer than the terminal is wide", () => {
  assert.ok(frameLines(look(0, 0, 0), look(1000, 1, 1), 30).every((line) => line.length <= 30));
});

test("a frame fits a low terminal without its empty lines, or with its head only", () => {
  const lines = ["head", "", "rates", "", "memory"];
  assert.deepEqual(fittedLines(lines, null), lines);
  assert.deepEqual(fittedLines(lines, 5), lines);
  assert.deepEqual(fittedLines(lines, 4), ["head", "rates", "memory"]);
  assert.deepEqual(fittedLines(lines, 2), ["head", "rates"]);
});
