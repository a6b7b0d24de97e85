/**
 * Entry of the relay thread, which there is only if the configuration asks for what uWebSockets.js
 * cannot do (relay-endpoint.ts): it has the public port, and the ingress threads Unix sockets.
 *
 * An error that nobody took ends the thread, and with it the process.
 */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { EXIT_CODES } from "../errors.ts";
import { relayTls } from "../ingress/http/certificates.ts";
import { relayEndpoint } from "../ingress/http/relay-endpoint.ts";
import { relayThreadIndex } from "../tables/plan.ts";
import { ticksIndex } from "../tables/thread-table.ts";
import { threadClock } from "./clock.ts";
import { threadLog } from "./log.ts";
import { Relay } from "./relay.ts";
import { leaveSystemId } from "./thread-cpu.ts";
import type { ThreadCommand, ThreadData, ThreadNote } from "./thread-data.ts";

const TICK_MS = 250;

const { config, plan, memory, clock: base } = workerData as ThreadData;
const self = relayThreadIndex(plan);
const bells = new Int32Array(memory.bells);
const clock = threadClock(base);
const log = threadLog("relay", config);
const { host, tls, proxyProtocolFrom, threads } = config.http;
const { dataDir } = config.node;
const relay = new Relay({
  trusted: proxyProtocolFrom,
  endpoints: Array.from({ length: threads }, (_, producer) => relayEndpoint(dataDir, producer)),
  tls: () => (tls === null ? null : relayTls(tls, readFileSync)),
  log,
  nowMs: () => clock.monotonicMs(),
});

leaveSystemId(bells, self);
setInterval(() => Atomics.add(bells, ticksIndex(self), 1), TICK_MS);
parentPort?.on("message", (command: ThreadCommand) => {
  if (command.kind === "listen") listen(command.port);
  else if (command.kind === "pause") relay.pause();
  else if (command.kind === "resume") relay.resume();
  else if (command.kind === "reload_certificates") reloadCertificates();
  else if (command.kind === "drain") {
    relay.stopListening();
    note({ kind: "drained" });
  } else if (command.kind === "close") {
    void relay.close().then(() => note({ kind: "closed" }));
  }
});

function listen(port: number): void {
  relay.listen(host, port).then(
    (taken) => note({ kind: "listening", port: taken }),
    (error: Error) => {
      const reason = `cannot listen on ${host}:${port}: ${error.message}`;
      note({ kind: "refused", exitCode: EXIT_CODES.failure.code, reason });
    },
  );
}

/** The main thread has tried the files already; they may have changed since. */
function reloadCertificates(): void {
  try {
    relay.reloadCertificates();
  } catch (error) {
    log.write("error", "reload certificates", { cause: (error as Error).message });
  }
}

function note(message: ThreadNote): void {
  parentPort?.postMessage(message);
}
