/**
 * Whole-program throughput over loopback: wrk → HTTP → journal → SMPP → simulated operator, beside
 * a bare uWebSockets.js server under the same script in the same run.
 *
 *   npm run bench:load -- [--seconds 30] [--connections 256] [--durability disk|process]
 *                         [--receipts none|final] [--runs 1] [--json FILE]
 *
 * The gateway's run ends when its last message is final; that time and CPU count. All processes
 * share all CPUs, and the CPU sets are printed.
 */
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { signToken } from "../../src/cli/token.ts";
import {
  gatewayYaml,
  type GatewayProcess,
  residentBytes,
  SECRET,
  startGateway,
  Workspace,
} from "../../test/support/processes.ts";
import { cpuSeconds, cpuSet, machine, runWrk, type WrkResult } from "./measured-process.ts";

interface GatewayFigures {
  readonly wrk: WrkResult;
  readonly messages: number;
  readonly toLastAnswerS: number;
  readonly toLastFinalS: number;
  readonly messagesPerS: number;
  readonly cpuUsPerMessage: number;
  readonly residentMib: number;
  readonly cpuSet: string;
}

interface BareFigures {
  readonly wrk: WrkResult;
  readonly requestsPerS: number;
  readonly cpuUsPerRequest: number;
  readonly cpuSet: string;
}

interface Books {
  readonly accepted: number;
  readonly open: number;
}

const FINAL_DEADLINE_MS = 120_000;
const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    connections: { type: "string", default: "256" },
    durability: { type: "string", default: "disk" },
    receipts: { type: "string", default: "none" },
    runs: { type: "string", default: "1" },
    json: { type: "string" },
  },
});
const seconds = Number(flags.seconds);
const connections = Number(flags.connections);
const extra = flags.receipts === "none" ? ',"dlr":"none"' : "";

await main();

async function main(): Promise<void> {
  console.log(machine());
  console.log(
    `wrk -t1 -c${connections} -d${seconds}s, 10,000 distinct bodies; ` +
      `durability ${flags.durability}, receipts ${flags.receipts}`,
  );
  const runs: { gateway: GatewayFigures; bare: BareFigures }[] = [];
  for (let run = 0; run < Number(flags.runs); run++) {
    const bare = await measureBare();
    const gateway = await measureGateway();
    runs.push({ gateway, bare });
    print(gateway, bare);
  }
  if (flags.json !== undefined) {
    const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim();
    const result = { commit, at: new Date().toISOString(), machine: machine(), flags, runs };
    writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
  }
}

function print(gateway: GatewayFigures, bare: BareFigures): void {
  const { wrk } = gateway;
  console.log(
    [
      `gateway  ${gateway.messagesPerS.toFixed(0)} messages/s HTTP → submit_sm_resp over ` +
        `${gateway.toLastAnswerS.toFixed(1)} s (${gateway.messages} messages)`,
      `         accept p50 ${ms(wrk.p50_us)}, p99 ${ms(wrk.p99_us)}; last one final after ` +
        `${gateway.toLastFinalS.toFixed(1)} s`,
      `         ${gateway.cpuUsPerMessage.toFixed(1)} µs CPU a message, ` +
        `${gateway.residentMib.toFixed(0)} MiB, CPUs ${gateway.cpuSet}`,
      `         not 202: ${wrk.status_errors}, socket errors: ${wrk.socket_errors}`,
      `bare     ${bare.requestsPerS.toFixed(0)} requests/s, p50 ${ms(bare.wrk.p50_us)}, p99 ` +
        ms(bare.wrk.p99_us),
      `         ${bare.cpuUsPerRequest.toFixed(1)} µs CPU a request, CPUs ${bare.cpuSet}`,
      `ratio    throughput ${(gateway.messagesPerS / bare.requestsPerS).toFixed(2)}, CPU ` +
        (gateway.cpuUsPerMessage / bare.cpuUsPerRequest).toFixed(2),
    ].join("\n"),
  );
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}

async function measureBare(): Promise<BareFigures> {
  const path = fileURLToPath(new URL("./bare-server.js", import.meta.url));
  const child = spawn(process.execPath, [path], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = await new Promise<number>((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        resolve(Number(line.split(" ").at(-1)));
      });
    });
    const pid = child.pid as number;
    const before = cpuSeconds(pid);
    const wrk = await runWrk({ port, connections, seconds, token: "none", extra });
    const cpu = cpuSeconds(pid) - before;
    return {
      wrk,
      requestsPerS: wrk.requests / (wrk.duration_us / 1e6),
      cpuUsPerRequest: (cpu * 1e6) / wrk.requests,
      cpuSet: cpuSet(pid),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

async function measureGateway(): Promise<GatewayFigures> {
  const workspace = new Workspace();
  try {
    const smsc = await workspace.run(
      ["smsc", "--port", "0", "--receipts", flags.receipts as string],
      (line) => line.includes("listening on"),
    );
    const line = smsc.lines.find((text) => text.includes("listening on")) as string;
    const yaml = gatewayYaml(Number(line.split(":").at(-1)), {
      lines: [`journal: { durability: ${flags.durability} }`],
      window: 1000,
    });
    const gateway = await startGateway(workspace, yaml);
    return await loadGateway(gateway);
  } finally {
    await workspace.dispose();
  }
}

async function loadGateway(gateway: GatewayProcess): Promise<GatewayFigures> {
  const nowS = Math.floor(Date.now() / 1000);
  const token = signToken(
    {
      appId: 1,
      audience: "smsgw",
      issuer: null,
      scopes: ["send"],
      issuedAtS: nowS,
      ttlS: 3600,
    },
    SECRET,
  );
  const before = cpuSeconds(gateway.pid);
  const startedAt = performance.now();
  const watch = watchAnswers(gateway, startedAt);
  const wrk = await runWrk({ port: gateway.httpPort, connections, seconds, token, extra });
  const resident = residentBytes(gateway.pid);
  const toLastFinalS = (await untilAllFinal(gateway)) - startedAt / 1000;
  const cpu = cpuSeconds(gateway.pid) - before;
  const { answered, lastAtS } = await watch.stop();
  return {
    wrk,
    messages: answered,
    toLastAnswerS: lastAtS,
    toLastFinalS,
    messagesPerS: answered / lastAtS,
    cpuUsPerMessage: (cpu * 1e6) / answered,
    residentMib: resident / 2 ** 20,
    cpuSet: cpuSet(gateway.pid),
  };
}

/** Follows the count of accepted segments and notes when it last grew. */
function watchAnswers(gateway: GatewayProcess, startedAt: number) {
  let answered = 0;
  let lastAtS = 0;
  const look = async (): Promise<void> => {
    const text = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text();
    const count = Number(
      /^smsgw_segments_accepted_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0,
    );
    if (count > answered) lastAtS = (performance.now() - startedAt) / 1000;
    answered = count;
  };
  const timer = setInterval(() => void look(), 100);
  return {
    async stop() {
      clearInterval(timer);
      await look();
      return { answered, lastAtS };
    },
  };
}

/** Waits until the ledger's books have no open message; returns the time in seconds. */
async function untilAllFinal(gateway: GatewayProcess): Promise<number> {
  const deadline = performance.now() + FINAL_DEADLINE_MS;
  while (performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/status`);
    const { books } = (await response.json()) as { books: Books };
    if (books.accepted > 0 && books.open === 0) return performance.now() / 1000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("messages are still open two minutes after the load ended");
}
