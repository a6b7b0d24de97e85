/**
 * Latency at a constant share of saturation, free of coordinated omission, against the disk's own
 * speed in the same run.
 *
 *   npm run bench:latency -- [--seconds 60] [--runs 5] [--share 0.5] [--connections 256]
 *                            [--durability disk|process|none] [--receipts none|final] [--json FILE]
 *
 * Each run: saturation by wrk; p50 of a 64 KB write + fdatasync; then a generator that sends at
 * `share` of saturation and counts each latency from when the message was due. Acceptance to
 * submit_sm is the gateway's own histogram; 2,000 messages of the whole run are asked for
 * afterwards, and their times go into HdrHistograms: acceptance to submit_sm, to submit_sm_resp, to
 * the final state. Last, the same generator at the same rate against the bare server.
 */
import { writeFileSync } from "node:fs";
import { readFlags } from "../../test/support/flags.ts";
import { wordOf } from "../../src/cli/bench.ts";
import type { LoadResult } from "../../src/cli/load/generator.ts";
import { measureDisk } from "../../src/cli/load/disk-speed.ts";
import { percentileSince, readPrometheus } from "../../src/cli/prometheus-read.ts";
import { startGateway, Workspace } from "../../test/support/processes.ts";
import { LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { adminText, benchToken, benchYaml, GATEWAY } from "./contenders/gateway.ts";
import { startOperator } from "./contenders/operator.ts";
import { describeOrigin, origin } from "./machine.ts";
import type { LatencyRun, StagePercentiles } from "./latency-run.ts";
import { loadBare, runOpenLoop } from "./open-loop.ts";
import { readStages } from "./stages.ts";
import { median } from "./statistics.ts";
import { takeTurn } from "./turn.ts";

const SATURATION_S_MAX = 15;
const WARM_UP_S_MAX = 5;
const BARE_S_MAX = 15;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "5" },
    share: { type: "string", default: "0.5" },
    connections: { type: "string", default: "256" },
    durability: { type: "string", default: "disk" },
    receipts: { type: "string", default: "none" },
    json: { type: "string" },
  },
});

await main();

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const settings: LoadSettings = {
    ...LOAD_DEFAULTS,
    seconds: Math.min(SATURATION_S_MAX, Number(flags.seconds)),
    durability: wordOf("durability", flags.durability, ["disk", "process", "none"]),
    receipts: wordOf("receipts", flags.receipts, ["none", "final"]),
  };
  const runs: LatencyRun[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const figures = await measure(settings);
    print(figures);
    runs.push(figures);
  }
  conclude(runs);
  if (flags.json !== undefined) {
    const { json: _, ...asked } = flags;
    const result = { kind: "latency", origin: from, settings: { ...settings, ...asked }, runs };
    writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

async function measure(settings: LoadSettings): Promise<LatencyRun> {
  const saturation = await takeTurn(GATEWAY, settings);
  const run = await measureGateway(settings, saturation.messagesPerS);
  const bare = await loadBare({
    rate: run.ratePerS,
    warmUpS: WARM_UP_S_MAX,
    seconds: WARM_UP_S_MAX + Math.min(BARE_S_MAX, settings.seconds),
    connections: Number(flags.connections),
  });
  return { ...run, bare };
}

async function measureGateway(
  settings: LoadSettings,
  saturationPerS: number,
): Promise<Omit<LatencyRun, "bare">> {
  const workspace = new Workspace();
  try {
    const disk = measureDisk(workspace.folder);
    const operator = await startOperator(workspace, settings.receipts);
    const gateway = await startGateway(workspace, benchYaml(operator.port, settings));
    const rate = Math.round(saturationPerS * Number(flags.share));
    const load = (seconds: number): Promise<LoadResult> =>
      runOpenLoop({
        port: gateway.httpPort,
        token: benchToken(),
        rate,
        seconds,
        connections: Number(flags.connections),
        hasReceipts: settings.receipts === "final",
      });
    await load(Math.min(WARM_UP_S_MAX, Number(flags.seconds)));
    const before = readPrometheus(await adminText(gateway, "/metrics"));
    const { samples, ...openLoop } = await load(Number(flags.seconds));
    const after = readPrometheus(await adminText(gateway, "/metrics"));
    const stages = await readStages(gateway.httpPort, samples);
    const submitMs = (percent: number): number =>
      percentileSince(before, after, "submit_duration_ms", percent) ?? Number.NaN;
    return {
      diskP50Ms: disk.p50Ms,
      diskP99Ms: disk.p99Ms,
      saturationPerS,
      ratePerS: rate,
      openLoop,
      stages,
      submitMs: {
        p50: submitMs(50),
        p99: submitMs(99),
      },
    };
  } finally {
    await workspace.dispose();
  }
}

function print(run: LatencyRun): void {
  const { diskP50Ms, ratePerS, saturationPerS, openLoop, submitMs, stages } = run;
  const { accepted, refused, unanswered, generatorLate, unwritten } = openLoop;
  console.log(
    `disk p50 ${diskP50Ms.toFixed(2)} ms; ${ratePerS} of ${saturationPerS.toFixed(0)} ` +
      "messages/s: " +
      `accept p50 ${ms(accepted.p50)} p99 ${ms(accepted.p99)} p99.9 ${ms(accepted.p999)} ` +
      `max ${ms(accepted.max)}; accept → submit_sm p50 ≤ ${submitMs.p50.toFixed(2)} ms ` +
      `p99 ≤ ${submitMs.p99.toFixed(2)} ms; ${refused.count} refused, ${unanswered} unanswered; ` +
      `the generator was late by p99 ${ms(generatorLate.p99)}, ` +
      `waited for a free connection by p99 ${ms(unwritten.p99)}`,
  );
  const { bare } = run;
  console.log(`  the bare server: p50 ${ms(bare.p50)} p99 ${ms(bare.p99)} p99.9 ${ms(bare.p999)}`);
  const line = ({ p50, p99, p999 }: StagePercentiles): string =>
    `p50 ${p50} p99 ${p99} p99.9 ${p999} ms`;
  console.log(
    `  ${stages.finalMs.count} of them by GET: → submit_sm ${line(stages.sentMs)}; ` +
      `→ submit_sm_resp ${line(stages.answeredMs)}; → final ${line(stages.finalMs)}`,
  );
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}

function conclude(runs: readonly LatencyRun[]): void {
  const times = (pick: (run: LatencyRun) => number): string =>
    median(runs.map((run) => pick(run) / run.diskP50Ms)).toFixed(1);
  console.log(
    `medians of ${runs.length} runs, as multiples of the disk's p50 in the same run: ` +
      `accept p99 × ${times(({ openLoop }) => openLoop.accepted.p99 / 1000)}, ` +
      `p99.9 × ${times(({ openLoop }) => openLoop.accepted.p999 / 1000)}, ` +
      `accept → submit_sm p99 × ${times(({ submitMs }) => submitMs.p99)}`,
  );
}
