/**
 * Whole-program throughput over loopback: wrk → HTTP → journal → SMPP → simulated operator, beside
 * other servers and gateways under the same script in the same run.
 *
 *   npm run bench:load -- [--seconds 60] [--runs 5] [--connections 256] [--batch 1 | --stream]
 *                         [--durability disk|process|none] [--receipts none|final] [--links 2]
 *                         [--workers 1] [--apps 1] [--queue 0] [--headline] [--json FILE]
 *                         [--against bare,node-http,fastify,fastify-smpp,kannel,raw-smpp]
 *
 * Each run gives every contender a turn, every second run in the reverse order; ratios are made
 * within a run. The gateway's turn ends when GET shows its last message as final, and that time and
 * CPU count. Batches and
 * streams go to this gateway only; the others get the same messages one by one. All processes share
 * all CPUs, and the CPU sets are printed.
 *
 * `--headline`: figures to quote. At least 60 s and 5 runs, against every reference; refuses to run
 * where one is missing, and fails if Kannel was not at its best.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { readFlags } from "../../test/support/flags.ts";
import { caveatsOf } from "./caveats.ts";
import { type Contender, LOAD_DEFAULTS, type LoadSettings } from "./contenders/contender.ts";
import { FASTIFY_SMPP } from "./contenders/fastify-smpp.ts";
import { GATEWAY } from "./contenders/gateway.ts";
import { KANNEL } from "./contenders/kannel.ts";
import { RAW_SMPP } from "./contenders/raw-smpp.ts";
import { BARE, FASTIFY, NODE_HTTP } from "./contenders/server.ts";
import { describeOrigin, origin } from "./machine.ts";
import { median } from "./statistics.ts";
import { type Figures, takeTurn } from "./turn.ts";

const OTHERS: readonly Contender[] = [BARE, NODE_HTTP, FASTIFY, FASTIFY_SMPP, KANNEL, RAW_SMPP];
const HEADLINE_S_MIN = 60;
const HEADLINE_RUNS_MIN = 5;

const { values: flags } = readFlags({
  options: {
    seconds: { type: "string", default: "60" },
    runs: { type: "string", default: "5" },
    connections: { type: "string", default: "256" },
    batch: { type: "string", default: "1" },
    durability: { type: "string", default: "disk" },
    receipts: { type: "string", default: "none" },
    links: { type: "string", default: "2" },
    workers: { type: "string", default: "1" },
    apps: { type: "string", default: "1" },
    queue: { type: "string", default: "0" },
    stream: { type: "boolean", default: false },
    headline: { type: "boolean", default: false },
    against: { type: "string" },
    json: { type: "string" },
  },
});

await main();

async function main(): Promise<void> {
  const settings = readSettings();
  const contenders = [GATEWAY, ...readContenders()];
  refuseWhatIsMissing(contenders);
  if (flags.headline) refuseShort(settings);
  const from = origin();
  console.log(describeOrigin(from));
  console.log(
    `wrk -t1 -c${settings.connections} -d${settings.seconds}s, 10,000 distinct bodies, ` +
      `${settings.stream ? "streams" : `batch ${settings.batch}`}; durability ` +
      `${settings.durability}, receipts ${settings.receipts}, ${settings.links} links, ` +
      `${settings.workers} workers, ${settings.apps} apps, ${settings.queue} messages parked`,
  );
  const runs: Figures[][] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const figures: Figures[] = [];
    // Whatever drifts favours each of a pair as often as the other.
    for (const contender of run % 2 === 0 ? contenders : contenders.toReversed()) {
      figures.push(await takeTurn(contender, settings));
    }
    for (const each of figures) {
      print(each);
      printThreads(each);
    }
    runs.push(figures);
  }
  conclude(contenders, runs);
  const result = { kind: "throughput", origin: from, settings, runs } as const;
  for (const { text, voids } of caveatsOf(result)) {
    console.log(text);
    if (voids && flags.headline) process.exitCode = 1;
  }
  if (flags.json !== undefined) {
    writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

function readSettings(): LoadSettings {
  const { durability, receipts } = flags;
  if (durability !== "disk" && durability !== "process" && durability !== "none") {
    throw new Error("--durability takes disk, process or none");
  }
  if (receipts !== "none" && receipts !== "final") {
    throw new Error("--receipts takes none or final");
  }
  const count = (
    name: "seconds" | "connections" | "batch" | "links" | "workers" | "apps" | "queue",
  ) => {
    const value = Number(flags[name]);
    if (!Number.isSafeInteger(value) || value < (name === "queue" ? 0 : 1)) {
      throw new Error(`--${name} takes a number`);
    }
    return value;
  };
  return {
    ...LOAD_DEFAULTS,
    seconds: count("seconds"),
    connections: count("connections"),
    batch: count("batch"),
    stream: flags.stream,
    links: count("links"),
    workers: count("workers"),
    apps: count("apps"),
    queue: count("queue"),
    durability,
    receipts,
  };
}

/** wrk, and what each contender needs. */
function refuseWhatIsMissing(contenders: readonly Contender[]): void {
  const wrk = spawnSync("wrk", ["--version"]).error === undefined;
  const missing = [
    ...(wrk ? [] : ["wrk is missing: apt-get install wrk"]),
    ...contenders.flatMap((contender) => contender.missing?.() ?? []),
  ];
  if (missing.length > 0) throw new Error(missing.join("; "));
}

function refuseShort({ seconds }: LoadSettings): void {
  if (seconds < HEADLINE_S_MIN || Number(flags.runs) < HEADLINE_RUNS_MIN) {
    throw new Error(`a headline takes --seconds ${HEADLINE_S_MIN} and --runs 5, or more`);
  }
  if (flags.against !== undefined) throw new Error("a headline is against every reference");
}

function readContenders(): readonly Contender[] {
  const all = OTHERS.map(({ name }) => name).join(",");
  return (flags.against ?? (flags.headline ? all : "bare"))
    .split(",")
    .filter((name) => name !== "")
    .map((name) => {
      const found = OTHERS.find((contender) => contender.name === name);
      if (found !== undefined) return found;
      const known = OTHERS.map((contender) => contender.name).join(", ");
      throw new Error(`--against takes ${known}; found ${name}`);
    });
}

function print({ contender, wrk, settled, ...figures }: Figures): void {
  const final =
    settled === null ? "" : `, the last one finished at ${settled.seconds.toFixed(1)} s`;
  console.log(
    `${contender.padEnd(13)} ${figures.messagesPerS.toFixed(0).padStart(7)} messages/s  ` +
      `p50 ${ms(wrk.p50_us)} p99 ${ms(wrk.p99_us)}  ` +
      `${figures.cpuUsPerMessage.toFixed(1)} µs CPU  ` +
      `${(figures.residentBytes / 2 ** 20).toFixed(0)} MiB  CPUs ${figures.cpuSets.join(" ")}` +
      `${final}${wrk.status_errors + wrk.socket_errors === 0 ? "" : "  ERRORS:"}` +
      (wrk.status_errors === 0 ? "" : ` ${wrk.status_errors} not 2xx`) +
      (wrk.socket_errors === 0 ? "" : ` ${wrk.socket_errors} socket errors`),
  );
}

/** CPU of each thread of the gateway, in microseconds a message. */
function printThreads({ settled, cpuUsPerMessage }: Figures): void {
  const threads = Object.entries(settled?.cpuByThread ?? {});
  if (settled === null || threads.length === 0) return;
  const each = threads.map(([name, seconds]) => ({
    name,
    us: (seconds * 1e6) / settled.messages,
  }));
  const others = cpuUsPerMessage - each.reduce((sum, { us }) => sum + us, 0);
  const parts = [...each, { name: "others", us: others }].map(
    ({ name, us }) => `${name} ${us.toFixed(1)}`,
  );
  console.log(`              CPU µs a message by thread: ${parts.join(", ")}`);
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}

/** Medians over the runs, of ratios made within each run. */
function conclude(contenders: readonly Contender[], runs: readonly Figures[][]): void {
  const of = (run: readonly Figures[], name: string): Figures =>
    run.find(({ contender }) => contender === name) as Figures;
  const ratio = (name: string, pick: (figures: Figures) => number): string =>
    median(runs.map((run) => pick(of(run, GATEWAY.name)) / pick(of(run, name)))).toFixed(2);
  console.log(`medians of ${runs.length} runs; ratios are gateway ÷ contender, within a run`);
  for (const { name, promise } of contenders) {
    const perS = median(runs.map((run) => of(run, name).messagesPerS)).toFixed(0);
    const cpu = median(runs.map((run) => of(run, name).cpuUsPerMessage)).toFixed(1);
    const ratios =
      name === GATEWAY.name
        ? ""
        : `  throughput × ${ratio(name, (figures) => figures.messagesPerS)}, CPU × ` +
          ratio(name, (figures) => figures.cpuUsPerMessage);
    console.log(`${name.padEnd(13)} ${perS.padStart(7)} /s ${cpu.padStart(6)} µs${ratios}`);
    console.log(`              ${promise}`);
  }
}
