/**
 * A well-behaved sender beside hostile ones: one message after the other over kept connections,
 * what it got and how long it took.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../../support/client.ts";
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
  readonly #client: Client;
  readonly #latenciesMs: number[] = [];
  readonly #failed: Record<string, number> = {};
  readonly #lanes: readonly Promise<void>[];
  #isStopped = false;

  /** Starts posting over `lanes` connections. */
  constructor(httpPort: number, lanes: number) {
    this.#client = new Client(httpPort);
    this.#lanes = Array.from({ length: lanes }, (_, lane) => this.#run(lane));
  }

  async stop(): Promise<GoodClientResult> {
    this.#isStopped = true;
    await Promise.all(this.#lanes);
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
      const status = await this.#client.post({ to, text: "good" }).then(
        (answer) => String(answer.status),
        (error: unknown) => causeOf(error),
      );
      if (status === "202") this.#latenciesMs.push(performance.now() - startMs);
      else this.#failed[status] = (this.#failed[status] ?? 0) + 1;
      await sleep(PAUSE_MS);
    }
  }
}

function causeOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: string }; message: string };
  return cause?.code ?? message;
}
