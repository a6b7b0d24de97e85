/**
 * The only file that loads uWebSockets.js, and the part of its interface that is used here.
 *
 * Two builds are tried: `uWebSockets.js` (current; needs glibc 2.38), then the native module of
 * `@trufflesuite/uws-js-unofficial` (20.30; older glibc). The second package's own entry would fall
 * back to an emulation in JavaScript without saying so, so its binary is loaded directly. On a
 * thread other than main every app must be closed before the thread or the process ends: open
 * sockets there abort the process.
 */
import { createRequire } from "node:module";

declare const listenSocketBrand: unique symbol;
/** An open listener. */
export interface UwsListenSocket {
  readonly [listenSocketBrand]: true;
}

/** Valid until `onAborted` is called or one of `end`, `close` was. */
export interface UwsResponse {
  writeStatus(status: string | Uint8Array): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  /** Ends the response; with `closeConnection` the connection after it. */
  end(body?: string | Uint8Array, closeConnection?: boolean): UwsResponse;
  /**
   * Ends the response with a body of `totalBytes`, of which `chunk` is what comes next; what the
   * client does not take is not kept. Returns whether all of the chunk was taken, and whether the
   * response is over. uWS closes the connection at a further request while it is not.
   */
  tryEnd(chunk: string | Uint8Array, totalBytes: number): [isTaken: boolean, isOver: boolean];
  /**
   * Calls back when the client reads again, with the bytes of the body that it has taken; returns
   * whether what was written then was taken.
   */
  onWritable(listener: (offset: number) => boolean): UwsResponse;
  endWithoutBody(contentLength?: number, closeConnection?: boolean): UwsResponse;
  /**
   * Writes a piece of a chunked body; false: the client does not keep up, and uWS holds a part of
   * it. Small pieces may be held without telling; then the next write tells.
   */
  write(chunk: string): boolean;
  /** Stops and restarts `onData`; while stopped, uWS does not end the connection for silence. */
  pause(): void;
  resume(): void;
  /** Closes the connection at once, without an answer. */
  close(): UwsResponse;
  /** Joins what `write` writes into one send. */
  cork(write: () => void): UwsResponse;
  onAborted(listener: () => void): UwsResponse;
  /** `chunk` is valid during the call only. */
  onData(listener: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
  /** 4 or 16 bytes; empty for a Unix socket. */
  getRemoteAddress(): ArrayBuffer;
  /**
   * What the last PROXY header of version 2 on the connection says, whoever wrote it; empty if none
   * came.
   */
  getProxiedRemoteAddress(): ArrayBuffer;
}

/** Valid during the route's call only. */
export interface UwsRequest {
  getUrl(): string;
  getQuery(): string;
  getMethod(): string;
  getHeader(lowerCaseName: string): string;
  getParameter(index: number): string | undefined;
  forEach(visit: (lowerCaseName: string, value: string) => void): void;
}

/** Refuses a port that somebody else listens on; uWS would share it. */
export const LISTEN_EXCLUSIVE_PORT = 1;
/** Shares it with others of the same user that listen like this (SO_REUSEPORT). */
export const LISTEN_SHARED_PORT = 0;

export type UwsListening = (socket: UwsListenSocket | false) => void;
export type UwsRoute = (response: UwsResponse, request: UwsRequest) => void;

/** What takes routes; those added first are looked at first. */
export interface UwsRoutes {
  get(pattern: string, route: UwsRoute): UwsRoutes;
  post(pattern: string, route: UwsRoute): UwsRoutes;
  del(pattern: string, route: UwsRoute): UwsRoutes;
  any(pattern: string, route: UwsRoute): UwsRoutes;
}

export interface UwsApp extends UwsRoutes {
  get(pattern: string, route: UwsRoute): UwsApp;
  post(pattern: string, route: UwsRoute): UwsApp;
  del(pattern: string, route: UwsRoute): UwsApp;
  any(pattern: string, route: UwsRoute): UwsApp;
  listen(host: string, port: number, listening: UwsListening): UwsApp;
  /** `options`: LISTEN_EXCLUSIVE_PORT or LISTEN_SHARED_PORT. */
  listen(host: string, port: number, options: number, listening: UwsListening): UwsApp;
  /** Replaces a file at `path`, which must not be longer than the kernel allows. */
  listen_unix(listening: UwsListening, path: string): UwsApp;
  /** Closes listeners and connections at once. */
  close(): UwsApp;
}

export interface UwsTls {
  readonly cert_file_name: string;
  readonly key_file_name: string;
}

export interface Uws {
  App(): UwsApp;
  /** Throws without a reason if the files do not fit. */
  SSLApp(tls: UwsTls): UwsApp;
  us_listen_socket_close(socket: UwsListenSocket): void;
  us_socket_local_port(socket: UwsListenSocket): number;
}

const CURRENT = "uWebSockets.js";
const OLDER = "@trufflesuite/uws-js-unofficial";

/** Loads whichever build runs here. Throws an error that names both and why each failed. */
export function loadUws(): Uws {
  const require = createRequire(import.meta.url);
  const { platform, arch, versions } = process;
  const binary = `${OLDER}/binaries/uws_${platform}_${arch}_${versions.modules}.node`;
  const causes: string[] = [];
  for (const module of [CURRENT, binary]) {
    try {
      return require(module) as Uws;
    } catch (error) {
      causes.push(`${module}: ${firstLine(error)}`);
    }
  }
  throw new Error(
    `neither ${CURRENT} nor ${OLDER} loads with Node ${versions.node} here\n${causes.join("\n")}`,
  );
}

function firstLine(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  return lines.filter((line) => line !== "").join(" ");
}
