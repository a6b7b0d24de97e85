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
import { connect, type Socket } from "node:net";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import {
  COMMAND_ID,
  encodeBind,
  encodeDeliverSmResp,
  encodeSm,
  HEADER_LENGTH,
  NEED_MORE,
  readCommandId,
  readFrame,
  readSequenceNumber,
  resetSmView,
  SmView,
  writeUint32,
} from "../../src/codec/index.ts";
import { startSmsc } from "../../src/smsc/server.ts";

interface Plan {
  readonly port: number;
  readonly seconds: number;
  readonly sessions: number;
  readonly window: number;
  readonly textBytes: number;
  readonly hasReceipts: boolean;
}

interface Outcome {
  readonly answered: number;
  readonly receipts: number;
  readonly elapsedMs: number;
  readonly senderCpuMs: number;
}

/** submit_sm written at once, at most a whole window. */
const BATCH = 250;
const WARM_UP_MS = 1000;

/** One socket that keeps its window full until told to stop. */
class RawSender {
  answered = 0;
  receipts = 0;
  readonly #socket: Socket;
  readonly #batch: Uint8Array;
  readonly #pduLength: number;
  readonly #window: number;
  readonly #batchCount: number;
  #rest: Uint8Array = new Uint8Array(0);
  #sequence = 1;
  #outstanding = 0;
  #isStopped = false;
  #replies = Buffer.alloc(1 << 20);
  #repliesUsed = 0;

  constructor(plan: Plan) {
    const pdu = submitPdu(plan);
    this.#pduLength = pdu.length;
    this.#window = plan.window;
    const batchCount = Math.min(BATCH, plan.window);
    this.#batchCount = batchCount;
    this.#batch = new Uint8Array(pdu.length * batchCount);
    for (let i = 0; i < batchCount; i++) this.#batch.set(pdu, i * pdu.length);
    this.#socket = connect({ port: plan.port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("connect", () => this.#bind());
  }

  #bind(): void {
    const out = new Uint8Array(256);
    const bind = {
      systemId: "speed",
      password: "speed",
      systemType: "",
      interfaceVersion: 0x34,
      addrTon: 0,
      addrNpi: 0,
      addressRange: "",
    };
    const length = encodeBind(COMMAND_ID.bind_transceiver, out, 0, this.#sequence++, bind);
    this.#socket.write(out.subarray(0, length));
  }

  stop(): void {
    this.#isStopped = true;
    this.#socket.destroy();
  }

  #read(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) bytes = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    this.#repliesUsed = 0;
    while (at < bytes.length) {
      const length = readFrame(bytes, at, bytes.length);
      if (length === NEED_MORE) break;
      const commandId = readCommandId(bytes, at);
      if (commandId === COMMAND_ID.submit_sm_resp) {
        this.answered++;
        this.#outstanding--;
      } else if (commandId === COMMAND_ID.deliver_sm) {
        this.receipts++;
        this.#repliesUsed += encodeDeliverSmResp(
          this.#replies,
          this.#repliesUsed,
          0,
          readSequenceNumber(bytes, at),
        );
      }
      at += length;
    }
    this.#rest = Buffer.from(bytes.subarray(at));
    if (this.#isStopped) return;
    if (this.#repliesUsed > 0) {
      this.#socket.write(Buffer.from(this.#replies.subarray(0, this.#repliesUsed)));
    }
    this.#fill();
  }

  #fill(): void {
    const count = this.#batchCount;
    while (this.#outstanding + count <= this.#window && !this.#socket.writableNeedDrain) {
      for (let i = 0; i < count; i++) {
        writeUint32(this.#batch, i * this.#pduLength + HEADER_LENGTH - 4, this.#sequence++);
      }
      this.#outstanding += count;
      this.#socket.write(Buffer.from(this.#batch));
    }
  }
}

function submitPdu(plan: Plan): Uint8Array {
  const fields = new TextEncoder().encode(`ACME447700900123${"x".repeat(plan.textBytes)}`);
  const view = new SmView();
  resetSmView(view, fields);
  view.sourceAddrTon = 5;
  view.sourceAddrEnd = view.destinationAddrStart = 4;
  view.destAddrTon = 1;
  view.destAddrNpi = 1;
  view.destinationAddrEnd = view.shortMessageStart = 16;
  view.shortMessageEnd = view.tlvStart = view.tlvEnd = fields.length;
  view.registeredDelivery = plan.hasReceipts ? 1 : 0;
  const out = new Uint8Array(512);
  const length = encodeSm(COMMAND_ID.submit_sm, out, 0, 1, view, null, 0);
  return out.subarray(0, length);
}

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
  const { values } = parseArgs({
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
