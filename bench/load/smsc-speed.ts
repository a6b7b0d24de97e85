/**
 * How many submit_sm a second the operator simulator answers on one core, so that we know what it
 * cannot limit.
 *
 *   worker thread: raw sender, S sockets, prebuilt PDUs, window W  ──TCP──►  main thread: startSmsc
 *
 *   node dist/bench/load/smsc-speed.js [--seconds 5] [--sessions 2] [--window 2000] [--text-bytes
 *   40] [--receipts]
 *
 * Prints one JSON line. The figure counts answers that the sender has read. For information:
 * asserts nothing.
 */
import { cpus } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { readFlags } from "../../test/support/flags.ts";
import { startSmsc } from "../../src/smsc/server.ts";
import { RawSender, type SenderPlan, submitPdu } from "./raw-sender.ts";

interface Plan extends SenderPlan {
  readonly seconds: number;
  readonly sessions: number;
}

interface Outcome {
  readonly answered: number;
  readonly receipts: number;
  readonly elapsedMs: number;
  readonly senderCpuMs: number;
}

const WARM_UP_MS = 1000;

function send(plan: Plan): void {
  const senders = Array.from({ length: plan.sessions }, () => new RawSender(plan));
  const sum = (of: (sender: RawSender) => number): number =>
    senders.reduce((total, sender) => total + of(sender), 0);
  setTimeout(() => {
    const answered = sum((sender) => sender.answered);
    const receipts = sum((sender) => sender.receipts);
    const startMs = performance.now();
    const utilization = performance.eventLoopUtilization();
    setTimeout(() => {
      const outcome: Outcome = {
        answered: sum((sender) => sender.answered) - answered,
        receipts: sum((sender) => sender.receipts) - receipts,
        elapsedMs: performance.now() - startMs,
        senderCpuMs: performance.eventLoopUtilization(utilization).active,
      };
      for (const sender of senders) sender.stop();
      parentPort?.postMessage(outcome);
    }, plan.seconds * 1000);
  }, WARM_UP_MS);
}

async function measure(): Promise<void> {
  const { values } = readFlags({
    options: {
      seconds: { type: "string", default: "5" },
      sessions: { type: "string", default: "2" },
      window: { type: "string", default: "2000" },
      "text-bytes": { type: "string", default: "40" },
      receipts: { type: "boolean", default: false },
      log: { type: "string" },
    },
  });
  const smsc = await startSmsc({
    port: 0,
    seed: 1,
    receiptWindow: 1000,
    logFile: values.log ?? null,
  });
  const plan: Plan = {
    port: smsc.port,
    seconds: Number(values.seconds),
    sessions: Number(values.sessions),
    window: Number(values.window),
    textBytes: Number(values["text-bytes"]),
    hasReceipts: values.receipts,
    encodesEach: false,
  };
  const worker = new Worker(new URL(import.meta.url), { workerData: plan });
  const busyBefore = performance.eventLoopUtilization();
  const outcome = await new Promise<Outcome>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  const busy = performance.eventLoopUtilization(busyBefore).utilization;
  await worker.terminate();
  const stats = await smsc.close();
  const seconds = outcome.elapsedMs / 1000;
  const result = {
    bench: "smsc-speed",
    submits_per_s: Math.round(outcome.answered / seconds),
    receipts_per_s: Math.round(outcome.receipts / seconds),
    pdu_bytes: submitPdu(plan).length,
    sessions: plan.sessions,
    window: plan.window,
    smsc_loop_busy: Number(busy.toFixed(2)),
    sender_loop_busy: Number((outcome.senderCpuMs / outcome.elapsedMs).toFixed(2)),
    submits_seen: stats.submits,
    protocol_errors: stats.protocolErrorCount,
    rss_mb: Math.round(process.memoryUsage().rss / 1048576),
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

if (isMainThread) await measure();
else send(workerData as Plan);
