/**
 * One trial of rate accuracy: a gateway of two workers, a link per rate with a session on each,
 * more messages waiting than can be sent, and a packet capture that says when every submit_sm left.
 *
 *   submits in any half-open second ÷ contract   never above 1, also over restarts of the gateway
 *   submits in the trial ÷ (contract × seconds)  the mean, from the link's first bind on
 */
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testToken } from "../../support/client.ts";
import { startLoad } from "../../support/http-load.ts";
import { type GatewayProcess, startGateway, type Workspace } from "../../support/processes.ts";
import { densest } from "../../support/rate-window.ts";
import { readPdus, startCapture } from "./capture.ts";

const SUBMIT_SM = 0x4;
const BIND_TRANSCEIVER = 0x9;
/** Messages of links this fast are long: the link is to be the limit, not the way to it. */
const FAST_PER_S = 1000;
const PARTS = 10;
const PART_CHARACTERS = 153;
const BACKLOG_SHARE = 1.1;
const START_DEADLINE_MS = 30_000;

export interface RateFigures {
  readonly rate: number;
  readonly seconds: number;
  readonly segments: number;
  /** Connections that carried submits. */
  readonly sessions: number;
  /** Most in any half-open second. */
  readonly densestSecond: number;
  /** Most in any 100 ms, as a share of the contract's 100 ms. */
  readonly densestTenth: number;
  /** Segments in the seconds after the first bind ÷ what the contract allows in them. */
  readonly mean: number;
}

/**
 * Runs every rate at once, each on a link of its own. With `restarts` the gateway gets each of
 * these signals in turn, evenly over the time, and is started again at once.
 */
export async function runRates(
  workspace: Workspace,
  rates: readonly number[],
  seconds: number,
  restarts: readonly ("SIGKILL" | "SIGTERM")[] = [],
): Promise<RateFigures[]> {
  const port = await freePort();
  const yaml = yamlOf(rates, port);
  let gateway: GatewayProcess = await startGateway(workspace, yaml);
  const file = join(workspace.folder, "capture.pcap");
  // The operator is not there yet: everything waits.
  const messages = [...messagesOf(rates, seconds)];
  const waiting = messages.length;
  let refused = 0;
  const load = startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections: 32,
    next: () => messages.pop() ?? null,
    onAnswer: (_message, status) => {
      if (status !== 202) refused++;
    },
  });
  await load.done;
  if (refused > 0) throw new Error(`${refused} of ${waiting} messages were refused`);
  const capture = await startCapture(port, file);
  const smsc = await workspace.run(["smsc", "--port", String(port), "--receipts", "none"], (line) =>
    line.includes("listening on"),
  );
  await untilSubmits(file, rates.length);
  const intervalMs = (seconds * 1000 + 1500) / (restarts.length + 1);
  for (const signal of restarts) {
    await sleep(intervalMs);
    gateway.child.kill(signal);
    await gateway.exited;
    gateway = await startGateway(workspace, yaml);
  }
  await sleep(intervalMs);
  await capture.stop();
  gateway.child.kill("SIGKILL");
  await gateway.exited;
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  return judge(file, rates, seconds);
}

function yamlOf(rates: readonly number[], port: number): string {
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "workers: { count: 2 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps:",
    "  - { id: 1, name: test, rate_tps: null, burst: 1000, scopes: [send] }",
    "links:",
    ...rates.map(
      (rate, i) =>
        `  - { id: ${100 + i}, host: 127.0.0.1, port: ${port}, system_id: rate-${rate}, ` +
        `sessions: 2, window_max: 10000, rate_tps: ${rate} }`,
    ),
    "routes:",
    ...rates.map((_rate, i) => `  - { prefix: "${prefixOf(i)}", to: ${100 + i} }`),
    "",
  ].join("\n");
}

function prefixOf(link: number): string {
  return `99890${link}`;
}

/** More for each link than it can send, the links' messages mixed. */
function* messagesOf(
  rates: readonly number[],
  seconds: number,
): Generator<Record<string, unknown>> {
  const left = rates.map((rate) => {
    const segments = rate * (seconds + 3) * BACKLOG_SHARE;
    return Math.ceil(rate >= FAST_PER_S ? segments / PARTS : segments);
  });
  for (let index = 0; left.some((count) => count > 0); index++) {
    for (const [link, rate] of rates.entries()) {
      if ((left[link] as number) <= 0) continue;
      left[link] = (left[link] as number) - 1;
      const to = prefixOf(link) + String(index).padStart(6, "0");
      const characters = rate >= FAST_PER_S ? PARTS * PART_CHARACTERS : 5;
      yield { to, from: "TEST", text: "x".repeat(characters), dlr: "none" };
    }
  }
}

/** Waits until the capture has submits of every link. */
async function untilSubmits(file: string, links: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_DEADLINE_MS; waitedMs += 100) {
    await sleep(100);
    try {
      const sending = [...timesByLink(file).values()].filter(({ atMs }) => atMs.length > 0);
      if (sending.length === links) return;
    } catch {
      // Not written out yet, or cut within a packet.
    }
  }
  throw new Error("no submit_sm left in time");
}

interface LinkTimes {
  readonly boundAtMs: number;
  readonly atMs: number[];
  readonly flows: Set<string>;
}

/** By system_id: when it was bound first, and when its submits left. */
function timesByLink(file: string): Map<string, LinkTimes> {
  const linkOf = new Map<string, string>();
  const times = new Map<string, LinkTimes>();
  readPdus(file, ({ flow, atMs, bytes }) => {
    const command = bytes.readUInt32BE(4);
    if (command === BIND_TRANSCEIVER) {
      const link = bytes.toString("latin1", 16, bytes.indexOf(0, 16));
      linkOf.set(flow, link);
      if (!times.has(link)) times.set(link, { boundAtMs: atMs, atMs: [], flows: new Set() });
    }
    if (command !== SUBMIT_SM) return;
    const seen = times.get(linkOf.get(flow) ?? "");
    if (seen === undefined) throw new Error(`flow ${flow}: a submit_sm before a bind`);
    seen.atMs.push(atMs);
    seen.flows.add(flow);
  });
  return times;
}

function judge(file: string, rates: readonly number[], seconds: number): RateFigures[] {
  const times = timesByLink(file);
  return rates.map((rate) => {
    const { boundAtMs, atMs, flows } = times.get(`rate-${rate}`) as LinkTimes;
    atMs.sort((a, b) => a - b);
    const endMs = boundAtMs + seconds * 1000;
    const within = atMs.filter((at) => at < endMs).length;
    return {
      rate,
      seconds,
      segments: atMs.length,
      sessions: flows.size,
      densestSecond: densest(atMs, 1000),
      densestTenth: round((densest(atMs, 100) / rate) * 10),
      mean: round(within / (rate * seconds)),
    };
  });
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
