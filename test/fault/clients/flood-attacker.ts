/**
 * A process that opens connections of a flood: it does not keep the one that judges from asking,
 * and has open files of its own. Its plan is its argument; it counts until it is told to stop.
 */
import { connect, type Socket } from "node:net";

export interface FloodPlan {
  readonly port: number;
  readonly idle: number;
  readonly active: number;
  /** Which of the attackers it is, from 0. */
  readonly attacker: number;
}

/** What the attacker says when it is told to stop. */
export interface FloodCount {
  readonly opened: number;
  readonly refused: number;
}

const REQUEST = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const REDIAL_MS = 200;
const ASK_INTERVAL_MS = 100;

class Flood {
  opened = 0;
  refused = 0;
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  /** Of its own: an address has 28,000 ports. */
  readonly #localAddress: string;
  #isStopped = false;

  constructor({ port, idle, active, attacker }: FloodPlan) {
    this.#port = port;
    this.#localAddress = `127.0.0.${2 + attacker}`;
    for (let i = 0; i < idle + active; i++) this.#dial(i >= idle);
  }

  stop(): void {
    this.#isStopped = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #dial(isActive: boolean): void {
    if (this.#isStopped) return;
    const addresses = { host: "127.0.0.1", localAddress: this.#localAddress };
    const socket = connect({ ...addresses, port: this.#port });
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
      setTimeout(() => this.#dial(isActive), REDIAL_MS);
    });
    socket.resume();
  }
}

const flood = new Flood(JSON.parse(process.argv[2] as string) as FloodPlan);
process.once("message", () => {
  flood.stop();
  const { opened, refused } = flood;
  process.send?.({ opened, refused } satisfies FloodCount);
  process.disconnect();
});
