/**
 * F12 with a network that is gone: the SMSC lives in a network namespace of its own, behind a
 * virtual cable, and the far end of the cable goes down in mid-traffic. Nobody is told: no FIN, no
 * RST, no error. The real program, in real time, judged by the kernel's table of connections and by
 * what the SMSC wrote down.
 *
 *   gateway ── 198.18.n.1 ══ veth ══ 198.18.n.2 ── smsc      cut ─► the connection is given up
 *                                      └ namespace           mended ─► bound again, nothing lost
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { booksOf, untilAllFinal } from "../../support/client.ts";
import { postAll } from "../../support/post-all.ts";
import { type GatewayProcess, startGateway, Workspace } from "../../support/processes.ts";
import { seenSubmits } from "../../support/witnesses.ts";
import { RowRecorder, type RowReport } from "./report.ts";

const SMSC_PORT = 2775;
const SESSIONS = 2;
const WINDOW = 10;
const ENQUIRE_INTERVAL_MS = 1_000;
const ENQUIRE_ANSWER_MS = 10_000;
const BEFORE_COUNT = 50;
const DURING_COUNT = 50;
const CONNECTIONS = 4;
const DEADLINE_MS = 90_000;
const LOOK_MS = 50;
/** State of a connection in /proc/net/tcp. */
const ESTABLISHED = "01";

/** Why there can be no such network here, or null. */
export function networkRefusal(): string | null {
  try {
    new Cable(0).remove();
    return null;
  } catch (error) {
    return `no network namespace or veth pair can be made: ${String(error)}`;
  }
}

/** F12: the network between gateway and SMSC disappears, and comes back. */
export async function lostNetworks(trials: number): Promise<RowReport> {
  const row = new RowRecorder("F12-network", "half-open: the network is gone in mid-traffic");
  for (row.trials = 1; row.trials <= trials; row.trials++) {
    const cable = new Cable(row.trials);
    const workspace = new Workspace();
    try {
      await runTrial(row, workspace, cable);
    } finally {
      await workspace.dispose();
      cable.remove();
    }
  }
  row.trials = trials;
  return row.report();
}

async function runTrial(row: RowRecorder, workspace: Workspace, cable: Cable): Promise<void> {
  const log = join(workspace.folder, "smsc.ndjson");
  const args = ["smsc", "--host", cable.farAddress, "--port", String(SMSC_PORT), "--log", log];
  const inside = { namespace: cable.name };
  const smsc = await workspace.run(args, (line) => line.includes("listening on"), {}, inside);
  const gateway = await startGateway(workspace, yamlOf(cable.farAddress));
  const isBound = (): boolean => connections(cable.farAddress).size === SESSIONS;
  await until(isBound, "connected");
  const promised = await post(gateway, 0, BEFORE_COUNT);
  await untilAllFinal(gateway.adminPort);
  const before = connections(cable.farAddress);
  cable.cut();
  const cutAt = Date.now();
  promised.push(...(await post(gateway, BEFORE_COUNT, DURING_COUNT)));
  const isGivenUp = (): boolean =>
    [...connections(cable.farAddress)].every((port) => !before.has(port));
  await until(isGivenUp, "given up");
  const tookMs = Date.now() - cutAt;
  row.noteWorst("detection_over_interval_ms", tookMs - ENQUIRE_INTERVAL_MS);
  row.noteWorst("detection_bar_over_interval_ms", ENQUIRE_ANSWER_MS);
  const { open } = await booksOf(gateway.adminPort);
  row.check(open === DURING_COUNT, () => `${open} open while the network was gone`);
  cable.mend();
  await untilAllFinal(gateway.adminPort, DEADLINE_MS);
  gateway.child.kill("SIGTERM");
  const ended = await gateway.exited;
  row.check(ended === 0, () => `the gateway ended with ${ended}`);
  // At its end the SMSC has written down everything that it took.
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  const taken = new Map<string, number>();
  for (const { destination, status } of seenSubmits(log)) {
    if (status === 0) taken.set(destination, (taken.get(destination) ?? 0) + 1);
  }
  const lost = promised.filter((to) => !taken.has(to));
  const doubled = [...taken.values()].filter((count) => count > 1).length;
  row.check(lost.length === 0, () => `${lost.length} messages never reached the SMSC`);
  const written = WINDOW * SESSIONS;
  row.check(doubled <= written, () => `${doubled} twice with windows of ${written}`);
  row.noteWorst("twice", doubled);
}

/** A network namespace and a cable into it. */
class Cable {
  readonly name: string;
  readonly farAddress: string;
  readonly #near: string;
  readonly #far: string;

  /** `number` tells the cables of one process apart. */
  constructor(number: number) {
    const id = `${process.pid}${number % 100}`;
    const net = `198.18.${(process.pid + number) % 250}`;
    this.name = `smsgw-${id}`;
    this.farAddress = `${net}.2`;
    this.#near = `sn${id}`;
    this.#far = `sf${id}`;
    ip("netns", "add", this.name);
    try {
      ip("link", "add", this.#near, "type", "veth", "peer", "name", this.#far, "netns", this.name);
      ip("address", "add", `${net}.1/30`, "dev", this.#near);
      ip("link", "set", this.#near, "up");
      ip("-n", this.name, "address", "add", `${this.farAddress}/30`, "dev", this.#far);
      this.mend();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  cut(): void {
    ip("-n", this.name, "link", "set", this.#far, "down");
  }

  mend(): void {
    ip("-n", this.name, "link", "set", this.#far, "up");
  }

  /** Takes the cable along, which ends in it. */
  remove(): void {
    ip("netns", "del", this.name);
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
}

/** Our ports of established connections to the SMSC, as the kernel has them. */
function connections(address: string): Set<string> {
  const octets = address.split(".").map(Number).reverse();
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, "0");
  const peer = `${octets.map((octet) => hex(octet, 2)).join("")}:${hex(SMSC_PORT, 4)}`;
  const ports = new Set<string>();
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n").slice(1)) {
    const [, local, remote, state] = line.trim().split(/\s+/);
    if (remote === peer && state === ESTABLISHED) ports.add(local as string);
  }
  return ports;
}

function yamlOf(host: string): string {
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps: [{ id: 1, name: test, rate_tps: null }]",
    `links: [{ id: 100, host: ${host}, port: ${SMSC_PORT}, system_id: test, sessions: ${SESSIONS},`,
    `  window_max: ${WINDOW}, rate_tps: null, enquire_link_interval_ms: ${ENQUIRE_INTERVAL_MS} }]`,
    'routes: [{ prefix: "", to: 100 }]',
    "",
  ].join("\n");
}

/** Posts messages number `first` and on; returns their destinations. */
async function post(gateway: GatewayProcess, first: number, count: number): Promise<string[]> {
  return await postAll(gateway, count, CONNECTIONS, (index) => ({
    to: `99890${String(first + index).padStart(7, "0")}`,
    text: "x",
  }));
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < DEADLINE_MS; waitedMs += LOOK_MS) {
    if (isSo()) return;
    await sleep(LOOK_MS);
  }
  throw new Error(`it did not come to that in time: ${what}`);
}
