/**
 * The thread that opens the connections of a flood, so that it does not keep the one that judges
 * from asking.
 */
import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

export interface FloodPlan {
  readonly port: number;
  readonly idle: number;
  readonly active: number;
}

/** What the attacker says when it is told to stop. */
export interface FloodCount {
  readonly opened: number;
  readonly refused: number;
}

const REQUEST = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const REDIAL_MS = 200;
const ASK_INTERVAL_MS = 100;
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

const { port, idle, active } = workerData as FloodPlan;
const flood = new Flood(port, idle, active);
parentPort?.once("message", () => {
  flood.stop();
  const { opened, refused } = flood;
  parentPort?.postMessage({ opened, refused } satisfies FloodCount);
});
