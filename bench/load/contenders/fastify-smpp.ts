/** Contender: the small gateway of references/fastify-smpp.ts. */
import { Workspace } from "../../../test/support/processes.ts";
import type { Contender } from "./contender.ts";
import { startOperator, watchOperator } from "./operator.ts";
import { startScript } from "./script.ts";

export const FASTIFY_SMPP: Contender = {
  name: "fastify-smpp",
  promise: "fastify + npm smpp, 2 sessions: its 202 means in memory; no limits, no states",
  async start({ receipts }) {
    const workspace = new Workspace();
    const operator = await startOperator(workspace, receipts);
    const { port, pid, stop } = await startScript("fastify-smpp", [String(operator.port)]);
    return {
      port,
      token: "none",
      tokensFile: null,
      pids: [pid],
      dialect: "json",
      takesBatches: false,
      watch: () => watchOperator(operator),
      async stop() {
        await stop();
        await workspace.dispose();
      },
    };
  },
};
