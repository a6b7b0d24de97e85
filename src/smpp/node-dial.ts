/**
 * The real network for SMPP sessions: TCP over node:net, read into one preallocated buffer per
 * socket.
 *
 * Called and calling back on the worker's own thread; callbacks never come from inside a call.
 */
import { connect, type Socket as NetSocket } from "node:net";
import type { Dial, Socket, SocketEvents } from "../environment.ts";

const READ_BYTES = 64 * 1024;
const KEEP_ALIVE_DELAY_MS = 60_000;

export const nodeDial: Dial = (host, port, events) => new NodeSocket(host, port, events);

class NodeSocket implements Socket {
  readonly #socket: NetSocket;
  readonly #events: SocketEvents;
  #writesUnderWay = 0;
  #cause = "closed by the peer";
  readonly #onWritten = (): void => {
    this.#writesUnderWay -= 1;
    if (this.#writesUnderWay === 0 && !this.#socket.destroyed) this.#events.onDrain();
  };

  constructor(host: string, port: number, events: SocketEvents) {
    this.#events = events;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      onread: {
        buffer: new Uint8Array(READ_BYTES),
        callback: (count, bytes) => {
          events.onData(bytes, 0, count);
          return true;
        },
      },
    });
    this.#socket.on("connect", () => events.onConnect());
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#cause = error.code ?? error.message;
    });
    this.#socket.on("close", () => events.onClose(this.#cause));
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.#writesUnderWay += 1;
    this.#socket.write(bytes.subarray(start, end), this.#onWritten);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(cause: string): void {
    this.#cause = cause;
    this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}
