/**
 * Whole-program throughput over loopback: wrk → HTTP → journal → SMPP → simulated operator, beside
 * other servers and gateways under the same script in the same run.
 *
 *   npm run bench:load -- [--seconds 60] [--runs 5] [--connections 256] [--batch 1]
 *                         [--durability disk|process] [--receipts none|final] [--links 2]
 *                         [--workers 1] [--apps 1] [--against bare,node-http,fastify,fastify-smpp,
 *                         kannel] [--json FILE]
 *
 * Each run gives every contender a turn, in an order that rotates; ratios are made within a run. A
 * gateway's turn ends when the operator has answered its last message, and that time and CPU count.
 * All processes share all CPUs, and the CPU sets are printed.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Contender, LoadSettings } from "./contenders/contender.ts";
import { FASTIFY_SMPP } from "./contenders/fastify-smpp.ts";
import { GATEWAY } from "./contenders/gateway.ts";
import { KANNEL } from "./contenders/kannel.ts";
import { BARE, FASTIFY, NODE_HTTP } from "./contenders/server.ts";
import { describeOrigin, origin } from "./machine.ts";
import { median } from "./statistics.ts";
import { type Figures, takeTurn } from "./turn.ts";

const OTHERS: readonly Contender[] = [BARE, NODE_HTTP, FASTIFY, FASTIFY_SMPP, KANNEL];
/** Threads of the gateway that are busy under load beside its workers: main, journal, ledger. */
const OWN_THREADS = 3;

const { values: flags } = parseArgs({
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
    against: { type: "string", default: "bare" },
    json: { type: "string" },
  },
});

await main();

async function main(): Promise<void> {
  const settings = readSettings();
  const contenders = [GATEWAY, ...readContenders()];
  const from = origin();
  console.log(describeOrigin(from));
  console.log(
    `wrk -t1 -c${settings.connections} -d${settings.seconds}s, 10,000 distinct bodies, batch ` +
      `${settings.batch}; durability ${settings.durability}, receipts ${settings.receipts}, ` +
      `${settings.links} links, ${settings.workers} workers, ${settings.apps} apps`,
  );
  const threads = OWN_THREADS + settings.workers + 2;
  if (threads > from.cpuCount) {
    console.log(
      `${threads} busy threads (gateway, operator, wrk) share ${from.cpuCount} CPUs: figures of ` +
        "the gateway are the whole machine's",
    );
  }
  const runs: Figures[][] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const turn = run % contenders.length;
    const figures: Figures[] = [];
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)]) {
      figures.push(await takeTurn(contender, settings));
    }
    for (const each of figures) {
      print(each);
      printThreads(each);
    }
    runs.push(figures);
  }
  conclude(contenders, runs);
  if (flags.json !== undefined) {
    const result = { kind: "throughput", origin: from, settings, runs };
    writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

function readSettings(): LoadSettings {
  const { durability, receipts } = flags;
  if (durability !== "disk" && durability !== "process") {
    throw new Error("--durability takes disk or process");
  }
  if (receipts !== "none" && receipts !== "final") {
    throw new Error("--receipts takes none or final");
  }
  const count = (name: "seconds" | "connections" | "batch" | "links" | "workers" | "apps") => {
    const value = Number(flags[name]);
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} takes a number`);
    return value;
  };
  return {
    seconds: count("seconds"),
    connections: count("connections"),
    batch: count("batch"),
    links: count("links"),
    workers: count("workers"),
    apps: count("apps"),
    durability,
    receipts,
  };
}

function readContenders(): readonly Contender[] {
  return flags.against
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
    settled?.toLastFinalS == null ? "" : `, last final ${settled.toLastFinalS.toFixed(1)} s`;
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
