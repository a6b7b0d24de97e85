/**
 * More connections than the gateway may have descriptors: most idle, some asking, all opened again
 * when they are closed. The admin listener is asked all the time.
 */
import { type ChildProcess, fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Client } from "../../support/client.ts";
import type { FloodCount, FloodPlan } from "./flood-attacker.ts";
import {
  gatewayYaml,
  residentBytes,
  startGateway,
  type Workspace,
} from "../../support/processes.ts";

export interface FloodResult {
  readonly idle: number;
  readonly active: number;
  readonly seconds: number;
  readonly descriptorsMax: number;
  readonly isAlive: boolean;
  /** Connections opened and refused over the whole run. */
  readonly opened: number;
  readonly refused: number;
  readonly healthAsked: number;
  readonly healthFailed: number;
  readonly healthP99Ms: number;
  readonly healthMaxMs: number;
  /** Memory of the gateway before the flood, and the most during it. */
  readonly residentBeforeMb: number;
  readonly residentMaxMb: number;
  /** Times that listening was paused. */
  readonly pauses: number;
  /** Whether a message was accepted within seconds of the end of the flood. */
  readonly isServingAfter: boolean;
  readonly drainExit: number | string;
}

const ASK_INTERVAL_MS = 100;
const SERVING_DEADLINE_MS = 30_000;
const ATTACKER = fileURLToPath(new URL("./flood-attacker.js", import.meta.url));
/** Below the open files that a process may have on most machines. */
const CONNECTIONS_PER_ATTACKER = 9000;

/** Floods a gateway that may have `descriptorsMax` open files. */
export async function flood(
  workspace: Workspace,
  options: {
    readonly idle: number;
    readonly active: number;
    readonly seconds: number;
    readonly descriptorsMax: number;
  },
): Promise<FloodResult> {
  const { idle, active, seconds, descriptorsMax } = options;
  const yaml = gatewayYaml(1);
  const gateway = await startGateway(workspace, yaml, { descriptorsMax });
  const residentBefore = residentBytes(gateway.pid);
  let residentMax = residentBefore;
  const attackers = startAttackers(gateway.httpPort, idle, active);
  const health: number[] = [];
  let healthFailed = 0;
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) {
    const startMs = performance.now();
    const isOk = await fetch(`http://127.0.0.1:${gateway.adminPort}/healthz`, {
      headers: { connection: "close" },
      signal: AbortSignal.timeout(5000),
    }).then(
      (answer) => answer.status === 200,
      () => false,
    );
    if (isOk) health.push(performance.now() - startMs);
    else healthFailed += 1;
    if (gateway.child.exitCode === null) {
      residentMax = Math.max(residentMax, residentBytes(gateway.pid));
    }
    await sleep(ASK_INTERVAL_MS);
  }
  const counts = await Promise.all(attackers.map((attacker) => stopAttacker(attacker)));
  const opened = counts.reduce((sum, count) => sum + count.opened, 0);
  const refused = counts.reduce((sum, count) => sum + count.refused, 0);
  const isAlive = gateway.child.exitCode === null;
  const isServingAfter = isAlive && (await isServing(gateway.httpPort));
  gateway.child.kill("SIGTERM");
  const drainExit = await gateway.exited;
  return {
    ...options,
    isAlive,
    opened,
    refused,
    healthAsked: health.length + healthFailed,
    healthFailed,
    healthP99Ms: Math.round(
      health.toSorted((a, b) => a - b)[Math.floor(0.99 * health.length)] ?? 0,
    ),
    healthMaxMs: Math.round(Math.max(0, ...health)),
    residentBeforeMb: Math.round(residentBefore / 1048576),
    residentMaxMb: Math.round(residentMax / 1048576),
    pauses: gateway.lines.filter((line) => line.includes("listening paused")).length,
    isServingAfter,
    drainExit,
  };
}

/** As many processes as the connections need. */
function startAttackers(port: number, idle: number, active: number): ChildProcess[] {
  const count = Math.ceil((idle + active) / CONNECTIONS_PER_ATTACKER);
  return Array.from({ length: count }, (_, attacker) => {
    const plan: FloodPlan = {
      port,
      idle: Math.ceil(idle / count),
      active: Math.ceil(active / count),
      attacker,
    };
    const child = fork(ATTACKER, [JSON.stringify(plan)]);
    // It goes when this process does.
    process.once("exit", () => child.kill("SIGKILL"));
    return child;
  });
}

async function stopAttacker(attacker: ChildProcess): Promise<FloodCount> {
  const counted = new Promise<FloodCount>((resolve) => {
    attacker.once("message", (count) => resolve(count as FloodCount));
  });
  attacker.send("stop");
  const count = await counted;
  attacker.kill("SIGKILL");
  return count;
}

async function isServing(port: number): Promise<boolean> {
  const client = new Client(port);
  const endMs = performance.now() + SERVING_DEADLINE_MS;
  while (performance.now() < endMs) {
    const status = await client.post({ to: "+998901234567", text: "after" }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status === 202) return true;
    await sleep(ASK_INTERVAL_MS);
  }
  return false;
}
