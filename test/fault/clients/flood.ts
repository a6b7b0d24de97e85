/**
 * More connections than the gateway may have descriptors: most idle, some asking, all opened again
 * when they are closed. The admin listener is asked all the time.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../../support/client.ts";
import { gatewayYaml, startGateway, type Workspace } from "../../support/processes.ts";

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
  readonly healthMaxMs: number;
  /** Times that listening was paused. */
  readonly pauses: number;
  /** Whether a message was accepted within seconds of the end of the flood. */
  readonly isServingAfter: boolean;
  readonly drainExit: number | string;
}

const REQUEST = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const REDIAL_MS = 200;
const ASK_INTERVAL_MS = 100;
const SERVING_DEADLINE_MS = 30_000;
/** Local addresses that share the connections: one has 28,000 ports. */
const CONNECTIONS_PER_ADDRESS = 8000;

class Flood {
  opened = 0;
  refused = 0;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  #isStopped = false;

  constructor(port: number, idle: number, active: number) {
    this.#port = port;
    for (let i = 0; i < idle + active; i++) this.#dial(i, i >= idle);
  }

  stop(): void {
    this.#isStopped = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #dial(index: number, isActive: boolean): void {
    if (this.#isStopped) return;
    const localAddress = `127.0.0.${2 + Math.floor(index / CONNECTIONS_PER_ADDRESS)}`;
    const socket = connect({ host: "127.0.0.1", port: this.#port, localAddress });
    this.#sockets.add(socket);
    let asking: NodeJS.Timeout | undefined;
    socket.on("connect", () => {
      this.opened += 1;
      if (isActive) asking = setInterval(() => socket.write(REQUEST), ASK_INTERVAL_MS);
    });
    socket.on("error", () => {
      this.refused += 1;
    });
    socket.on("close", () => {
      clearInterval(asking);
      this.#sockets.delete(socket);
      setTimeout(() => this.#dial(index, isActive), REDIAL_MS);
    });
    socket.resume();
  }
}

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
  const attacker = new Flood(gateway.httpPort, idle, active);
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
    await sleep(ASK_INTERVAL_MS);
  }
  attacker.stop();
  const isAlive = gateway.child.exitCode === null;
  const isServingAfter = isAlive && (await isServing(gateway.httpPort));
  gateway.child.kill("SIGTERM");
  const drainExit = await gateway.exited;
  return {
    ...options,
    isAlive,
    opened: attacker.opened,
    refused: attacker.refused,
    healthAsked: health.length + healthFailed,
    healthFailed,
    healthMaxMs: Math.round(Math.max(0, ...health)),
    pauses: gateway.lines.filter((line) => line.includes("listening paused")).length,
    isServingAfter,
    drainExit,
  };
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
