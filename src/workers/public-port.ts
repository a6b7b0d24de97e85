/**
 * Who has the public port: the ingress threads, each with a listener of its own on it, or the relay
 * in front of them, where the configuration asks for more than uWebSockets.js can do.
 *
 *   shared    clients ─► ingress threads
 *   relayed   clients ─► relay ─► Unix sockets ─► ingress threads
 *
 * Main thread only, which is the first of the ingress threads.
 */
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import type { GatewayConfig } from "../config/types.ts";
import { EXIT_CODES } from "../errors.ts";
import { relayTls, uwsTls } from "../ingress/http/certificates.ts";
import { isRelayed, relayEndpoint, relayFolder } from "../ingress/http/relay-endpoint.ts";
import type { IngressAgent } from "./ingress-agent.ts";
import type { ThreadCommand } from "./thread-data.ts";
import { noteOf, StartRefusedError } from "./threads.ts";

const MAIN = 0;
/** A relayed connection: the client's, and both ends of the one to its ingress thread. */
const RELAYED_DESCRIPTORS = 3;

export interface PublicPortOptions {
  readonly config: GatewayConfig;
  /** Of the main thread. */
  readonly agent: IngressAgent;
  /** The other ingress threads. */
  readonly ingresses: readonly Worker[];
  readonly startRelay: () => Worker;
}

export class PublicPort {
  /** Descriptors that a client's connection takes. */
  readonly descriptorsPerConnection: number;
  readonly #options: PublicPortOptions;
  #relay: Worker | null = null;

  constructor(options: PublicPortOptions) {
    this.#options = options;
    this.descriptorsPerConnection = isRelayed(options.config.http) ? RELAYED_DESCRIPTORS : 1;
  }

  /**
   * Listens on the configured port, or on any free one if that is taken and `anyPortIfTaken`;
   * resolves with the port. Rejects with StartRefusedError.
   */
  async listen(anyPortIfTaken: boolean): Promise<number> {
    const { config } = this.#options;
    const isByRelay = isRelayed(config.http);
    if (isByRelay) await this.#prepareRelay();
    const listenOn = isByRelay
      ? (port: number) => this.#listenByRelay(port)
      : (port: number) => this.#listenShared(port);
    try {
      return await listenOn(config.http.port);
    } catch (error) {
      if (anyPortIfTaken) return await listenOn(0);
      throw new StartRefusedError(EXIT_CODES.failure.code, (error as Error).message);
    }
  }

  /** Takes no new connections until `resume`; open ones are served. */
  pause(): void {
    if (this.#relay === null) this.#options.agent.pause();
    this.#command({ kind: "pause" });
  }

  resume(): void {
    if (this.#relay === null) this.#options.agent.resume();
    this.#command({ kind: "resume" });
  }

  /**
   * New connections get the certificates that are in the files now. Throws, and changes nothing, if
   * they cannot be used.
   */
  reloadCertificates(): void {
    checkCertificates(this.#options.config);
    if (this.#relay === null) this.#options.agent.reloadCertificates();
    this.#command({ kind: "reload_certificates" });
  }

  /** Threads other than main that take connections or calls. */
  threads(): readonly Worker[] {
    const { ingresses } = this.#options;
    return this.#relay === null ? ingresses : [...ingresses, this.#relay];
  }

  /** Once the ingress threads are closed: resolves when what the relay still had has gone out. */
  async flush(): Promise<void> {
    if (this.#relay === null) return;
    const closed = noteOf(this.#relay, "closed");
    this.#command({ kind: "close" });
    await closed;
  }

  /** The ingress threads share the port; the first of them makes sure that it is free. */
  async #listenShared(port: number): Promise<number> {
    const { agent, ingresses } = this.#options;
    const taken = agent.listen(port, "first");
    const listening = ingresses.map((thread) => noteOf(thread, "listening"));
    this.#command({ kind: "listen", port: taken });
    await Promise.all(listening);
    return taken;
  }

  async #listenByRelay(port: number): Promise<number> {
    const listening = noteOf(this.#relay as Worker, "listening");
    this.#command({ kind: "listen", port });
    return (await listening).port;
  }

  /** The ingress threads listen for the relay, in a folder that only the gateway's user enters. */
  async #prepareRelay(): Promise<void> {
    const { config, agent, ingresses, startRelay } = this.#options;
    const { dataDir } = config.node;
    const folder = relayFolder(dataDir);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    agent.listenForRelay(relayEndpoint(dataDir, MAIN));
    const listening = ingresses.map((thread) => noteOf(thread, "listening"));
    for (const [i, thread] of ingresses.entries()) {
      const path = relayEndpoint(dataDir, i + 1);
      thread.postMessage({ kind: "listen_for_relay", path } satisfies ThreadCommand);
    }
    await Promise.all(listening);
    this.#relay = startRelay();
  }

  /** To those that have the port, without main. */
  #command(command: ThreadCommand): void {
    const { ingresses } = this.#options;
    const listeners = this.#relay === null ? ingresses : [this.#relay];
    for (const thread of listeners) thread.postMessage(command);
  }
}

/** Refuses to start with what the public port cannot be opened with: files of TLS, paths. */
export function checkPublicPort(config: GatewayConfig): void {
  try {
    checkCertificates(config);
    const { http, node } = config;
    if (isRelayed(http)) relayEndpoint(node.dataDir, http.threads - 1);
  } catch (error) {
    throw new StartRefusedError(EXIT_CODES.config.code, (error as Error).message);
  }
}

function checkCertificates({ http }: GatewayConfig): void {
  if (http.tls === null) return;
  if (isRelayed(http)) relayTls(http.tls, readFileSync);
  else uwsTls(http.tls, readFileSync);
}
