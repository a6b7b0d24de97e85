/**
 * One listening socket of uWS and the app behind it. Main thread only.
 */
import { LISTEN_EXCLUSIVE_PORT, type Uws, type UwsApp, type UwsListenSocket } from "./uws.ts";

export class Listener {
  readonly app: UwsApp;
  readonly #uws: Uws;
  #socket: UwsListenSocket | null = null;

  constructor(uws: Uws) {
    this.#uws = uws;
    this.app = uws.App();
  }

  /**
   * Listens on `host`:`port` (0: any free one) and returns the port. Throws if that is not
   * possible.
   */
  listen(host: string, port: number): number {
    this.app.listen(host, port, LISTEN_EXCLUSIVE_PORT, (socket) => {
      this.#socket = socket === false ? null : socket;
    });
    if (this.#socket === null) throw new Error(`cannot listen on ${host}:${port}`);
    return this.#uws.us_socket_local_port(this.#socket);
  }

  stopListening(): void {
    if (this.#socket === null) return;
    this.#uws.us_listen_socket_close(this.#socket);
    this.#socket = null;
  }

  /** Stops listening and closes the connections, where the build can. */
  close(): void {
    this.stopListening();
    this.app.close?.();
  }
}
