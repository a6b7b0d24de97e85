/**
 * The public listener where uWebSockets.js must not be it: accepts clients, learns their address
 * from the PROXY header of a trusted balancer, requires certificates, and hands the bytes on.
 *
 *   client ─► [PROXY header] ─► [TLS] ─► bytes ─┬─► own PROXY header + bytes ─► Unix socket ─► uWS
 *          ◄─────────────── answers ◄───────────┘
 *
 * uWebSockets.js believes a PROXY header in front of every request. So its sockets are out of
 * reach for clients, the relay writes one header, the first bytes of each, and a connection whose
 * bytes hold the signature of a header is cut before the signature is whole. From others than the
 * trusted, nothing is read as a header. Each connection has one to uWS from its start, whose
 * timeouts bound silence before and between requests. Used by the relay's thread only.
 */
import { createServer, type AddressInfo, connect, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import type { Log } from "../environment.ts";
import { AddressFilter } from "../ingress/http/address-filter.ts";
import type { RelayTls } from "../ingress/http/certificates.ts";
import {
  addressBytes,
  encodeProxyHeader,
  readProxyHeader,
  SignatureWatch,
} from "../ingress/http/proxy-header.ts";

/** A trusted peer says so soon whose connection it is. */
const HEADER_MS_MAX = 5000;
const HANDSHAKE_MS_MAX = 10_000;
/** A client that takes nothing of its answers for so long is given up. */
const STUCK_MS_MAX = 20_000;
/** A full queue of an ingress thread is tried again. */
const DIALS_MAX = 200;
const REDIAL_MS = 10;
const FLUSH_MS_MAX = 400;
/** Refused connections are logged no more often. */
const LOG_INTERVAL_MS = 10_000;

export interface RelayOptions {
  /** Ranges of the balancers whose PROXY header is required and believed. */
  readonly trusted: readonly string[];
  /** Unix sockets of the ingress threads. */
  readonly endpoints: readonly string[];
  /** The certificates as they are in their files now; null: plain HTTP. Throws on bad files. */
  readonly tls: () => RelayTls | null;
  readonly log: Log;
  /** Monotonic time in ms. */
  readonly nowMs: () => number;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #trusted: AddressFilter;
  readonly #server: Server;
  readonly #tls: TlsServer | null;
  /** Clients within their TLS handshake by the four numbers of their connection. */
  readonly #handshakes = new Map<string, (client: Socket) => void>();
  readonly #clients = new Set<Socket>();
  #next = 0;
  #isPaused = false;
  #refused = 0;
  #nextLogMs = 0;

  /** Throws if the certificates cannot be used. */
  constructor(options: RelayOptions) {
    this.#options = options;
    this.#trusted = new AddressFilter(options.trusted);
    this.#tls = this.#makeTls();
    const socketOptions = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
    this.#server = createServer(socketOptions, (socket) => this.#accept(socket));
  }

  /** Listens on `host`:`port`, 0 for any free one; resolves with the port. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => this.#refuse(error.message));
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Ends new connections at once until `resume`; open ones are served. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /**
   * New connections get the certificates that are in the files now. Throws, and changes nothing, if
   * they cannot be used.
   */
  reloadCertificates(): void {
    const tls = this.#options.tls();
    if (tls !== null) this.#tls?.setSecureContext(tls);
  }

  stopListening(): void {
    this.#server.close();
  }

  /**
   * Resolves when every answer that came from the ingress threads, which are closed, has gone out,
   * or after a while without them.
   */
  close(): Promise<void> {
    this.stopListening();
    return new Promise((resolve) => {
      const giveUpMs = this.#options.nowMs() + FLUSH_MS_MAX;
      const timer = setInterval(() => {
        if (this.#clients.size > 0 && this.#options.nowMs() < giveUpMs) return;
        clearInterval(timer);
        for (const client of this.#clients) client.destroy();
        resolve();
      }, REDIAL_MS);
    });
  }

  #makeTls(): TlsServer | null {
    const tls = this.#options.tls();
    if (tls === null) return null;
    const server = createTlsServer({ ...tls, handshakeTimeout: HANDSHAKE_MS_MAX });
    server.on("secureConnection", (client) => {
      const key = connectionKey(client);
      const secured = this.#handshakes.get(key);
      this.#handshakes.delete(key);
      if (secured === undefined) client.destroy();
      else secured(client);
    });
    server.on("tlsClientError", (error) => this.#refuse(`TLS: ${error.message}`));
    return server;
  }

  #accept(socket: Socket): void {
    const address = addressBytes(socket.remoteAddress ?? "");
    socket.on("error", () => undefined);
    if (this.#isPaused || address === null) {
      socket.destroy();
      return;
    }
    this.#clients.add(socket);
    socket.once("close", () => this.#clients.delete(socket));
    this.#introduce(socket, address).catch((error: Error) => {
      if (!socket.destroyed) this.#refuse(error.message, socket.remoteAddress);
      socket.destroy();
    });
  }

  /** From the accepted socket to bytes that flow. Rejects with why the connection is refused. */
  async #introduce(socket: Socket, peer: Uint8Array): Promise<void> {
    const upstream = await this.#dial(socket);
    if (socket.destroyed) upstream.destroy();
    let client = socket;
    socket.once("close", () => upstream.destroy());
    upstream.once("close", () => client.destroySoon());
    const isTrusted = this.#trusted.allows(Uint8Array.from(peer).buffer);
    const named = isTrusted ? await headerOf(socket) : null;
    if (this.#tls !== null) client = await this.#secure(this.#tls, socket);
    this.#forward(client, upstream, named ?? peer);
  }

  async #dial(socket: Socket): Promise<Socket> {
    const { endpoints } = this.#options;
    for (let dials = 1; ; dials++) {
      this.#next = (this.#next + 1) % endpoints.length;
      try {
        return await connected(endpoints[this.#next] as string);
      } catch (error) {
        const isFull = (error as { code?: string }).code === "EAGAIN";
        if (!isFull || dials === DIALS_MAX || socket.destroyed) throw error;
        await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
      }
    }
  }

  /** Resolves with the client behind TLS once its certificate, if one is asked for, is good. */
  #secure(tls: TlsServer, socket: Socket): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const key = connectionKey(socket);
      this.#handshakes.set(key, resolve);
      socket.once("close", () => {
        this.#handshakes.delete(key);
        reject(new Error("TLS: no handshake"));
      });
      tls.emit("connection", socket);
    });
  }

  #forward(client: Socket, upstream: Socket, address: Uint8Array): void {
    const watch = new SignatureWatch();
    upstream.write(encodeProxyHeader(address));
    client.on("data", (segment: Buffer) => {
      if (watch.sees(segment)) {
        this.#refuse("a PROXY header amid the bytes", client.remoteAddress);
        upstream.destroy();
        client.destroy();
      } else if (!upstream.write(segment)) {
        client.pause();
      }
    });
    upstream.on("drain", () => client.resume());
    client.on("end", () => upstream.end());
    client.on("error", () => undefined);
    client.once("close", () => upstream.destroy());
    upstream.pipe(client);
    // The timer of a socket starts anew with every byte that moves.
    client.setTimeout(STUCK_MS_MAX, () => {
      if (client.writableLength > 0) client.destroy();
    });
    client.resume();
  }

  /** Tells the operator, not too often, that connections are refused and why. */
  #refuse(cause: string, peer?: string): void {
    this.#refused += 1;
    const nowMs = this.#options.nowMs();
    if (nowMs < this.#nextLogMs) return;
    this.#nextLogMs = nowMs + LOG_INTERVAL_MS;
    const refused = this.#refused;
    this.#refused = 0;
    this.#options.log.write("warn", "refuse connections", { cause, peer, refused });
  }
}

/** Tells the connections of a listener apart; the same of a socket and of the TLS over it. */
function connectionKey(socket: Socket): string {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

/** Takes the PROXY header off a connection; resolves with the address it names, if any. */
function headerOf(socket: Socket): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const settle = (end: () => void): void => {
      clearTimeout(timer);
      socket.pause();
      socket.off("data", take).off("end", left).off("close", left);
      end();
    };
    const refuse = (reason: string): void => settle(() => reject(new Error(reason)));
    const left = (): void => refuse("no PROXY header: the connection was closed");
    const timer = setTimeout(() => refuse("no PROXY header in time"), HEADER_MS_MAX);
    const take = (segment: Buffer): void => {
      seen = Buffer.concat([seen, segment]);
      const read = readProxyHeader(seen);
      if (read.kind === "incomplete") return;
      if (read.kind === "malformed") refuse(read.reason);
      else {
        settle(() => undefined);
        if (seen.length > read.lengthBytes) socket.unshift(seen.subarray(read.lengthBytes));
        resolve(read.address);
      }
    };
    socket.on("data", take).once("end", left).once("close", left);
    socket.resume();
  });
}
