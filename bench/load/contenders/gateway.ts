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

const FINAL_MS_MAX = 120_000;
/** Of each link: what 100,000 messages a second take with answers after 40 ms. */
const WINDOW = 2000;
/** Numbers of messages that wait for a link that is down: nobody listens on port 1. */
const PARKED_PREFIX = "7777";
const PARKED_BATCH = 1000;
const PARKING_LANES = 4;
const DOWN_LINK_ID = 9000;
const DOWN_LINK = `{ id: ${DOWN_LINK_ID}, host: 127.0.0.1, port: 1, system_id: down }`;

interface Books {
  readonly accepted: number;
  readonly open: number;
}

export const GATEWAY: Contender = {
  name: "gateway",
  promise: "this gateway: its 202 means on disk (disk) or in the page cache (process, none)",
  async start(settings) {
    const workspace = new Workspace();
    try {
      const operator = await startOperator(workspace, settings.receipts);
      const gateway = await startGateway(workspace, benchYaml(operator.port, settings));
      await parkMessages(gateway, settings.queue);
      return {
        port: gateway.httpPort,
        token: benchToken(),
        tokensFile: writeTokens(workspace, settings.apps),
        pids: [gateway.pid],
        dialect: "json",
        takesBatches: true,
        watch: () => watchGateway(gateway, settings),
        stop: () => workspace.dispose(),
      };
    } catch (error) {
      await workspace.dispose();
      throw error;
    }
  },
};

/**
 * The configuration of a bench: `links` links, `apps` apps; with a queue a further link to nobody,
 * for the numbers that begin with its prefix.
 */
export function benchYaml(smscPort: number, settings: LoadSettings): string {
  const others = Array.from({ length: settings.apps - 1 }, (_, i) => i + 2);
  const yaml = gatewayYaml(smscPort, {
    links: settings.links,
    window: WINDOW,
    lines: [
      `journal: { durability: ${settings.durability} }`,
      `workers: { count: ${settings.workers} }`,
    ],
    apps: others.map((id) => `{ id: ${id}, name: app-${id}, rate_tps: 100000, burst: 100000 }`),
  });
  if (settings.queue === 0) return yaml;
  return yaml
    .replace("\nlinks:\n", `\nlinks:\n  - ${DOWN_LINK}\n`)
    .replace("\nroutes: [", `\nroutes: [{ prefix: "${PARKED_PREFIX}", to: ${DOWN_LINK_ID} }, `);
}

/** A token of an app that outlives any bench. */
export function benchToken(appId = 1): string {
  return signToken(
    {
      appId,
      audience: "smsgw",
      issuer: null,
      scopes: ["send"],
      issuedAtS: Math.floor(Date.now() / 1000),
      ttlS: 36_000,
    },
    SECRET,
  );
}

function writeTokens(workspace: Workspace, apps: number): string | null {
  if (apps === 1) return null;
  const lines = Array.from({ length: apps }, (_, i) => `${i + 1} ${benchToken(i + 1)}\n`);
  return workspace.write("tokens", lines.join(""));
}

/** Has `count` messages accepted for the link that is down. */
async function parkMessages(gateway: GatewayProcess, count: number): Promise<void> {
  const headers = {
    authorization: `Bearer ${benchToken()}`,
    "x-app-id": "1",
    "content-type": "application/json",
  };
  const url = `http://127.0.0.1:${gateway.httpPort}/v1/messages:batch`;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next = Math.min(count, from + PARKED_BATCH);
      const messages = Array.from({ length: next - from }, (_, k) => ({
        to: `+${PARKED_PREFIX}${String(from + k).padStart(8, "0")}`,
        from: "MYBRAND",
        text: `Your order ${from + k} is on its way and arrives today between 14:00 and 16:00.`,
        dlr: "none",
      }));
      const response = await fetch(url, {
        method: "POST",
        headers,
        body: JSON.stringify({ messages }),
      });
      const { accepted } = (await response.json()) as { accepted?: number };
      if (accepted !== messages.length) throw new Error(`parking got ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: PARKING_LANES }, lane));
}

/** The text of an endpoint of the admin port. */
export async function adminText(gateway: GatewayProcess, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${gateway.adminPort}${path}`)).text();
}

function cpuByThread(metrics: string): Record<string, number> {
  const samples = readPrometheus(metrics);
  return Object.fromEntries(byLabel(samples, "thread_cpu_seconds_total", "thread"));
}

/** Segments that operators have taken so far, by the text of the metrics. */
function segmentsIn(metrics: string): number {
  return sumOf(readPrometheus(metrics), "segments_accepted_total");
}

/**
 * Counts the segments that operators take from now on; ends when GET shows a message as final that
 * was posted behind all others, and the ledger has no open message but those parked in the queue.
 * Under the load it asks the gateway nothing: a look at the metrics takes some milliseconds of CPU.
 */
function watchGateway(
  gateway: GatewayProcess,
  { queue, receipts }: LoadSettings,
): () => Promise<Settled> {
  const startedAt = performance.now();
  const before = adminText(gateway, "/metrics");
  return async () => {
    await untilLastFinal(gateway, receipts);
    const seconds = (await untilAllFinal(gateway, queue)) - startedAt / 1000;
    const then = await before;
    const now = await adminText(gateway, "/metrics");
    const cpuThen = cpuByThread(then);
    return {
      messages: segmentsIn(now) - segmentsIn(then),
      seconds,
      cpuByThread: Object.fromEntries(
        Object.entries(cpuByThread(now)).map(([thread, s]) => [thread, s - (cpuThen[thread] ?? 0)]),
      ),
    };
  };
}

/** Posts one more message and asks for it until it is final. */
async function untilLastFinal(
  gateway: GatewayProcess,
  dlr: LoadSettings["receipts"],
): Promise<void> {
  const url = `http://127.0.0.1:${gateway.httpPort}/v1/messages`;
  const headers = {
    authorization: `Bearer ${benchToken()}`,
    "x-app-id": "1",
    "content-type": "application/json",
  };
  const body = JSON.stringify({ to: "+998900000001", from: "MYBRAND", text: "last", dlr });
  const deadline = performance.now() + FINAL_MS_MAX;
  let id: string | null = null;
  while (performance.now() < deadline) {
    if (id === null) {
      const posted = await fetch(url, { method: "POST", headers, body });
      const answer = (await posted.json()) as { id: string };
      if (posted.status === 202) id = answer.id;
    } else {
      const got = await fetch(`${url}/${id}`, { headers });
      const message = (await got.json()) as { final_at?: string | null };
      if (got.status === 200 && message.final_at != null) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the last message is not final two minutes after the load ended");
}

/** Waits until the ledger has no open message but `parked` ones; returns the time in seconds. */
async function untilAllFinal(gateway: GatewayProcess, parked: number): Promise<number> {
  const deadline = performance.now() + FINAL_MS_MAX;
  while (performance.now() < deadline) {
    const { books } = JSON.parse(await adminText(gateway, "/status")) as { books: Books };
    if (books.accepted > 0 && books.open <= parked) return performance.now() / 1000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("messages are still open two minutes after the load ended");
}
