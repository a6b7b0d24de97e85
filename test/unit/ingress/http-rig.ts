/**
 * The public HTTP listener over an ingress rig, on an ephemeral loopback port, with clients:
 * fetch-like and raw.
 */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { LedgerReads } from "../../../src/ingress/calls/read-calls.ts";
import { HttpServer } from "../../../src/ingress/server.ts";
import { loadUws } from "../../../src/ingress/http/uws.ts";
import { signToken } from "../../../src/cli/token.ts";
import { CONFIG, IngressRig, type RigOptions, SECRET } from "./rig.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export interface CallOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Uint8Array;
}

const PUMP_INTERVAL_MS = 2;
const IDLE_MS_MAX = 3000;

export class HttpRig {
  readonly rig: IngressRig;
  readonly server: HttpServer;
  readonly port: number;
  missing: string[] = [];
  /** What the ledger answers; nobody is asked unless a test says so. */
  reads: LedgerReads["ask"] = () => assert.fail("the ledger was asked");
  /** While true nothing is committed. */
  isJournalStopped = false;
  /** Lets go of an idle connection before uWS does, or a call may meet it closed. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 8, timeout: IDLE_MS_MAX });
  readonly #timer: NodeJS.Timeout;
  readonly #sockets: Socket[] = [];

  constructor(options: RigOptions = {}) {
    this.rig = new IngressRig({ config: CONFIG, ...options });
    this.server = new HttpServer({
      uws: loadUws(),
      config: this.rig.config,
      clock: this.rig.clock,
      ingress: this.rig.ingress,
      pools: this.rig.pools,
      log: { write: () => undefined },
      reads: { ask: (question, done, tooLate) => this.reads(question, done, tooLate) },
      tls: options.tls ?? (() => null),
      isRelayed: false,
      unreadiness: () => this.missing,
      links: () => [{ id: 100, up: true }],
      poolStates: () => [{ id: 1000, weight: 5 }],
    });
    this.port = this.server.listen(0, options.sharing);
    this.#timer = setInterval(() => {
      this.rig.clock.nowMs += PUMP_INTERVAL_MS;
      this.rig.ingress.onTick();
      if (this.isJournalStopped) this.rig.ingress.doWork();
      else this.rig.settle();
    }, PUMP_INTERVAL_MS);
  }

  token(appId = 1, scopes: readonly string[] = ["send"]): string {
    const issuedAtS = Math.floor(this.rig.clock.wallMs() / 1000);
    const claims = { appId, audience: "smsgw", issuer: null, scopes, issuedAtS, ttlS: 600 };
    return signToken(claims, SECRET);
  }

  headers(appId = 1, scopes: readonly string[] = ["send"]): Record<string, string> {
    return {
      authorization: `Bearer ${this.token(appId, scopes)}`,
      "x-app-id": String(appId),
      "content-type": "application/json",
    };
  }

  async call(options: CallOptions = {}): Promise<HttpAnswer> {
    const { method = "POST", path = "/v1/messages", headers = this.headers(), body } = options;
    return await new Promise((resolve, reject) => {
      const sent = request(
        { host: "127.0.0.1", port: this.port, agent: this.#agent, method, path, headers },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const { statusCode = 0 } = response;
            resolve({ status: statusCode, headers: response.headers, text, json: parsed(text) });
          });
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async post(body: unknown, headers?: Record<string, string>): Promise<HttpAnswer> {
    const options = { body: JSON.stringify(body) };
    return await this.call(headers === undefined ? options : { ...options, headers });
  }

  async get(path: string, appId = 1): Promise<HttpAnswer> {
    return await this.call({ method: "GET", path, headers: this.headers(appId) });
  }

  /**
   * Sends bytes as they are and collects what comes back until the server closes, or has read them,
   * has nothing pending and said nothing for `quietMs`.
   */
  async raw(pieces: readonly (string | Uint8Array)[], quietMs = 150): Promise<RawAnswer> {
    const socket = this.open();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    const gone = new Promise((resolve) => socket.on("close", resolve));
    const written = pieces.map((piece) => new Promise((done) => socket.write(piece, done)));
    await Promise.race([gone, Promise.all(written)]);
    for (let seen = -1; !socket.closed && seen !== chunks.length; ) {
      seen = chunks.length;
      await Promise.race([gone, sleep(quietMs)]);
      await this.#settled();
    }
    const { closed } = socket;
    socket.destroy();
    return { closed, text: Buffer.concat(chunks).toString("latin1") };
  }

  /** What was sent before is read and answered, however late this process's timers are. */
  async #settled(): Promise<void> {
    // One round of the loop accepts a connection, the next one reads it.
    for (let round = 0; round < 2; round++) {
      await this.call({ method: "GET", path: "/healthz" }).catch(() => undefined);
      while (!this.isJournalStopped && this.rig.ingress.pendingCount > 0) {
        await sleep(PUMP_INTERVAL_MS);
      }
    }
    await turn();
  }

  /** A plain connection, closed with the rig. */
  open(): Socket {
    const socket = connect(this.port, "127.0.0.1");
    socket.setNoDelay(true);
    this.#sockets.push(socket);
    return socket;
  }

  async close(): Promise<void> {
    this.isJournalStopped = false;
    this.server.stopListening();
    this.rig.ingress.drain();
    while (!this.rig.ingress.isDrained()) {
      await new Promise((resolve) => setTimeout(resolve, PUMP_INTERVAL_MS));
    }
    clearInterval(this.#timer);
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}

export interface RawAnswer {
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  readonly text: string;
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
