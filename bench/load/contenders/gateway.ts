/** Contender: this gateway, built program, ledger and journal included. */
import {
  gatewayYaml,
  type GatewayProcess,
  SECRET,
  startGateway,
  Workspace,
} from "../../../test/support/processes.ts";
import { byLabel, readPrometheus, sumOf } from "../../../src/cli/prometheus-read.ts";
import { signToken } from "../../../src/cli/token.ts";
import type { Contender, LoadSettings, Settled } from "./contender.ts";
import { startOperator } from "./operator.ts";

const LOOK_MS = 100;
const FINAL_MS_MAX = 120_000;
const WINDOW = 1000;

interface Books {
  readonly accepted: number;
  readonly open: number;
}

export const GATEWAY: Contender = {
  name: "gateway",
  promise: "this gateway: its 202 means on disk (durability disk) or in the page cache (process)",
  async start(settings) {
    const workspace = new Workspace();
    const operator = await startOperator(workspace, settings.receipts);
    const gateway = await startGateway(workspace, benchYaml(operator.port, settings));
    return {
      port: gateway.httpPort,
      token: benchToken(),
      pids: [gateway.pid],
      dialect: "json",
      watch: () => watchGateway(gateway),
      stop: () => workspace.dispose(),
    };
  },
};

/** The configuration of a bench: `links` links, `apps` apps of which the first one sends. */
export function benchYaml(smscPort: number, settings: LoadSettings): string {
  const others = Array.from({ length: settings.apps - 1 }, (_, i) => i + 2);
  return gatewayYaml(smscPort, {
    links: settings.links,
    window: WINDOW,
    lines: [
      `journal: { durability: ${settings.durability} }`,
      `workers: { count: ${settings.workers} }`,
    ],
    apps: others.map((id) => `{ id: ${id}, name: app-${id}, rate_tps: 1000 }`),
  });
}

/** A token of app 1 that outlives any bench. */
export function benchToken(): string {
  return signToken(
    {
      appId: 1,
      audience: "smsgw",
      issuer: null,
      scopes: ["send"],
      issuedAtS: Math.floor(Date.now() / 1000),
      ttlS: 36_000,
    },
    SECRET,
  );
}

/** The text of an endpoint of the admin port. */
export async function adminText(gateway: GatewayProcess, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.adminPort}${path}`)).text();
}

function cpuByThread(metrics: string): Record<string, number> {
  const samples = readPrometheus(metrics);
  return Object.fromEntries(byLabel(samples, "thread_cpu_seconds_total", "thread"));
}

/** Segments that operators have taken so far. */
export async function acceptedSegments(gateway: GatewayProcess): Promise<number> {
  return sumOf(readPrometheus(await adminText(gateway, "/metrics")), "segments_accepted_total");
}

/** Follows the segments that operators took; ends when the ledger has no open message. */
function watchGateway(gateway: GatewayProcess): () => Promise<Settled> {
  const startedAt = performance.now();
  const before = adminText(gateway, "/metrics").then(cpuByThread);
  let answered = 0;
  let lastAtMs = startedAt;
  const look = async (): Promise<void> => {
    const count = await acceptedSegments(gateway);
    if (count > answered) lastAtMs = performance.now();
    answered = count;
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return async () => {
    const toLastFinalS = (await untilAllFinal(gateway)) - startedAt / 1000;
    clearInterval(timer);
    await look();
    const threads = Object.entries(cpuByThread(await adminText(gateway, "/metrics")));
    const then = await before;
    return {
      messages: answered,
      toLastAnswerS: (lastAtMs - startedAt) / 1000,
      toLastFinalS,
      cpuByThread: Object.fromEntries(
        threads.map(([thread, seconds]) => [thread, seconds - (then[thread] ?? 0)]),
      ),
    };
  };
}

/** Waits until the ledger's books have no open message; returns the time in seconds. */
async function untilAllFinal(gateway: GatewayProcess): Promise<number> {
  const deadline = performance.now() + FINAL_MS_MAX;
  while (performance.now() < deadline) {
    const { books } = JSON.parse(await adminText(gateway, "/status")) as { books: Books };
    if (books.accepted > 0 && books.open === 0) return performance.now() / 1000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("messages are still open two minutes after the load ended");
}
