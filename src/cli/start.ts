/**
 * `smsgw start`: runs the gateway in the foreground.
 *
 * SIGTERM or SIGINT drains: no new requests, windows finished, everything on disk, exit 0; a second
 * one stops at once, which loses nothing either. With --respawn a parent process starts it again
 * after a crash, with backoff.
 */
import { type ChildProcess, fork } from "node:child_process";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { GatewayConfig } from "../config/types.ts";
import { EXIT_CODES } from "../errors.ts";
import { ReloadSignal } from "../workers/reload-signal.ts";
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
  const reloadSignal = new ReloadSignal();
  const { values } = parseArgs({
    args,
    options: {
      config: { type: "string", short: "c", default: "smsgw.yaml" },
      respawn: { type: "boolean", default: false },
    },
  });
  const path = resolve(io.cwd, values.config);
  // The gateway is some hundred files: a SIGHUP while they load must find its listener.
  const { loadConfig } = await import("../config/parse.ts");
  const load = (): GatewayConfig => loadConfig(path, io.env, io.readFile);
  const config = load();
  if (values.respawn) return await respawn(path, io, reloadSignal);
  const { runGateway } = await import("../main.ts");
  // Threads and kept-alive connections would hold the event loop open; everything is on disk by
  // now.
  process.exit(await runGateway(config, load, reloadSignal));
}

/**
 * Keeps a gateway running in a child process; returns its code when it ends in order or cannot
 * start. Between two children SIGTERM ends it, and a SIGHUP asks for nothing: the next child reads
 * the configuration anyway.
 */
async function respawn(path: string, io: CliIo, reloadSignal: ReloadSignal): Promise<number> {
  const entry = fileURLToPath(new URL("./smsgw.js", import.meta.url));
  const stopping = new AbortController();
  let child: ChildProcess | null = null;
  const stop = (signal: NodeJS.Signals): void => {
    stopping.abort();
    child?.kill(signal);
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  reloadSignal.onSignal(() => void child?.kill("SIGHUP"));
  let backoffMs = BACKOFF_MS_MIN;
  for (;;) {
    const startedAt = io.wallMs();
    const started = fork(entry, ["start", "-c", path], { stdio: "inherit" });
    child = started;
    const code = await new Promise<number | null>((done) => started.on("exit", done));
    const signal = started.signalCode;
    child = null;
    // A child that was told to end before any code of ours ran there.
    if (stopping.signal.aborted && (signal === "SIGTERM" || signal === "SIGINT")) {
      return EXIT_CODES.ok.code;
    }
    const isCrash = code === null || code === EXIT_CODES.invariant.code;
    if (stopping.signal.aborted || !isCrash) return code ?? EXIT_CODES.failure.code;
    if (io.wallMs() - startedAt > HEALTHY_MS) backoffMs = BACKOFF_MS_MIN;
    io.stderr(
      `smsgw start: the gateway ended with ${code ?? "a signal"}, again in ${backoffMs} ms\n`,
    );
    await sleep(backoffMs, null, { signal: stopping.signal }).catch(() => null);
    if (stopping.signal.aborted) return code ?? EXIT_CODES.failure.code;
    backoffMs = Math.min(BACKOFF_MS_MAX, backoffMs * 2);
  }
}
