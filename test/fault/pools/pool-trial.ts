/**
 * One trial of pools with real processes: three links of weights 5:1:1 on two workers, one of them
 * flapping, a fourth link whose operator is not there, and a configuration reloaded again and
 * again.
 *
 *   messages that wait for the dead link ─► load over the pool, flaps, reloads ─► quiet: CPU
 *   ─► its operator comes: what waited goes out while reloads go on
 *
 * Judged from the client's 202s and the operators' logs: nothing lost but what is on the books as
 * failed with a connection, nothing twice, the stable links' share by weight, order on the link
 * with one session, CPU while messages wait for a dead pool.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { booksOf, untilAllFinal } from "../../support/client.ts";
import { postAll } from "../../support/post-all.ts";
import { freePort } from "../../support/free-port.ts";
import {
  type GatewayProcess,
  type Running,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";
import { destinationOf, seenSubmits } from "../../support/witnesses.ts";

const STEADY = [100, 101] as const;
const FLAPPING = 102;
/** One session, so that its messages keep their order. */
const DEAD = 103;
const WEIGHTS: Readonly<Record<number, number>> = { 100: 5, 101: 1, [FLAPPING]: 1 };
const FLAP_INTERVAL_MS = 1500;
const RELOAD_INTERVAL_MS = 400;
const LOOK_INTERVAL_MS = 100;
const DEADLINE_MS = 600_000;
/** Linux counts processor time in hundredths of a second. */
const TICKS_PER_S = 100;

export interface PoolTrialOptions {
  /** Over the pool. */
  readonly messages: number;
  /** For the link whose operator is not there. */
  readonly waiting: number;
  /** How long the processor is watched while these wait. */
  readonly idleSeconds: number;
}

export interface PoolFigures {
  readonly promised: number;
  readonly flaps: number;
  readonly reloads: number;
  /** Segments that each link's operator took. */
  readonly taken: Readonly<Record<string, number>>;
  /** By how much the heavier steady link's share of both is off its weight's. */
  readonly shareError: number;
  /** Promised, taken by no operator, and not on the books as failed. */
  readonly lost: number;
  /** On the books as failed: written to a connection that was cut. */
  readonly failed: number;
  readonly doubled: number;
  /** Messages of the link with one session that came before an earlier one. */
  readonly overtaken: number;
  /** Cores in use while messages wait for a link that is down, and nothing else happens. */
  readonly idleCores: number;
}

interface Operator extends Running {
  readonly port: number;
  readonly controlPort: number;
  readonly log: string;
}

/** Runs one trial; throws if the gateway refuses a message or does not come to an end. */
export async function runPools(
  workspace: Workspace,
  options: PoolTrialOptions,
): Promise<PoolFigures> {
  const operators = new Map<number, Operator>();
  for (const link of [...STEADY, FLAPPING])
    operators.set(link, await startSmsc(workspace, link, 0));
  const ports = new Map([...operators].map(([link, { port }]) => [link, port]));
  const deadPort = await freePort();
  ports.set(DEAD, deadPort);
  const gateway = await startGateway(workspace, yamlOf(ports, 0));
  const waiting = await postAll(gateway, options.waiting, 1, (i) => ({
    to: `7${destinationOf(i)}`,
    text: `n${i}`,
  }));
  const reloads = startRepeating(RELOAD_INTERVAL_MS, async (turn) => {
    workspace.write("smsgw.yaml", yamlOf(ports, turn));
    gateway.child.kill("SIGHUP");
  });
  const { controlPort } = operators.get(FLAPPING) as Operator;
  const flaps = startRepeating(FLAP_INTERVAL_MS, async () => {
    await fetch(`http://127.0.0.1:${controlPort}/drop`, { method: "POST" });
  });
  const sent = await postAll(gateway, options.messages, 16, (i) => ({
    to: destinationOf(i),
    text: "x",
  }));
  await flaps.stop();
  await reloads.stop();
  await untilOpen(gateway, waiting.length);
  const idleCores = await coresInUse(gateway.pid, options.idleSeconds);
  const later = startRepeating(RELOAD_INTERVAL_MS, async (turn) => {
    workspace.write("smsgw.yaml", yamlOf(ports, turn));
    gateway.child.kill("SIGHUP");
  });
  operators.set(DEAD, await startSmsc(workspace, DEAD, deadPort));
  const { final } = await untilAllFinal(gateway.adminPort, DEADLINE_MS);
  await later.stop();
  for (const process of [gateway, ...operators.values()]) {
    process.child.kill("SIGTERM");
    await process.exited;
  }
  return judge(operators, [...waiting, ...sent], final["failed"] ?? 0, {
    flaps: flaps.turns(),
    reloads: reloads.turns() + later.turns(),
    idleCores,
  });
}

function judge(
  operators: ReadonlyMap<number, Operator>,
  promised: readonly string[],
  failed: number,
  seen: Pick<PoolFigures, "flaps" | "reloads" | "idleCores">,
): PoolFigures {
  const counts = new Map<string, number>();
  const taken: Record<string, number> = {};
  let overtaken = 0;
  for (const [link, { log }] of operators) {
    const submits = seenSubmits(log).filter(({ status }) => status === 0);
    taken[link] = submits.length;
    let last = -1;
    for (const { destination, short_message: text } of submits) {
      counts.set(destination, (counts.get(destination) ?? 0) + 1);
      if (link !== DEAD) continue;
      const number = Number(Buffer.from(text, "hex").toString("latin1").slice(1));
      if (number < last) overtaken++;
      last = Math.max(last, number);
    }
  }
  const [heavy, light] = STEADY.map((link) => taken[link] ?? 0) as [number, number];
  const share = (WEIGHTS[100] as number) / ((WEIGHTS[100] as number) + (WEIGHTS[101] as number));
  const missing = promised.filter((to) => !counts.has(to)).length;
  return {
    promised: promised.length,
    ...seen,
    taken,
    shareError: Math.round(Math.abs(heavy / (heavy + light) - share) * 10_000) / 10_000,
    lost: Math.max(0, missing - failed),
    failed,
    doubled: [...counts.values()].filter((count) => count > 1).length,
    overtaken,
  };
}

/** What is cut off on the flapping link is given up: so a message that comes twice is a mistake. */
function yamlOf(ports: ReadonlyMap<number, number>, turn: number): string {
  // Keys that bind nothing anew: else shares would go by who is bound first.
  const responseTimeoutMs = turn % 2 === 0 ? 30_000 : 20_000;
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "workers: { count: 2 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps: [{ id: 1, name: test, rate_tps: null }]",
    "links:",
    ...[...ports].map(
      ([id, port]) =>
        `  - { id: ${id}, host: 127.0.0.1, port: ${port}, system_id: link-${id}, ` +
        `sessions: ${id === DEAD ? 1 : 2}, window_max: 500, rate_tps: null, ` +
        `response_timeout_ms: ${responseTimeoutMs}, ambiguous: fail }`,
    ),
    `pools: [{ id: 1000, name: main, members: [${Object.entries(WEIGHTS)
      .map(([link, weight]) => `{ link: ${link}, weight: ${weight} }`)
      .join(", ")}] }]`,
    `routes: [{ prefix: "", to: 1000 }, { prefix: "7", to: ${DEAD} }]`,
    "",
  ].join("\n");
}

async function startSmsc(workspace: Workspace, link: number, port: number): Promise<Operator> {
  const log = join(workspace.folder, `smsc-${link}.ndjson`);
  const running = await workspace.run(
    ["smsc", "--port", String(port), "--control-port", "0", "--json", "--log", log],
    (line) => line.includes('"listening"'),
  );
  const { port: bound, control_port: controlPort } = JSON.parse(running.lines[0] as string) as {
    port: number;
    control_port: number;
  };
  return { ...running, port: bound, controlPort, log };
}

interface Repeating {
  readonly turns: () => number;
  readonly stop: () => Promise<void>;
}

/** Calls `act` again and again until it is stopped, at least once. */
function startRepeating(intervalMs: number, act: (turn: number) => Promise<void>): Repeating {
  const state = { turn: 0, isStopped: false };
  const run = async (): Promise<void> => {
    do {
      await act(++state.turn);
      await sleep(intervalMs);
    } while (!state.isStopped);
  };
  const done = run();
  return {
    turns: () => state.turn,
    stop: () => {
      state.isStopped = true;
      return done;
    },
  };
}

async function untilOpen(gateway: GatewayProcess, open: number): Promise<void> {
  for (let waitedMs = 0; waitedMs < DEADLINE_MS; waitedMs += LOOK_INTERVAL_MS) {
    if ((await booksOf(gateway.adminPort)).open === open) return;
    await sleep(LOOK_INTERVAL_MS);
  }
  throw new Error(`not ${open} open: ${JSON.stringify(await booksOf(gateway.adminPort))}`);
}

/** Cores that a process uses over so many seconds. */
async function coresInUse(pid: number, seconds: number): Promise<number> {
  const startedAt = process.hrtime.bigint();
  const before = processorTicks(pid);
  await sleep(seconds * 1000);
  const elapsedS = Number(process.hrtime.bigint() - startedAt) / 1e9;
  return Math.round(((processorTicks(pid) - before) / TICKS_PER_S / elapsedS) * 1000) / 1000;
}

function processorTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
