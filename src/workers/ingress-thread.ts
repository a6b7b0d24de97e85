/**
 * Entry of a further ingress thread: its own uWebSockets.js app on the port of the others.
 *
 * It never ends by itself, and never lets an error end it: with an open app that would abort the
 * process. On an error it closes the app and says "broken"; the main thread ends the process.
 */
import { parentPort, workerData } from "node:worker_threads";
import { threadClock } from "./clock.ts";
import { IngressAgent } from "./ingress-agent.ts";
import { threadLog } from "./log.ts";
import { leaveSystemId } from "./thread-cpu.ts";
import type { IngressThreadData, ThreadCommand, ThreadNote } from "./thread-data.ts";
import { LedgerQuestions } from "./ledger-questions.ts";

/** Closed sockets are gone after a turn of the event loop or two. */
const CLOSED_AFTER_MS = 10;

const data = workerData as IngressThreadData;
leaveSystemId(new Int32Array(data.memory.bells), data.producer);

const log = threadLog(`ingress-${data.producer}`, data.config);
process.on("uncaughtException", (error: unknown) => {
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  agent.stop();
  agent.close();
  setTimeout(() => note({ kind: "broken", reason }), CLOSED_AFTER_MS);
});
const clock = threadClock(data.clock);
const agent = new IngressAgent({
  config: data.config,
  pools: data.pools,
  memory: data.memory,
  clock,
  ports: data.ports,
  producer: data.producer,
  epoch: data.epoch,
  questions: new LedgerQuestions(data.queries, clock),
});

parentPort?.on("message", (command: ThreadCommand) => {
  if (command.kind === "listen") {
    const port = agent.listen(command.port, "further");
    note({ kind: "listening", port });
  } else if (command.kind === "listen_for_relay") {
    agent.listenForRelay(command.path);
    note({ kind: "listening", port: 0 });
  } else if (command.kind === "reload_certificates") {
    attempt("reload certificates", () => agent.reloadCertificates());
  } else if (command.kind === "pause") {
    agent.pause();
  } else if (command.kind === "resume") {
    attempt("listen again", () => agent.resume());
  } else if (command.kind === "reload") {
    agent.reload(command.config, command.pools);
    note({ kind: "reloaded" });
  } else if (command.kind === "drain") {
    void agent.drain().then(() => note({ kind: "drained" }));
  } else if (command.kind === "close") {
    agent.close();
    setTimeout(() => note({ kind: "closed" }), CLOSED_AFTER_MS);
  }
});

/** The main thread has done the same already; here it may still fail, and is no reason to end. */
function attempt(operation: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    log.write("error", operation, { cause: (error as Error).message });
  }
}

function note(message: ThreadNote): void {
  parentPort?.postMessage(message);
}
