/** Contender: raw SMPP to the same operator, without HTTP, queue or state. */
import { setTimeout as sleep } from "node:timers/promises";
import { Workspace } from "../../../test/support/processes.ts";
import type { Contender } from "./contender.ts";
import { startOperator, watchOperator } from "./operator.ts";
import { startScript } from "./script.ts";

export const RAW_SMPP: Contender = {
  name: "raw-smpp",
  promise: "submit_sm over net.Socket, 2 sessions, no HTTP: bounded by the operator's own thread",
  async start() {
    const workspace = new Workspace();
    const operator = await startOperator(workspace, "none");
    const { port, pid, stop } = await startScript("raw-smpp", [String(operator.port)]);
    return {
      port,
      token: "none",
      tokensFile: null,
      pids: [pid],
      dialect: "json",
      takesBatches: false,
      watch: () => watchOperator(operator),
      async load({ seconds }) {
        process.kill(pid, "SIGUSR2");
        await sleep(seconds * 1000);
        process.kill(pid, "SIGUSR2");
        const { accepted } = await operator.counts();
        const none = { p50_us: 0, p90_us: 0, p99_us: 0, p999_us: 0, max_us: 0 };
        const errors = { status_errors: 0, socket_errors: 0 };
        const wrk = { requests: accepted, duration_us: seconds * 1e6, ...none, ...errors };
        return { wrk, messagesPerS: null };
      },
      async stop() {
        await stop();
        await workspace.dispose();
      },
    };
  },
};
