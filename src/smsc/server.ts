/**
 * The operator simulator behind real TCP: listener, sockets, timer, log file.
 *
 * The one file of this folder that touches the outside world. `startSmsc` is for the demo, tests
 * and benches in process and for `smsgw smsc`; everything runs on the event loop of the calling
 * thread.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket as TcpSocket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { createServer as createTlsServer } from "node:tls";
import type { Clock, Socket, SocketEvents } from "../environment.ts";
import type { SmscStats } from "./counters.ts";
import { SmscEngine } from "./engine.ts";
import { resolveSmscOptions, type SmscOptions, type SmscTls } from "./options.ts";
import { DRAW_RANGE, seededRandom } from "./random.ts";
import { Witness } from "./witness.ts";

/** A running simulator. */
export interface RunningSmsc {
  readonly host: string;
  readonly port: number;
  /** Repeats this run, given again as an option. */
  readonly seed: number;
  stats(): SmscStats;
  /** Cuts every connection without a word; the listener stays. */
  dropConnections(): void;
  /**
   * Unbinds from all peers, stops listening, writes out the log; resolves with the final counts.
   */
  close(): Promise<SmscStats>;
}

/** Time between our unbind and the end of the connection of a peer that does not answer it. */
const UNBIND_GRACE_MS = 500;
/** Time a peer gets to close its side after we closed ours. */
const END_GRACE_MS = 5000;
const TIMER_MS_MAX = 1000;

/** A node:net socket in the shape of src/environment.ts. */
class NetSocket implements Socket {
  readonly #raw: TcpSocket;
  #pendingWrites = 0;
  #events: SocketEvents | null = null;
  #afterEvent: () => void = () => {};
  #cause = "closed by peer";

  constructor(raw: TcpSocket) {
    this.#raw = raw;
  }

  /** Starts the flow of events; `afterEvent` follows each of them. */
  attach(events: SocketEvents, afterEvent: () => void): void {
    this.#events = events;
    this.#afterEvent = afterEvent;
    const raw = this.#raw;
    raw.setNoDelay(true);
    raw.on("data", (chunk: Buffer) => {
      events.onData(chunk, 0, chunk.length);
      afterEvent();
    });
    raw.on("error", (error: Error) => {
      this.#cause = error.message;
    });
    raw.on("close", () => {
      this.#events = null;
      events.onClose(this.#cause);
      afterEvent();
    });
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.#pendingWrites++;
    this.#raw.write(bytes.subarray(start, end), this.#onWritten);
  }

  get isDrained(): boolean {
    return this.#raw.writableLength === 0;
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#pendingWrites--;
    if (error || this.#pendingWrites > 0 || this.#events === null) return;
    this.#events.onDrain();
    this.#afterEvent();
  };

  end(): void {
    this.#raw.end();
    const timer = setTimeout(() => this.destroy("peer did not close"), END_GRACE_MS);
    timer.unref();
    this.#raw.once("close", () => clearTimeout(timer));
  }

  destroy(cause: string): void {
    this.#cause = cause;
    this.#raw.destroy();
  }

  pause(): void {
    this.#raw.pause();
  }

  resume(): void {
    this.#raw.resume();
  }
}

function realClock(): Clock {
  const wallStartMs = Date.now() - performance.now();
  return {
    monotonicMs: () => performance.now(),
    wallMs: () => wallStartMs + performance.now(),
  };
}

/** Calls the engine's doWork when it is due; one timer at a time. */
class EngineTimer {
  readonly #engine: SmscEngine;
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | null = null;
  #isStopped = false;
  #armedMs = Number.POSITIVE_INFINITY;

  constructor(engine: SmscEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Sees to it that doWork runs in time; cheap if the timer already stands. */
  readonly arm = (): void => {
    const due = this.#engine.nextDueMs();
    if (due >= this.#armedMs || this.#isStopped) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#armedMs = due;
    const waitMs = Math.min(Math.max(due - this.#clock.monotonicMs(), 1), TIMER_MS_MAX);
    this.#timer = setTimeout(this.#fire, waitMs);
  };

  readonly #fire = (): void => {
    this.#armedMs = Number.POSITIVE_INFINITY;
    this.#engine.doWork();
    this.arm();
  };

  /** Ends it for good. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/**
 * Starts a simulator and resolves when it listens. Throws RangeError for bad options, and rejects
 * with the error of the listener or the log file. The log is appended to.
 */
export async function startSmsc(given: Partial<SmscOptions> = {}): Promise<RunningSmsc> {
  const options = resolveSmscOptions(given);
  const seed = options.seed ?? Math.floor(Math.random() * DRAW_RANGE);
  const clock = realClock();
  const logFd = options.logFile === null ? null : openSync(options.logFile, "a");
  const witness =
    logFd === null ? null : new Witness((bytes, start, end) => writeAll(logFd, bytes, start, end));
  const engine = new SmscEngine(options, clock, seededRandom(seed), seed, witness);
  const timer = new EngineTimer(engine, clock);
  const server = serverOf(options.tls, (raw) => {
    const socket = new NetSocket(raw);
    socket.attach(engine.accept(socket), timer.arm);
    timer.arm();
  });
  const port = await listen(server, options.host, options.port);
  let closing: Promise<SmscStats> | null = null;

  async function close(): Promise<SmscStats> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    engine.leaveAll();
    timer.arm();
    const grace = setTimeout(() => engine.dropAll("stopped"), UNBIND_GRACE_MS);
    await closed;
    clearTimeout(grace);
    // The server may be closed a turn before the last session has heard of its own end.
    while (engine.sessionCount > 0) await setImmediate();
    timer.stop();
    witness?.flush();
    if (logFd !== null) closeSync(logFd);
    return engine.stats();
  }

  return {
    host: options.host,
    port,
    seed,
    stats: () => engine.stats(),
    dropConnections: () => engine.dropAll("dropped as told"),
    close: () => (closing ??= close()),
  };
}

function serverOf(tls: SmscTls | null, onSocket: (socket: TcpSocket) => void): Server {
  if (tls === null) return createServer(onSocket);
  const { certFile, keyFile, caFile } = tls;
  const files = {
    cert: readFileSync(certFile),
    key: readFileSync(keyFile),
    ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
  };
  const server = createTlsServer({ ...files, requestCert: caFile !== null }, onSocket);
  // A peer that fails the handshake is none of ours.
  server.on("tlsClientError", () => undefined);
  return server;
}

function writeAll(fd: number, bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; ) at += writeSync(fd, bytes, at, end - at);
}
