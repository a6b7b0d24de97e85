/**
 * What growth costs: throughput with much of something beside throughput with little of it, in
 * turns of the same run.
 *
 *   npm run bench:growth -- [--seconds 60] [--runs 5] [--of links,apps,queue,workers]
 *                           [--links-max 16] [--apps-max 10000] [--queue-max 1000000] [--json FILE]
 *
 *   links 1 → 16    apps 10 → 10,000, all sending    queue 0 → 1 M messages for a link that is down
 *   workers 1 → as many as there are CPUs (for information: more threads share the same CPUs)
 */
import { availableParallelism } from "node:os";
import { readFlags } from "../../test/support/flags.ts";
import { LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { GATEWAY } from "./contenders/gateway.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type Measure, writeFigures } from "./results.ts";
import { median } from "./statistics.ts";
import { type Figures, takeTurn } from "./turn.ts";

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "5" },
    of: { type: "string", default: "links,apps,queue,workers" },
    connections: { type: "string", default: "256" },
    "links-max": { type: "string", default: "16" },
    "apps-max": { type: "string", default: "10000" },
    "queue-max": { type: "string", default: "1000000" },
    json: { type: "string" },
  },
});

type Grown = "links" | "apps" | "queue" | "workers";

/** From little to much. */
const STEPS: Readonly<Record<Grown, readonly [number, number]>> = {
  links: [1, Number(flags["links-max"])],
  apps: [10, Number(flags["apps-max"])],
  queue: [0, Number(flags["queue-max"])],
  workers: [1, availableParallelism()],
};

interface GrowthRun {
  readonly of: Grown;
  readonly little: Figures;
  readonly much: Figures;
}

await main();

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const asked = flags.of.split(",").map((name) => {
    if (name in STEPS) return name as Grown;
    throw new Error(`--of takes ${Object.keys(STEPS).join(", ")}; found ${name}`);
  });
  const base: LoadSettings = {
    ...LOAD_DEFAULTS,
    seconds: Number(flags.seconds),
    connections: Number(flags.connections),
  };
  const runs: GrowthRun[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    for (const of of asked) {
      const pair = await measure(base, of, run % 2 === 1);
      const [little, much] = STEPS[of];
      console.log(
        `${of} ${little}: ${pair.little.messagesPerS.toFixed(0)}/s, ` +
          `${much}: ${pair.much.messagesPerS.toFixed(0)}/s ` +
          `(× ${(pair.much.messagesPerS / pair.little.messagesPerS).toFixed(3)}), ` +
          `${pair.much.wrk.status_errors} not 2xx, ` +
          `${(pair.much.residentBytes / 2 ** 20).toFixed(0)} MiB`,
      );
      runs.push(pair);
    }
  }
  const measures = asked.flatMap((of) => measuresOfGrowth(of, runs));
  for (const { name, unit, values } of measures) {
    console.log(`median ${name}: ${median(values).toPrecision(4)} ${unit}`);
  }
  if (flags.json !== undefined) writeFigures(flags.json, "growth", from, flags, measures, runs);
}

/** Both turns; which comes first changes from run to run. */
async function measure(base: LoadSettings, of: Grown, isMuchFirst: boolean): Promise<GrowthRun> {
  const turn = (value: number): Promise<Figures> => takeTurn(GATEWAY, { ...base, [of]: value });
  const [little, much] = STEPS[of];
  if (isMuchFirst) {
    const grown = await turn(much);
    return { of, little: await turn(little), much: grown };
  }
  return { of, little: await turn(little), much: await turn(much) };
}

function measuresOfGrowth(of: Grown, runs: readonly GrowthRun[]): readonly Measure[] {
  const own = runs.filter((run) => run.of === of);
  const [little, much] = STEPS[of];
  const perS = (value: number, pick: (run: GrowthRun) => Figures): Measure => ({
    name: `throughput, ${of} ${value}`,
    unit: "/s",
    better: "higher",
    values: own.map((run) => pick(run).messagesPerS),
  });
  return [
    {
      name: `throughput, ${of} ${little} → ${much}`,
      unit: "×",
      better: "higher",
      values: own.map((run) => run.much.messagesPerS / run.little.messagesPerS),
    },
    perS(little, (run) => run.little),
    perS(much, (run) => run.much),
    {
      name: `memory, ${of} ${much}`,
      unit: "MiB",
      better: "lower",
      values: own.map((run) => run.much.residentBytes / 2 ** 20),
    },
  ];
}
