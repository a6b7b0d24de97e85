/**
 * Has messages accepted as fast as batches go, for trials that need many of them waiting.
 *
 * A batch that was refused for now is sent again; any other refusal ends the load.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { testToken } from "./client.ts";

const BATCH = 1000;
const LANES = 4;
const RETRY_MS = 100;
const QUOTE_LENGTH_MAX = 300;

export interface BatchLoad {
  readonly httpPort: number;
  readonly count: number;
  /** The i-th message. */
  readonly message: (i: number) => Record<string, unknown>;
  /** A longer text needs smaller batches. */
  readonly batch?: number;
  /** Asked before each batch; true: enough. */
  readonly isEnough?: () => boolean;
}

/** Resolves with the number of accepted messages. */
export async function acceptBatches(load: BatchLoad): Promise<number> {
  const { httpPort, count, message, batch = BATCH, isEnough = () => false } = load;
  const url = `http://127.0.0.1:${httpPort}/v1/messages:batch`;
  const headers = {
    Authorization: `Bearer ${testToken()}`,
    "X-App-ID": "1",
    "Content-Type": "application/json",
  };
  let next = 0;
  let accepted = 0;
  const lane = async (): Promise<void> => {
    while (next < count && !isEnough()) {
      const from = next;
      next = Math.min(count, from + batch);
      const messages = Array.from({ length: next - from }, (_, i) => message(from + i));
      const body = JSON.stringify({ messages });
      for (;;) {
        const response = await fetch(url, { method: "POST", headers, body });
        const answer = (await response.json()) as { accepted?: number };
        if (response.status === 503 && (answer.accepted ?? 0) === 0) await sleep(RETRY_MS);
        else if (answer.accepted === messages.length) break;
        else throw new Error(refusalOf(response.status, JSON.stringify(answer)));
      }
      accepted += messages.length;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return accepted;
}

/** The first refused message of an answer, else its beginning. */
function refusalOf(status: number, answer: string): string {
  const refused = Math.max(0, answer.indexOf('{"problem"'));
  return `a batch got ${status}: ${answer.slice(refused, refused + QUOTE_LENGTH_MAX)}`;
}
