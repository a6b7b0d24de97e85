/**
 * TCP between the gateway's workers and the operators, with everything that goes wrong on it.
 *
 *   gateway ──chunks of odd sizes, in order, each after its latency──► operator
 *           ◄──────────────────────────────────────────────────────
 *
 * A connection can be cut (RST: what is under way is lost from some byte on), closed (FIN: what is
 * under way arrives first), frozen (half-open: nothing arrives any more, nobody is told), slow to
 * drain or not read for a while. Written buffers are compared with what they held at the write when
 * they are given back: the owner must not have touched them.
 */
import type { Dial, Socket, SocketEvents } from "../../src/environment.ts";
import { copyBytes, takeBytes } from "./byte-slab.ts";
import type { Effects } from "./effects.ts";
import type { SeededRandom } from "./random.ts";
import { type Scheduler, WORLD } from "./scheduler.ts";

/** The operator's end of a connection. */
export interface ServerEnd {
  readonly id: number;
  write(bytes: Uint8Array): void;
  /** `fin` lets what is under way arrive first, `rst` does not. */
  close(how: "fin" | "rst"): void;
}

/** What the operator does with a connection. */
export interface ServerHandler {
  onData(bytes: Uint8Array): void;
  onClose(): void;
}

/** Who listens on a port. */
export interface Listener {
  /** How the next connection is met. */
  greet(): "accept" | "refuse" | "hang";
  accept(end: ServerEnd): ServerHandler;
}

/** Weather of the network, drawn and changed by whoever injects faults. */
export interface NetworkWeather {
  latencyMs: number;
  jitterMs: number;
  /** Chance that a write is cut into several chunks. */
  splitChance: number;
  /** Every byte is a chunk of its own. */
  isByteByByte: boolean;
  drainMs: number;
}

export const GOOD_WEATHER: NetworkWeather = {
  latencyMs: 1,
  jitterMs: 1,
  splitChance: 0.3,
  isByteByByte: false,
  drainMs: 0.1,
};

export class SimulatedNetwork {
  readonly weather: NetworkWeather = { ...GOOD_WEATHER };
  readonly connections = new Set<SimulatedConnection>();
  readonly scheduler: Scheduler;
  readonly random: SeededRandom;
  readonly effects: Effects;
  readonly nowMs: () => number;
  readonly #listeners = new Map<number, Listener>();
  /** Sees every write of the gateway at its instant: connection, port and bytes. */
  onGatewayWrite: (connection: number, port: number, bytes: Uint8Array) => void = () => undefined;
  /** Told of a rule of the socket contract that the gateway broke. */
  onViolation: (what: string) => void = () => undefined;
  #ids = 0;

  constructor(scheduler: Scheduler, random: SeededRandom, effects: Effects, nowMs: () => number) {
    this.scheduler = scheduler;
    this.random = random;
    this.effects = effects;
    this.nowMs = nowMs;
  }

  listen(port: number, listener: Listener): void {
    this.#listeners.set(port, listener);
  }

  /** The dial of one agent: events of its sockets come between its turns. */
  dialFor(owner: number): Dial {
    return (_host, port, events) => {
      const connection = new SimulatedConnection(this, ++this.#ids, port, owner, events);
      this.effects.run("socket.dial", `#${connection.id} port ${port}`, () => {
        this.connections.add(connection);
        connection.connect(this.#listeners.get(port));
      });
      return connection;
    };
  }

  /**
   * The gateway's process is gone: its sockets close; with the power, also what they still held is
   * lost.
   */
  killProcess(withPower: boolean): void {
    for (const connection of this.connections) connection.processDied(withPower);
  }

  /** A random open connection, or null. */
  anyConnection(): SimulatedConnection | null {
    const open = [...this.connections].filter((connection) => connection.isOpen);
    return open.length === 0 ? null : this.random.pick(open);
  }
}

interface Written {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly copy: Uint8Array;
}

type State = "connecting" | "open" | "closed";

export class SimulatedConnection implements Socket {
  readonly id: number;
  /** What the operator holds of this connection. */
  readonly serverEnd: ServerEnd;
  readonly #network: SimulatedNetwork;
  readonly #port: number;
  readonly #owner: number;
  readonly #events: SocketEvents;
  #state: State = "connecting";
  #server: ServerHandler | null = null;
  #frozen = false;
  #ownerGone = false;
  #closeTold = false;
  #paused = false;
  #toServerAtMs = 0;
  #toClientAtMs = 0;
  #drains = 0;
  #drainAtMs = 0;
  /** The operator reads nothing before. */
  #readsFromMs = 0;
  readonly #undrained: Written[] = [];
  readonly #held: Uint8Array[] = [];
  #heldClose: string | null = null;

  constructor(
    network: SimulatedNetwork,
    id: number,
    port: number,
    owner: number,
    events: SocketEvents,
  ) {
    this.#network = network;
    this.id = id;
    this.#port = port;
    this.#owner = owner;
    this.#events = events;
    this.serverEnd = {
      id,
      write: (bytes) => {
        this.#writeToClient(bytes);
      },
      close: (how) => {
        this.#closeByServer(how);
      },
    };
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get port(): number {
    return this.#port;
  }

  connect(listener: Listener | undefined): void {
    const greeting = listener?.greet() ?? "refuse";
    if (greeting === "hang" || listener === undefined) return;
    this.#later(WORLD, this.#latency(), () => {
      if (this.#state !== "connecting") return;
      if (greeting === "refuse") {
        this.#state = "closed";
        this.#tellClose("ECONNREFUSED");
        return;
      }
      this.#state = "open";
      this.#server = listener.accept(this.serverEnd);
      this.#later(this.#owner, this.#latency(), () => {
        if (!this.#ownerGone && !this.#closeTold) this.#events.onConnect();
      });
      this.#toClientAtMs = this.#network.nowMs() + this.#network.weather.latencyMs * 3 + 5;
    });
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    const { effects } = this.#network;
    effects.run("socket.write", `#${this.id} +${end - start}`, () => {
      if (this.#state !== "open" || end <= start) return;
      const copy = copyBytes(bytes.subarray(start, end));
      this.#network.onGatewayWrite(this.id, this.#port, copy);
      this.#undrained.push({ bytes, start, copy });
      this.#drains++;
      const drainMs = this.#network.weather.drainMs * this.#network.random.next();
      const drainAtMs = Math.max(this.#network.nowMs() + drainMs, this.#readsFromMs);
      this.#drainAtMs = Math.max(this.#drainAtMs, drainAtMs);
      this.#network.scheduler.at(this.#drainAtMs, this.#owner, () => this.#drained());
      for (const chunk of this.#split(copy)) this.#sendToServer(chunk);
    });
  }

  /** What waits for its drain may have left at any time before it, and may leave with it. */
  get isDrained(): boolean {
    if (this.#undrained.length > 0) {
      if (this.#network.random.chance(0.3)) return false;
      this.#compareUndrained();
    }
    return true;
  }

  #drained(): void {
    if (--this.#drains > 0 || this.#ownerGone || this.#closeTold) return;
    this.#compareUndrained();
    this.#events.onDrain();
  }

  #compareUndrained(): void {
    for (const { bytes, start, copy } of this.#undrained) {
      for (let i = 0; i < copy.length; i++) {
        if (bytes[start + i] === copy[i]) continue;
        this.#network.onViolation(`socket #${this.id}: a buffer changed before onDrain`);
        break;
      }
    }
    this.#undrained.length = 0;
  }

  #sendToServer(chunk: Uint8Array): void {
    const atMs = Math.max(this.#network.nowMs() + this.#latency(), this.#readsFromMs);
    this.#toServerAtMs = Math.max(this.#toServerAtMs, atMs);
    this.#network.scheduler.at(this.#toServerAtMs, WORLD, () => {
      if (!this.#frozen) this.#server?.onData(chunk);
    });
  }

  #writeToClient(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    for (const chunk of this.#split(bytes)) {
      this.#toClientAtMs = Math.max(this.#toClientAtMs, this.#network.nowMs() + this.#latency());
      this.#network.scheduler.at(this.#toClientAtMs, this.#owner, () => this.#arrive(chunk));
    }
  }

  #arrive(chunk: Uint8Array): void {
    if (this.#ownerGone || this.#closeTold || this.#frozen || this.#state === "closed") return;
    if (this.#paused || this.#held.length > 0) this.#held.push(chunk);
    else this.#deliver(chunk);
  }

  #deliver(chunk: Uint8Array): void {
    // The bytes are valid during the call only: a reused buffer behind them finds who keeps them.
    const lent = takeBytes(chunk.length + 8);
    lent.set(chunk, 5);
    this.#events.onData(lent, 5, 5 + chunk.length);
    lent.fill(0xee);
  }

  end(): void {
    this.#network.effects.run("socket.close", `#${this.id} end`, () => {
      if (this.#state === "closed") return;
      this.#state = "closed";
      this.#network.scheduler.at(this.#toServerAtMs + 0.1, WORLD, () => this.#serverGone());
      this.#tellClose("closed");
    });
  }

  destroy(cause: string): void {
    this.#network.effects.run("socket.close", `#${this.id} destroy ${cause}`, () => {
      if (this.#state === "closed") {
        this.#tellClose(cause);
        return;
      }
      this.#state = "closed";
      this.#later(WORLD, this.#latency(), () => this.#serverGone());
      this.#tellClose(cause);
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#later(this.#owner, 0, () => this.#flushHeld());
  }

  #flushHeld(): void {
    while (!this.#paused && !this.#closeTold && this.#held.length > 0) {
      this.#deliver(this.#held.shift() as Uint8Array);
    }
    if (!this.#paused && this.#heldClose !== null) this.#tellClose(this.#heldClose);
  }

  #closeByServer(how: "fin" | "rst"): void {
    if (this.#state === "closed") return;
    if (how === "rst") {
      this.cut("ECONNRESET");
      return;
    }
    this.#serverGone();
    const atMs = Math.max(this.#toClientAtMs, this.#network.nowMs() + this.#latency());
    this.#network.scheduler.at(atMs + 0.01, this.#owner, () => {
      this.#state = "closed";
      if (this.#paused && this.#held.length > 0) this.#heldClose = "closed by peer";
      else this.#tellClose("closed by peer");
    });
  }

  /** Both directions die at once; bytes under way are lost. */
  cut(cause: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#serverGone();
    this.#tellClose(cause);
  }

  /** Half-open from now on: nothing arrives on either side. */
  freeze(): void {
    this.#frozen = true;
  }

  /** The operator reads nothing for `ms`, and what is written from now on stays where it is. */
  stopReading(ms: number): void {
    this.#readsFromMs = Math.max(this.#readsFromMs, this.#network.nowMs() + ms);
  }

  /** Sends bytes that no SMSC would, as if they came from it. */
  inject(bytes: Uint8Array): void {
    this.#writeToClient(bytes);
  }

  /**
   * The process behind this end is gone: the kernel sends what it holds, or, with the power, some
   * of it.
   */
  processDied(withPower: boolean): void {
    this.#ownerGone = true;
    if (withPower && this.#network.random.chance(0.5)) this.#frozen = true;
    if (this.#state === "connecting") {
      this.#state = "closed";
      this.#network.connections.delete(this);
      return;
    }
    this.#state = "closed";
    const atMs = Math.max(this.#toServerAtMs, this.#network.nowMs()) + 0.1;
    this.#network.scheduler.at(atMs, WORLD, () => this.#serverGone());
  }

  #serverGone(): void {
    const server = this.#server;
    this.#server = null;
    this.#network.connections.delete(this);
    server?.onClose();
  }

  #tellClose(cause: string): void {
    if (this.#closeTold) return;
    this.#later(this.#owner, this.#network.random.next() * 2, () => {
      if (this.#closeTold || this.#ownerGone) return;
      this.#closeTold = true;
      this.#network.connections.delete(this);
      this.#events.onClose(cause);
    });
  }

  #later(owner: number, ms: number, run: () => void): void {
    this.#network.scheduler.after(ms, owner, run);
  }

  #latency(): number {
    const { latencyMs, jitterMs } = this.#network.weather;
    return latencyMs + jitterMs * this.#network.random.next();
  }

  #split(bytes: Uint8Array): Uint8Array[] {
    const { random, weather } = this.#network;
    if (bytes.length < 2 || !random.chance(weather.splitChance)) return [bytes];
    const chunks: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length) {
      const most = random.chance(0.3) ? 7 : bytes.length;
      const size = weather.isByteByByte ? 1 : random.between(1, most);
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    return chunks;
  }
}
