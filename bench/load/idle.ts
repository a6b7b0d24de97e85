/**
 * What the gateway costs when nothing happens: CPU with ten links bound, and the time from start to
 * the first 202.
 *
 *   npm run bench:idle -- [--seconds 30] [--runs 5] [--links 10] [--json FILE]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { readFlags } from "../../test/support/flags.ts";
import { residentBytes, startGateway, Workspace } from "../../test/support/processes.ts";
import { LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { benchToken, benchYaml } from "./contenders/gateway.ts";
import { startOperator } from "./contenders/operator.ts";
import { describeOrigin, origin } from "./machine.ts";
import { cpuSeconds, cpuSecondsByThread } from "./process-figures.ts";
import { writeFigures } from "./results.ts";
import { median } from "./statistics.ts";

/** Binds, first commits and garbage of the start are over by then. */
const SETTLE_S_MAX = 10;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "30" },
    runs: { type: "string", default: "5" },
    links: { type: "string", default: "10" },
    json: { type: "string" },
  },
});

interface IdleRun {
  readonly firstAcceptMs: number;
  /** Of one core. */
  readonly cpuShare: number;
  readonly residentMib: number;
}

await main();

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const runs: IdleRun[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const figures = await measure();
    console.log(
      `start to first 202: ${figures.firstAcceptMs.toFixed(0)} ms; idle with ${flags.links} ` +
        `links bound: ${(figures.cpuShare * 100).toFixed(2)} % of a core, ` +
        `${figures.residentMib.toFixed(0)} MiB`,
    );
    runs.push(figures);
  }
  console.log(
    `medians of ${runs.length}: ${median(runs.map((run) => run.firstAcceptMs)).toFixed(0)} ms, ` +
      `${(median(runs.map((run) => run.cpuShare)) * 100).toFixed(2)} % of a core`,
  );
  if (flags.json === undefined) return;
  writeFigures(flags.json, "idle", from, flags, [
    {
      name: "start to first 202",
      unit: "ms",
      better: "lower",
      values: runs.map((run) => run.firstAcceptMs),
    },
    {
      name: "idle CPU",
      unit: "% of a core",
      better: "lower",
      values: runs.map((run) => run.cpuShare * 100),
    },
    { name: "memory", unit: "MiB", better: "lower", values: runs.map((run) => run.residentMib) },
  ]);
}

async function measure(): Promise<IdleRun> {
  const workspace = new Workspace();
  try {
    const operator = await startOperator(workspace, "none");
    const settings: LoadSettings = { ...LOAD_DEFAULTS, links: Number(flags.links) };
    // The first call of fetch takes this process some time.
    await operator.counts();
    const startedAt = performance.now();
    const gateway = await startGateway(workspace, benchYaml(operator.port, settings));
    const response = await fetch(`http://127.0.0.1:${gateway.httpPort}/v1/messages`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${benchToken()}`,
        "x-app-id": "1",
      },
      body: JSON.stringify({ to: "+998901234567", text: "first" }),
    });
    const firstAcceptMs = performance.now() - startedAt;
    if (response.status !== 202) throw new Error(`the first message got ${response.status}`);
    const seconds = Number(flags.seconds);
    await sleep(Math.min(SETTLE_S_MAX, seconds) * 1000);
    const before = cpuSeconds([gateway.pid]);
    const threadsBefore = cpuSecondsByThread(gateway.pid);
    await sleep(seconds * 1000);
    const cpuShare = (cpuSeconds([gateway.pid]) - before) / seconds;
    for (const [thread, cpu] of cpuSecondsByThread(gateway.pid)) {
      const share = (cpu - (threadsBefore.get(thread) ?? 0)) / seconds;
      if (share >= 0.001) console.log(`  thread ${thread}: ${(share * 100).toFixed(2)} %`);
    }
    return { firstAcceptMs, cpuShare, residentMib: residentBytes(gateway.pid) / 2 ** 20 };
  } finally {
    await workspace.dispose();
  }
}
