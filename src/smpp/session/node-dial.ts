/**
 * The real network for SMPP sessions: TCP over node:net, or TLS over node:tls, read into one
 * preallocated buffer per socket.
 *
 * Certificates are read at each dial, so that a renewed one is used from the next bind on. Called
 * and calling back on the worker's own thread; callbacks never come from inside a call.
 */
import { readFileSync } from "node:fs";
import { connect, isIP, type Socket as NetSocket } from "node:net";
import { checkServerIdentity, connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Dial, DialTls, Socket, SocketEvents } from "../../environment.ts";
import { describeSocketError } from "./socket-errors.ts";

const READ_BYTES = 64 * 1024;
const KEEP_ALIVE_DELAY_MS = 60_000;

export const nodeDial: Dial = (host, port, events, tls) =>
  new NodeSocket(host, port, events, tls ?? null);

class NodeSocket implements Socket {
  #socket: NetSocket | null = null;
  readonly #events: SocketEvents;
  #writesUnderWay = 0;
  #cause = "closed by the peer";
  readonly #onWritten = (): void => {
    this.#writesUnderWay -= 1;
    if (this.#writesUnderWay === 0 && this.#socket?.destroyed === false) this.#events.onDrain();
  };

  constructor(host: string, port: number, events: SocketEvents, tls: DialTls | null) {
    this.#events = events;
    const onread = {
      buffer: new Uint8Array(READ_BYTES),
      callback: (count: number, bytes: Uint8Array): boolean => {
        events.onData(bytes, 0, count);
        return true;
      },
    };
    const common = {
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      onread,
    };
    let socket: NetSocket;
    try {
      socket = tls === null ? connect(common) : connectTls({ ...common, ...tlsOptions(host, tls) });
    } catch (error) {
      // A certificate or key that cannot be read or understood.
      const cause = describeSocketError(error as NodeJS.ErrnoException);
      setImmediate(() => events.onClose(cause));
      return;
    }
    this.#socket = socket;
    socket.on(tls === null ? "connect" : "secureConnect", () => {
      // TLS has no option for it: the socket under it is there only now.
      socket.setNoDelay(true);
      events.onConnect();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#cause = describeSocketError(error);
    });
    socket.on("close", () => events.onClose(this.#cause));
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.#writesUnderWay += 1;
    this.#socket?.write(bytes.subarray(start, end), this.#onWritten);
  }

  get isDrained(): boolean {
    return this.#socket === null || this.#socket.writableLength === 0;
  }

  end(): void {
    this.#socket?.end();
  }

  destroy(cause: string): void {
    this.#cause = cause;
    this.#socket?.destroy();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }
}

/** Throws if a file cannot be read. */
function tlsOptions(host: string, tls: DialTls): ConnectionOptions {
  const name = tls.serverName ?? host;
  const options: ConnectionOptions = {
    minVersion: "TLSv1.2",
    rejectUnauthorized: tls.verify,
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(name, certificate),
  };
  // RFC 6066: an address is no server name.
  if (isIP(name) === 0) options.servername = name;
  if (tls.caFile !== null) options.ca = readFileSync(tls.caFile);
  if (tls.certFile !== null) options.cert = readFileSync(tls.certFile);
  if (tls.key !== null) options.key = tls.key;
  return options;
}
