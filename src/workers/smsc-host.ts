/**
 * The operator simulator in a thread of its own, beside a gateway in the same process.
 */
import { Worker } from "node:worker_threads";
import type { SmscOptions } from "../smsc/options.ts";

export interface HostedSmsc {
  readonly port: number;
  /** Ends the simulator and its connections. */
  stop(): Promise<void>;
}

/** Starts a simulator and resolves when it listens on loopback. */
export async function startSmscThread(options: Partial<SmscOptions>): Promise<HostedSmsc> {
  const thread = new Worker(new URL("./smsc-thread.js", import.meta.url), { workerData: options });
  const port = await new Promise<number>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  return {
    port,
    stop: async () => {
      await thread.terminate();
    },
  };
}
