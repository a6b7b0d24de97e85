/**
 * Where the relay and the ingress threads meet, if there is a relay: a Unix socket per ingress
 * thread in a folder of the data directory that only the gateway's user may enter.
 *
 * Pure; any thread.
 */
import { join, resolve } from "node:path";
import type { HttpConfig } from "../../config/types.ts";

/** Room for a path in the kernel's address of a Unix socket, without the final NUL. */
const PATH_BYTES_MAX = 107;

/** Whether clients come by the relay: uWebSockets.js cannot do by itself what is asked for. */
export function isRelayed(http: Pick<HttpConfig, "proxyProtocolFrom" | "tls">): boolean {
  return http.proxyProtocolFrom.length > 0 || (http.tls?.caFile ?? null) !== null;
}

export function relayFolder(dataDir: string): string {
  return join(resolve(dataDir), "relay");
}

/** Path of an ingress thread's socket. Throws if `dataDir` is too long for one. */
export function relayEndpoint(dataDir: string, producer: number): string {
  const path = join(relayFolder(dataDir), `ingress-${producer}.sock`);
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new Error(
      `node.data_dir: ${path} is longer than the ${PATH_BYTES_MAX} bytes of a socket's path`,
    );
  }
  return path;
}
