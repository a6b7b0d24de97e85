/** Asks for messages by GET and tells how long each took from acceptance to each stage. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { benchToken } from "./contenders/gateway.ts";
import type { StageLatencies, StagePercentiles } from "./latency-run.ts";

const TRIES_MS_MAX = 30_000;
const LANES = 16;

interface MessageView {
  readonly accepted_at: string;
  readonly final_at: string | null;
  readonly parts: readonly {
    readonly sent_at: string | null;
    readonly answered_at: string | null;
  }[];
}

/**
 * Stage latencies of the messages whose answers are `answers` (each the JSON of a 202). Waits until
 * they are final; throws after 30 seconds.
 */
export async function readStages(
  port: number,
  answers: readonly string[],
): Promise<StageLatencies> {
  const [sent, answered, final] = [createHistogram(), createHistogram(), createHistogram()];
  const deadline = performance.now() + TRIES_MS_MAX;
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < answers.length; i = next++) {
      const { id } = JSON.parse(answers[i] as string) as { id: string };
      const message = await finalMessage(port, id, deadline);
      const part = message.parts[0];
      recordSince(sent, message.accepted_at, part?.sent_at ?? null);
      recordSince(answered, message.accepted_at, part?.answered_at ?? null);
      recordSince(final, message.accepted_at, message.final_at);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return {
    sentMs: percentilesOf(sent),
    answeredMs: percentilesOf(answered),
    finalMs: percentilesOf(final),
  };
}

async function finalMessage(port: number, id: string, deadline: number): Promise<MessageView> {
  const headers = { authorization: `Bearer ${benchToken()}`, "x-app-id": "1" };
  while (performance.now() < deadline) {
    const got = await fetch(`http://127.0.0.1:${port}/v1/messages/${id}`, { headers });
    const message = (await got.json()) as MessageView;
    if (got.status === 200 && message.final_at !== null) return message;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`message ${id} is not final`);
}

/** The same millisecond counts as 1: the histogram begins there. */
function recordSince(histogram: RecordableHistogram, from: string, to: string | null): void {
  if (to !== null) histogram.record(Math.max(1, Date.parse(to) - Date.parse(from)));
}

function percentilesOf(histogram: RecordableHistogram): StagePercentiles {
  const [p50 = 0, p99 = 0, p999 = 0] = [50, 99, 99.9].map((p) => histogram.percentile(p));
  return { count: histogram.count, p50, p99, p999 };
}
