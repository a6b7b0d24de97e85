/** Starts threads for stress tests and collects what they say. */
import { once } from "node:events";
import type { TestContext } from "node:test";
import { Worker } from "node:worker_threads";

/**
 * A thread running `file` (compiled, beside the test) with `data`; its first message is its result.
 */
export function startThread(
  context: TestContext,
  file: string,
  testUrl: string,
  data: unknown,
): Promise<unknown> {
  const worker = new Worker(new URL(file, testUrl), { workerData: data });
  context.after(() => worker.terminate());
  const failure = once(worker, "error").then(([error]) => {
    throw error;
  });
  const said = once(worker, "message").then(([message]: unknown[]) => message);
  return Promise.race([said, failure]);
}
