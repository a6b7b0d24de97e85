/** Contenders that only answer: one script of references/ each. */
import { type Contender, type Standing } from "./contender.ts";
import { startScript } from "./script.ts";

function server(name: string, script: string, promise: string): Contender {
  return {
    name,
    promise,
    async start(): Promise<Standing> {
      const { port, pid, stop } = await startScript(script, []);
      return {
        port,
        token: "none",
        tokensFile: null,
        pids: [pid],
        dialect: "json",
        takesBatches: false,
        watch: () => nothing,
        stop,
      };
    },
  };
}

function nothing(): Promise<null> {
  return Promise.resolve(null);
}

export const BARE = server("bare", "bare-uws", "bare uWebSockets.js: parses and answers 202");
export const NODE_HTTP = server("node-http", "node-http", "node:http: parses and answers 202");
export const FASTIFY = server("fastify", "fastify", "fastify: parses and answers 202");
