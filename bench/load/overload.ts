/**
 * Overload: links contracted to a share of saturation, offered five times that, with a journal that
 * fills within seconds. What the links allow must still go out, refusals must be quick, and another
 * app with a link of its own should not notice.
 *
 *   npm run bench:overload -- [--seconds 60] [--runs 1] [--share 0.15] [--times 5] [--json FILE]
 *
 * The other app sends 100 messages a second, first alone, then beside the overload. Last, what the
 * same generator sees of the bare server at the rate that was offered.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { readFlags } from "../../test/support/flags.ts";
import { byLabel, readPrometheus } from "../../src/cli/prometheus-read.ts";
import type { Latencies, LoadResult } from "../../src/cli/load/generator.ts";
import { type GatewayProcess, startGateway, Workspace } from "../../test/support/processes.ts";
import { LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { adminText, benchToken, benchYaml, GATEWAY } from "./contenders/gateway.ts";
import { startOperator } from "./contenders/operator.ts";
import { describeOrigin, origin } from "./machine.ts";
import { loadBare, runOpenLoop } from "./open-loop.ts";
import { type Measure, writeFigures } from "./results.ts";
import { median } from "./statistics.ts";
import { takeTurn } from "./turn.ts";

const CONNECTIONS = 256;
const SATURATION_S_MAX = 15;
const LINKS = 2;
const LINK_PER_S_MIN = 5;
/** Full after some ten thousand waiting messages, so that most of the run is refusals. */
const JOURNAL_BYTES_MAX = 16 * 2 ** 20;
const SEGMENT_BYTES = 2 ** 20;
/** The rate grows until then; after a start all tokens of a contract rest for a second. */
const WARM_UP_S = 4;
const OTHER_APP = 2;
const OTHER_PREFIX = "8888";
const OTHER_LINK = 9001;
const OTHER_PER_S = 100;
const OTHER_CONNECTIONS = 8;
const ALONE_S_MAX = 10;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "1" },
    share: { type: "string", default: "0.15" },
    times: { type: "string", default: "5" },
    json: { type: "string" },
  },
});

interface OverloadRun {
  readonly saturationPerS: number;
  readonly boundPerS: number;
  readonly offeredPerS: number;
  readonly goodputPerS: number;
  readonly openLoop: Omit<LoadResult, "samples">;
  readonly otherAlone: Omit<LoadResult, "samples">;
  readonly other: Omit<LoadResult, "samples">;
  readonly bare: Latencies;
}

await main();

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const runs: OverloadRun[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const figures = await measure(Number(flags.seconds));
    print(figures);
    runs.push(figures);
  }
  const measures = measuresOfOverload(runs);
  for (const { name, unit, values } of measures) {
    console.log(`median ${name}: ${median(values).toPrecision(4)} ${unit}`);
  }
  if (flags.json !== undefined) {
    writeFigures(flags.json, "overload", from, flags, measures, runs);
  }
}

async function measure(seconds: number): Promise<OverloadRun> {
  const settings: LoadSettings = {
    ...LOAD_DEFAULTS,
    seconds: Math.min(SATURATION_S_MAX, seconds),
    links: LINKS,
    apps: OTHER_APP,
  };
  const saturation = await takeTurn(GATEWAY, { ...settings, apps: 1 });
  const shareOfLink = (saturation.messagesPerS * Number(flags.share)) / LINKS;
  const boundPerS = Math.max(LINK_PER_S_MIN, Math.floor(shareOfLink)) * LINKS;
  const offeredPerS = boundPerS * Number(flags.times);
  const run = await measureGateway(seconds, settings, boundPerS, offeredPerS);
  const bare = await loadBare({
    rate: offeredPerS,
    seconds: seconds + WARM_UP_S,
    warmUpS: WARM_UP_S,
    connections: CONNECTIONS,
  });
  const { messagesPerS: saturationPerS } = saturation;
  return { saturationPerS, boundPerS, offeredPerS, ...run, bare };
}

async function measureGateway(
  seconds: number,
  settings: LoadSettings,
  boundPerS: number,
  offeredPerS: number,
): Promise<Pick<OverloadRun, "goodputPerS" | "openLoop" | "otherAlone" | "other">> {
  const workspace = new Workspace();
  try {
    const operator = await startOperator(workspace, "none");
    const gateway = await startGateway(workspace, overloadYaml(operator.port, settings, boundPerS));
    const otherAlone = await loadOther(gateway, Math.min(ALONE_S_MAX, seconds));
    const load = runOpenLoop({
      port: gateway.httpPort,
      token: benchToken(),
      rate: offeredPerS,
      seconds: seconds + WARM_UP_S,
      warmUpS: WARM_UP_S,
      connections: CONNECTIONS,
      hasReceipts: false,
    });
    await sleep(WARM_UP_S * 1000);
    const before = await writtenByLinks(gateway);
    const startedAt = performance.now();
    const beside = loadOther(gateway, seconds);
    await sleep(seconds * 1000);
    const written = (await writtenByLinks(gateway)) - before;
    const goodputPerS = (written * 1000) / (performance.now() - startedAt);
    const { samples: _, ...openLoop } = await load;
    const other = await beside;
    return { goodputPerS, openLoop, otherAlone, other };
  } finally {
    await workspace.dispose();
  }
}

function overloadYaml(smscPort: number, settings: LoadSettings, boundPerS: number): string {
  const otherLink =
    `{ id: ${OTHER_LINK}, host: 127.0.0.1, port: ${smscPort}, system_id: other, ` +
    "rate_tps: null }";
  return benchYaml(smscPort, settings)
    .replaceAll(/(window_max: \d+), rate_tps: null/g, `$1, rate_tps: ${boundPerS / LINKS}`)
    .replace(
      "journal: { durability: disk }",
      `journal: { durability: disk, segment_bytes: ${SEGMENT_BYTES}, ` +
        `bytes_max: ${JOURNAL_BYTES_MAX} }`,
    )
    .replace("\nlinks:\n", `\nlinks:\n  - ${otherLink}\n`)
    .replace("\nroutes: [", `\nroutes: [{ prefix: "${OTHER_PREFIX}", to: ${OTHER_LINK} }, `);
}

async function loadOther(
  gateway: GatewayProcess,
  seconds: number,
): Promise<Omit<LoadResult, "samples">> {
  const { samples: _, ...result } = await runOpenLoop({
    port: gateway.httpPort,
    token: benchToken(OTHER_APP),
    rate: OTHER_PER_S,
    seconds,
    connections: OTHER_CONNECTIONS,
    hasReceipts: false,
    appId: OTHER_APP,
    prefix: OTHER_PREFIX,
  });
  return result;
}

/** Segments that the bound links have written so far. */
async function writtenByLinks(gateway: GatewayProcess): Promise<number> {
  const metrics = readPrometheus(await adminText(gateway, "/metrics"));
  let sum = 0;
  for (const [link, count] of byLabel(metrics, "link_written_segments_total", "link")) {
    if (link !== String(OTHER_LINK)) sum += count;
  }
  return sum;
}

function measuresOfOverload(runs: readonly OverloadRun[]): readonly Measure[] {
  const each = (pick: (run: OverloadRun) => number): number[] => runs.map(pick);
  const lower = (name: string, unit: string, pick: (run: OverloadRun) => number): Measure => ({
    name,
    unit,
    better: "lower",
    values: each(pick),
  });
  return [
    {
      name: "goodput ÷ bound",
      unit: "",
      better: "higher",
      values: each(({ goodputPerS, boundPerS }) => goodputPerS / boundPerS),
    },
    // Without refusals there is nothing to tell of them.
    ...(runs.every(({ openLoop }) => openLoop.refused.count > 0)
      ? [lower("refusal p99", "ms", ({ openLoop }) => openLoop.refused.p99 / 1000)]
      : []),
    lower("bare server at the offered rate, p99", "ms", ({ bare }) => bare.p99 / 1000),
    lower("other app alone, accept p99", "ms", ({ otherAlone }) => otherAlone.accepted.p99 / 1000),
    lower("other app beside, accept p99", "ms", ({ other }) => other.accepted.p99 / 1000),
    {
      name: "other app beside, accepted",
      unit: "",
      better: "higher",
      values: each(({ other }) => other.accepted.count / other.due),
    },
  ];
}

function print({ boundPerS, offeredPerS, goodputPerS, openLoop, other, bare }: OverloadRun): void {
  const { accepted, refused, withoutRetryAfter, unanswered } = openLoop;
  const { generatorLate, unwritten, busy } = openLoop;
  console.log(
    `bound ${boundPerS}/s, offered ${offeredPerS}/s: goodput ${goodputPerS.toFixed(0)}/s ` +
      `(${(goodputPerS / boundPerS).toFixed(3)} of the bound); accepted ${accepted.count} ` +
      `p99 ${(accepted.p99 / 1000).toFixed(1)} ms; refused ${refused.count} ` +
      `p99 ${(refused.p99 / 1000).toFixed(1)} ms, ${withoutRetryAfter} of them without ` +
      `Retry-After; ${unanswered} unanswered; other app: ${other.accepted.count} of ${other.due} ` +
      `accepted, p99 ${(other.accepted.p99 / 1000).toFixed(1)} ms; the generator was busy ` +
      `${(busy * 100).toFixed(0)} % of the time, late by p99 ` +
      `${(generatorLate.p99 / 1000).toFixed(1)} ms, and waited for a free connection by p99 ` +
      `${(unwritten.p99 / 1000).toFixed(1)} ms; the bare server at that rate: p99 ` +
      `${(bare.p99 / 1000).toFixed(1)} ms`,
  );
}
