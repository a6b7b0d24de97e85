/**
 * `smsgw start`: runs the gateway in the foreground.
 *
 * SIGTERM or SIGINT drains: no new requests, windows finished, everything on disk, exit 0; a second
 * one stops at once, which loses nothing either. With --respawn a parent process starts it again
 * after a crash, with backoff.
 */
import { fork } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadConfig } from "../config/parse.ts";
import type { GatewayConfig } from "../config/types.ts";
import { EXIT_CODES } from "../errors.ts";
import { runGateway } from "../main.ts";
import type { CliIo } from "./output.ts";

export const usage = `Usage: smsgw start [options]

Runs the gateway until it is told to stop. SIGTERM drains, a second one stops at once; SIGHUP
reads the configuration again and takes over what can change live, or nothing if it has a mistake.

Options:
  -c, --config FILE  configuration (smsgw.yaml)
  --respawn          start it again after a crash, with backoff
`;

/** A run that lasted so long was healthy: the backoff starts anew. */
const HEALTHY_MS = 60_000;
const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 30_000;

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      respawn: { type: "boolean", default: false },
    },
  });
  const path = resolve(io.cwd, values.config);
  const load = (): GatewayConfig => loadConfig(path, io.env, io.readFile);
  const config = load();
  if (values.respawn) return await respawn(path, io);
  // Threads and kept-alive connections would hold the event loop open; everything is on disk by
  // now.
  process.exit(await runGateway(config, load));
}

/**
 * Keeps a gateway running in a child process; returns its code when it ends in order or cannot
 * start.
 */
async function respawn(path: string, io: CliIo): Promise<number> {
  const entry = fileURLToPath(new URL("./smsgw.js", import.meta.url));
  let backoffMs = BACKOFF_MS_MIN;
  let isStopping = false;
  for (;;) {
    const startedAt = io.wallMs();
    const child = fork(entry, ["start", "-c", path], { stdio: "inherit" });
    const forward = (signal: NodeJS.Signals): void => {
      isStopping = true;
      child.kill(signal);
    };
    const reload = (): void => void child.kill("SIGHUP");
    process.on("SIGTERM", forward).on("SIGINT", forward).on("SIGHUP", reload);
    const code = await new Promise<number | null>((done) => child.on("exit", done));
    process.off("SIGTERM", forward).off("SIGINT", forward).off("SIGHUP", reload);
    const isCrash = code === null || code === EXIT_CODES.invariant.code;
    if (isStopping || !isCrash) return code ?? EXIT_CODES.failure.code;
    if (io.wallMs() - startedAt > HEALTHY_MS) backoffMs = BACKOFF_MS_MIN;
    io.stderr(
      `smsgw start: the gateway ended with ${code ?? "a signal"}, again in ${backoffMs} ms\n`,
    );
    await new Promise((done) => setTimeout(done, backoffMs));
    backoffMs = Math.min(BACKOFF_MS_MAX, backoffMs * 2);
  }
}
