/**
 * One listening socket of uWS and the app behind it. Used by the thread that made it.
 */
import {
  LISTEN_EXCLUSIVE_PORT,
  LISTEN_SHARED_PORT,
  type Uws,
  type UwsApp,
  type UwsListenSocket,
  type UwsTls,
} from "./uws.ts";

/**
 * Who else may listen on the port: nobody; threads of this process after it; those that were there
 * before too. The first to share makes sure that no other process has the port.
 */
export type PortSharing = "alone" | "first" | "further";

export class Listener {
  readonly app: UwsApp;
  readonly #uws: Uws;
  #socket: UwsListenSocket | null = null;

  /** With `tls` it speaks nothing but TLS. */
  constructor(uws: Uws, tls: UwsTls | null = null) {
    this.#uws = uws;
    this.app = tls === null ? uws.App() : uws.SSLApp(tls);
  }

  /**
   * Listens on `host`:`port` (0: any free one) and returns the port. Throws if that is not
   * possible.
   */
  listen(host: string, port: number, sharing: PortSharing = "alone"): number {
    if (sharing === "further") return this.#open(host, port, LISTEN_SHARED_PORT);
    const taken = this.#open(host, port, LISTEN_EXCLUSIVE_PORT);
    if (sharing === "alone") return taken;
    this.stopListening();
    return this.#open(host, taken, LISTEN_SHARED_PORT);
  }

  /** Listens on a Unix socket at `path`. Throws if that is not possible. */
  listenUnix(path: string): void {
    this.app.listen_unix((socket) => {
      this.#socket = socket === false ? null : socket;
    }, path);
    if (this.#socket === null) throw new Error(`cannot listen on ${path}`);
  }

  #open(host: string, port: number, options: number): number {
    this.app.listen(host, port, options, (socket) => {
      this.#socket = socket === false ? null : socket;
    });
    if (this.#socket === null) {
      // uWebSockets.js does not tell which.
      const why = "another program has the port, or this machine not the address";
      throw new Error(`cannot listen on ${host}:${port}: ${why}`);
    }
    return this.#uws.us_socket_local_port(this.#socket);
  }

  stopListening(): void {
    if (this.#socket === null) return;
    this.#uws.us_listen_socket_close(this.#socket);
    this.#socket = null;
  }

  /** Stops listening and closes the connections. */
  close(): void {
    this.stopListening();
    this.app.close();
  }
}
