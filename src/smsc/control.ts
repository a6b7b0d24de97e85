/**
 * The simulator's control port: counts to look at while it runs, and connections to cut.
 *
 *   GET /counts   everything counted so far, as JSON
 *   POST /drop    cuts every connection without a word
 *
 * On loopback only, without authentication: a test tool's.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface ControlActions {
  readonly counts: () => object;
  readonly drop: () => void;
}

export interface RunningControl {
  readonly port: number;
  close(): void;
}

/** Listens on 127.0.0.1:`port`, 0 for a free one; rejects with the listener's error. */
export async function startControl(port: number, actions: ControlActions): Promise<RunningControl> {
  const server: Server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    if (asked === "GET /counts") {
      response.setHeader("Content-Type", "application/json");
      response.end(`${JSON.stringify(actions.counts())}\n`);
    } else if (asked === "POST /drop") {
      actions.drop();
      response.writeHead(204).end();
    } else {
      response.writeHead(404).end("GET /counts, POST /drop\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
