/** What `smsgw tune` makes of recorded sweeps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { recommend, type SweepPoint, tunedYaml } from "../../../src/cli/load/knee.ts";
import type { Measurement } from "../../../src/cli/load/point.ts";
import { parseConfig } from "../../../src/config/parse.ts";

const NO_LATENCY = { count: 1, p50: 2000, p90: 3000, p99: 8000, p999: 9000, max: 9000 };

/** A measurement as a machine with two cores gave it; `over` is what the sweep changed. */
function measurement(perS: number, over: Partial<Measurement> = {}): Measurement {
  return {
    shape: {
      ingressThreads: 1,
      workers: 1,
      links: 2,
      sessions: 1,
      window: 1000,
      durability: "disk",
      commitIntervalUs: 1000,
    },
    batch: 1,
    perS,
    messagesAccepted: perS * 6,
    toLastFinalS: 6,
    accepted: NO_LATENCY,
    refused: 0,
    unanswered: 0,
    answerP50Ms: 20.5,
    answerP99Ms: 40,
    commitP50Ms: 0.3,
    bytesPerCommit: 30_000,
    busy: { main: 0.97, ledger: 0.3, "worker-0": 0.2, journal: 0.2 },
    loopBusy: { main: 0.99, ledger: 0.4, "worker-0": 0.3 },
    cpuUs: { main: 22, others: 6 },
    rings: { "submit 0 0": 0.004 },
    windowShare: 0.5,
    sessions: 2,
    residentBytes: 2 ** 28,
    generatorBusy: 0.4,
    othersShare: 0.02,
    ...over,
  };
}

function sweep(rates: Readonly<Record<number, number>>): SweepPoint[] {
  return Object.entries(rates).map(([value, perS]) => ({
    value: Number(value),
    measured: measurement(perS),
  }));
}

test("the least value is taken from which more brings next to nothing", () => {
  assert.equal(recommend("threads", sweep({ 1: 31_000, 2: 31_900, 4: 30_000 }), 2).value, 1);
  assert.equal(recommend("threads", sweep({ 1: 31_000, 2: 58_000, 4: 59_000 }), 8).value, 2);
  assert.equal(recommend("workers", sweep({ 1: 10_000, 2: 20_000, 4: 40_000 }), 8).value, 4);
  assert.equal(recommend("window", sweep({ 10: 500, 100: 5000, 1000: 30_000 }), 2).value, 1000);
});

test("the reasons name every rate, the busiest thread and the fullest ring", () => {
  const [rates, knee, busy, ring] = recommend(
    "threads",
    sweep({ 1: 31_000, 2: 31_900 }),
    2,
  ).reasons;
  assert.match(rates ?? "", /1: 31,000\/s, 202 p99 8\.0 ms; 2: 31,900\/s/);
  assert.match(knee ?? "", /^1 ingress thread: the best, 2, brings 2\.9 % more, which is noise/);
  assert.match(
    busy ?? "",
    /97 % of a core \(its event loop busy 99 % of the time\), all took 1\.7 of 2: that thread is/,
  );
  assert.match(ring ?? "", /nearly empty/);
});

test("busy cores and a full ring are told", () => {
  const busy = { main: 0.7, ledger: 0.6, "worker-0": 0.6 };
  const measured = measurement(30_000, { busy, rings: { staging: 0.1, "submit 0 0": 0.95 } });
  const { reasons } = recommend("workers", [{ value: 1, measured }], 2);
  assert.ok(reasons.some((text) => /the cores are the bound/.test(text)));
  assert.ok(reasons.some((text) => /submit 0 0 with 95 %: who reads it is too slow/.test(text)));
});

test("a window is explained by rate × answer time", () => {
  const { value, reasons } = recommend(
    "window",
    [
      { value: 10, measured: measurement(1000, { answerP50Ms: 20, windowShare: 1 }) },
      { value: 100, measured: measurement(10_000, { answerP50Ms: 20, windowShare: 0.9 }) },
      { value: 500, measured: measurement(10_200, { answerP50Ms: 90, windowShare: 0.9 }) },
    ],
    2,
  );
  assert.equal(value, 100);
  // 5,000 a second on each of two sessions, each unanswered for 20 ms.
  assert.match(reasons[2] ?? "", /5,000\/s on each of 2 sessions × at most 20\.00 ms = 100; with/);
});

test("a load that was busy itself, and refusals, are no secret", () => {
  const measured = measurement(30_000, { generatorBusy: 0.95, refused: 3 });
  const { reasons } = recommend("batch", [{ value: 1, measured }], 2);
  assert.ok(reasons.some((text) => /may be able to do more/.test(text)));
  assert.ok(reasons.some((text) => /refused or not answered with 1\./.test(text)));
  assert.ok(reasons.some((text) => /29 KiB to disk in at most 0\.30 ms/.test(text)));
});

test("of commit intervals the least is taken that does as much, 0 among them", () => {
  const { value, reasons } = recommend(
    "commit",
    sweep({ 0: 20_000, 1000: 30_000, 4000: 31_000 }),
    2,
  );
  assert.equal(value, 1000);
  assert.match(reasons[1] ?? "", /^1000 µs from commit to commit: 50\.0 % more than 0; the best/);
  assert.match(reasons[2] ?? "", /^A commit took 29 KiB to disk in at most 0\.30 ms/);
  assert.equal(recommend("commit", sweep({ 0: 30_000, 1000: 30_000 }), 2).value, 0);
});

test("the YAML has the recommended keys only, and a configuration takes them", () => {
  const yaml = tunedYaml(
    [
      { dimension: "threads", value: 2, reasons: [] },
      { dimension: "workers", value: 3, reasons: [] },
      { dimension: "window", value: 200, reasons: [] },
      { dimension: "commit", value: 2000, reasons: [] },
      { dimension: "batch", value: 100, reasons: [] },
    ],
    "smsgw tune, 2 × a CPU: with a colon",
  );
  assert.match(yaml, /^#   window_max: 200$/m);
  const rest =
    "auth: { jwt: { secret_file: s } }\napps: [{ id: 1, name: a }]\n" +
    "links: [{ id: 1, host: h, port: 1, system_id: s }]\nroutes: [{ prefix: '', to: 1 }]\n";
  const secret = new TextEncoder().encode("x".repeat(32));
  const config = parseConfig(yaml + rest, "/", {}, () => secret);
  assert.equal(config.http.threads, 2);
  assert.equal(config.workers.count, 3);
  assert.equal(config.journal.commitIntervalUs, 2000);
  const one = tunedYaml([{ dimension: "workers", value: 1, reasons: [] }], "here");
  assert.equal(one, "# here\nworkers:\n  count: 1\n");
});

test("noise makes a recommendation doubtful, and says so", () => {
  const [first] = sweep({ 1: 30_000 }) as [SweepPoint];
  const quiet = { ...first, runsPerS: [29_000, 30_000, 31_000] };
  assert.ok(!recommend("threads", [quiet], 2).reasons.some((text) => /DOUBTFUL/.test(text)));
  const apart = { ...first, runsPerS: [22_000, 30_000, 31_000] };
  assert.match(recommend("threads", [apart], 2).reasons.at(-1) ?? "", /differ by up to 30 %/);
  const beside = { ...first, measured: measurement(30_000, { othersShare: 0.4 }) };
  const reasons = recommend("threads", [beside], 2).reasons;
  assert.match(reasons.at(-1) ?? "", /^DOUBTFUL: other programs took up to 40 %/);
});
