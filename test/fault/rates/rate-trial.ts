/**
 * One trial of rate accuracy: a gateway of two workers, a link per rate with a session on each,
 * more messages waiting than can be sent, and a packet capture that says when every submit_sm left.
 * Links are bound and closed (a rate of 0) while messages are taken; a reload opens them.
 *
 *   submits in any half-open second ÷ contract   never above 1, also over restarts of the gateway
 *   submits in the trial ÷ (contract × seconds)  the mean, from a second after the link's first
 *                                                submit; without a contract, what there
 *                                                was time for: what the mean is judged against
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { testToken } from "../../support/client.ts";
import { freePort } from "../../support/free-port.ts";
import { startLoad } from "../../support/http-load.ts";
import { startGateway, type Workspace } from "../../support/processes.ts";
import { densest } from "../../support/rate-window.ts";
import { readPdus, startCapture } from "./capture.ts";

const SUBMIT_SM = 0x4;
const BIND_TRANSCEIVER = 0x9;
/** Messages of links this fast are long: the link is to be the limit, not the way to it. */
const FAST_PER_S = 1000;
const PARTS = 10;
const PART_CHARACTERS = 153;
const BACKLOG_SHARE = 1.1;
/** What is sent before the mean counts and after. */
const BACKLOG_MORE_S = 4;
const START_DEADLINE_MS = 60_000;
const SESSIONS = 2;
/** From a link's first submit until the mean counts. */
const WARM_UP_MS = 1_000;

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
  /** Segments in the seconds from the first submit's next one on ÷ what the contract allows. */
  readonly mean: number;
}

export interface RateOptions {
  /** The gateway gets each of these signals in turn, evenly over the time, and starts again. */
  readonly restarts?: readonly ("SIGKILL" | "SIGTERM")[];
  /** The same load over links without a contract. */
  readonly isFree?: boolean;
}

/** Runs every rate at once, each on a link of its own. */
export async function runRates(
  workspace: Workspace,
  rates: readonly number[],
  seconds: number,
  { restarts = [], isFree = false }: RateOptions = {},
): Promise<RateFigures[]> {
  const port = await freePort();
  const yaml = yamlOf(rates, port, (rate) => (isFree ? null : rate));
  const file = join(workspace.folder, "capture.pcap");
  const capture = await startCapture(port, file);
  const smsc = await workspace.run(["smsc", "--port", String(port), "--receipts", "none"], (line) =>
    line.includes("listening on"),
  );
  let gateway = await startGateway(
    workspace,
    yamlOf(rates, port, () => 0),
  );
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
  await until(async () => (await boundCount(gateway.adminPort)) === rates.length * SESSIONS);
  workspace.write("smsgw.yaml", yaml);
  gateway.child.kill("SIGHUP");
  await until(() => timesByLink(file).size === rates.length);
  const intervalMs = (WARM_UP_MS + seconds * 1000 + 1500) / (restarts.length + 1);
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
  return judge(file, rates, seconds, isFree);
}

function yamlOf(
  rates: readonly number[],
  port: number,
  rateOf: (rate: number) => number | null,
): string {
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
        `sessions: ${SESSIONS}, window_max: 10000, rate_tps: ${rateOf(rate)} }`,
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
    const segments = rate * (seconds + BACKLOG_MORE_S) * BACKLOG_SHARE;
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

/** Sessions that are bound, as the gateway says. */
async function boundCount(adminPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return [...text.matchAll(/^smsgw_session_state\{.*state="bound".*\} 1$/gm)].length;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_DEADLINE_MS; waitedMs += 100) {
    await sleep(100);
    try {
      if (await isSo()) return;
    } catch {
      // Not written out yet, or cut within a packet.
    }
  }
  throw new Error("a link was not bound, or sent nothing, in time");
}

interface LinkTimes {
  readonly atMs: number[];
  readonly flows: Set<string>;
}

/** By system_id: when submits left, and by which connections. */
function timesByLink(file: string): Map<string, LinkTimes> {
  const linkOf = new Map<string, string>();
  const times = new Map<string, LinkTimes>();
  readPdus(file, ({ flow, atMs, bytes }) => {
    const command = bytes.readUInt32BE(4);
    if (command === BIND_TRANSCEIVER) {
      const link = bytes.toString("latin1", 16, bytes.indexOf(0, 16));
      linkOf.set(flow, link);
    }
    if (command !== SUBMIT_SM) return;
    const link = linkOf.get(flow);
    if (link === undefined) throw new Error(`flow ${flow}: a submit_sm before a bind`);
    const seen = times.get(link) ?? { atMs: [], flows: new Set() };
    times.set(link, seen);
    seen.atMs.push(atMs);
    seen.flows.add(flow);
  });
  return times;
}

function judge(
  file: string,
  rates: readonly number[],
  seconds: number,
  isFree: boolean,
): RateFigures[] {
  const times = timesByLink(file);
  return rates.map((rate) => {
    const { atMs, flows } = times.get(`rate-${rate}`) as LinkTimes;
    atMs.sort((a, b) => a - b);
    const countsMs = (atMs[0] as number) + WARM_UP_MS;
    const lastMs = atMs.at(-1) as number;
    // Without a contract, what waits may be over before the time is.
    const endMs = Math.min(countsMs + seconds * 1000, isFree ? lastMs : Number.POSITIVE_INFINITY);
    const within = atMs.filter((at) => at >= countsMs && at < endMs).length;
    return {
      rate,
      seconds,
      segments: atMs.length,
      sessions: flows.size,
      densestSecond: densest(atMs, 1000),
      densestTenth: round((densest(atMs, 100) / rate) * 10),
      mean: round(within / ((rate * (endMs - countsMs)) / 1000)),
    };
  });
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
