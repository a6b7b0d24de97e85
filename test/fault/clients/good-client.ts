/**
 * A well-behaved sender beside hostile ones: one message after the other over kept connections,
 * what it got and how long it took.
 */
import { Agent as PlainAgent, request } from "node:http";
import { Agent as TlsAgent, request as requestByTls } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { testToken } from "../../support/client.ts";
import { destinationOf } from "../../support/witnesses.ts";

export interface GoodClientResult {
  readonly accepted: number;
  /** Anything but 202, and broken connections; by what they were. */
  readonly failed: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const PAUSE_MS = 10;

export class GoodClient {
  readonly #port: number;
  /** The authority of the gateway's certificate, PEM; null: plain HTTP. */
  readonly #ca: string | null;
  readonly #agent: PlainAgent;
  readonly #token = testToken();
  readonly #latenciesMs: number[] = [];
  readonly #failed: Record<string, number> = {};
  readonly #lanes: readonly Promise<void>[];
  #isStopped = false;

  /** Starts posting over `lanes` connections. */
  constructor(httpPort: number, lanes: number, ca: string | null) {
    this.#port = httpPort;
    this.#ca = ca;
    const options = { keepAlive: true, maxSockets: lanes };
    this.#agent = ca === null ? new PlainAgent(options) : new TlsAgent({ ...options, ca });
    this.#lanes = Array.from({ length: lanes }, (_, lane) => this.#run(lane));
  }

  async stop(): Promise<GoodClientResult> {
    this.#isStopped = true;
    await Promise.all(this.#lanes);
    this.#agent.destroy();
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    const at = (share: number): number => {
      return Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
    };
    const result = { accepted: sorted.length, failed: { ...this.#failed } };
    return { ...result, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }

  async #run(lane: number): Promise<void> {
    for (let i = 0; !this.#isStopped; i++) {
      const startMs = performance.now();
      const to = destinationOf(lane * 1_000_000 + i);
      const status = await this.#post(JSON.stringify({ to, text: "good" }));
      if (status === "202") this.#latenciesMs.push(performance.now() - startMs);
      else this.#failed[status] = (this.#failed[status] ?? 0) + 1;
      await sleep(PAUSE_MS);
    }
  }

  /** The status of the answer, or what broke the connection. */
  #post(body: string): Promise<string> {
    const options = {
      host: "127.0.0.1",
      port: this.#port,
      agent: this.#agent,
      method: "POST",
      path: "/v1/messages",
      headers: {
        authorization: `Bearer ${this.#token}`,
        "x-app-id": "1",
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
    };
    return new Promise((resolve) => {
      const sent = (this.#ca === null ? request : requestByTls)(options, (answer) => {
        answer.on("end", () => resolve(String(answer.statusCode))).resume();
      });
      sent.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      sent.end(body);
    });
  }
}
