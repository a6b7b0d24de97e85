/**
 * How many segments a second one SMPP worker sends and records, with real rings and real sockets,
 * but a journal that commits at once and keeps nothing.
 *
 *   main thread: producer → submit ring → SmppWorker → TCP ──► worker thread: answers each one
 *   reference:   encodeSm → net.Socket, nothing else  → TCP ──► the same, before it in the run
 *
 *   node dist/bench/pipeline/worker.js [--seconds 5] [--sessions 2] [--window 1000] [--rate 0]
 *   [--text-bytes 60] [--parts 1]
 *
 * `--rate` is the contract in segments/s, 0 = unlimited. Prints one JSON line: committed ANSWER
 * records a second, answers a second of the reference over as many sockets with the same window,
 * and their ratio. For information: asserts nothing.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { readFlags } from "../../test/support/flags.ts";
import {
  allocateReferences,
  COMMAND_ID,
  encodeBindResp,
  encodeHeaderOnly,
  readCommandId,
  readFrame,
  readSequenceNumber,
  responseIdOf,
  writeHeader,
} from "../../src/codec/index.ts";
import type { LinkConfig } from "../../src/config/types.ts";
import type { Clock } from "../../src/environment.ts";
import { allocateMetrics, Counter, MetricBlock } from "../../src/metrics/block.ts";
import { Accept, ACCEPT_TYPE, acceptLength } from "../../src/records/accept.ts";
import { HAND_OVER_BYTES, HandOver, PARTS_ALL, SUBMIT_TYPE } from "../../src/records/hand-over.ts";
import { recordMemory } from "../../src/records/memory.ts";
import { allocateRing, RING_FULL } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { nodeDial } from "../../src/smpp/session/node-dial.ts";
import { assignSessions } from "../../src/smpp/plan.ts";
import { SmppWorker } from "../../src/smpp/worker.ts";
import { allocateQueueTable, QueueTable } from "../../src/tables/queue-table.ts";
import { allocateCreditTable, CreditTable } from "../../src/tables/credit-table.ts";
import { allocateContract } from "../../src/limit/contract.ts";
import { allocateDials, allocateRows } from "../../src/tables/link-table.ts";
import { allocateSessions } from "../../src/tables/session-notes.ts";
import { InstantJournal, silentBell } from "./instant-journal.ts";
import { RawSender } from "../load/raw-sender.ts";
import { DEFAULT_PROFILE } from "../../test/support/profile.ts";

const TICK_MS = 5;
const WARM_UP_MS = 1000;
const RING_BYTES = 1 << 22;
const ID = Buffer.from("0123456789\0", "latin1");
const RESP_BYTES = 16 + ID.length;

const clock: Clock = {
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  wallMs: () => Date.now(),
};

function memory(): RingMemory {
  return new RingMemory(allocateRing(RING_BYTES));
}

function acceptRecord(textBytes: number, parts: number): Uint8Array {
  const to = Buffer.from("447700900123");
  const from = Buffer.from("ACME");
  const body = Buffer.alloc(textBytes * parts, 0x61);
  const bytes = new Uint8Array(acceptLength(parts, to.length + from.length + body.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint8(4, ACCEPT_TYPE);
  view.setFloat64(Accept.ACCEPTED_AT, Date.now(), true);
  view.setFloat64(Accept.EXPIRES_AT, Date.now() + 3_600_000, true);
  view.setUint8(Accept.PRIORITY, 1);
  view.setUint8(Accept.DLR, 1);
  view.setUint8(Accept.PART_COUNT, parts);
  view.setUint8(Accept.SOURCE_TON_NPI, 0x50);
  view.setUint8(Accept.TO_LENGTH, to.length);
  view.setUint8(Accept.FROM_LENGTH, from.length);
  view.setUint16(Accept.BODY_LENGTH, body.length, true);
  for (let part = 0; part < parts; part++) {
    view.setUint16(Accept.PART_ENDS + 2 * part, (part + 1) * textBytes, true);
  }
  bytes.set(Buffer.concat([to, from, body]), Accept.PART_ENDS + 2 * parts);
  return bytes;
}

/** Publishes the same message as long as the worker grants it. */
class Producer {
  readonly ring = memory();
  readonly returns = memory();
  readonly #producer = new RingProducer(this.ring);
  readonly #record: Uint8Array;
  readonly #credits: CreditTable;
  #published = 0;

  constructor(record: Uint8Array, credits: CreditTable) {
    this.#record = record;
    this.#credits = credits;
  }

  fill(): void {
    const granted = this.#credits.granted(0, this.#credits.cell(0, 0, 1));
    const { view, bytes } = this.#producer;
    const length = HAND_OVER_BYTES + this.#record.length;
    while (((granted - this.#published) | 0) > 0) {
      const at = this.#producer.claim(length, SUBMIT_TYPE, 1, 0);
      if (at === RING_FULL) break;
      view.setFloat64(at + HandOver.LOG_OFFSET, this.#published * 512, true);
      view.setUint16(at + HandOver.POOL_INDEX, 0, true);
      view.setUint8(at + HandOver.PRIORITY, 1);
      view.setUint8(at + HandOver.ATTEMPT, 1);
      view.setUint16(at + HandOver.PARTS, PARTS_ALL, true);
      view.setUint16(at + HandOver.FLAGS, 0, true);
      view.setUint32(at + HandOver.LINK_ID, 0, true);
      view.setUint32(at + HandOver.APP_INDEX, 0, true);
      bytes.set(this.#record, at + HandOver.ACCEPT);
      this.#published = (this.#published + 1) | 0;
    }
    this.#producer.publish();
  }
}

function link(port: number, over: Partial<LinkConfig>): LinkConfig {
  return {
    id: 1,
    host: "127.0.0.1",
    port,
    tls: null,
    systemId: "bench",
    passwordFile: null,
    password: "bench",
    bind: "transceiver",
    sessions: 1,
    windowMax: 1000,
    rateTps: null,
    apps: null,
    ipAllow: null,
    enquireLinkIntervalMs: 15_000,
    responseTimeoutMs: 30_000,
    profile: "default",
    ambiguous: "by_class",
    ...over,
  };
}

async function measure(): Promise<void> {
  const { values } = readFlags({
    options: {
      seconds: { type: "string", default: "5" },
      sessions: { type: "string", default: "2" },
      window: { type: "string", default: "1000" },
      rate: { type: "string", default: "0" },
      "text-bytes": { type: "string", default: "60" },
      parts: { type: "string", default: "1" },
    },
  });
  const smsc = new Worker(new URL(import.meta.url));
  const [port] = (await once(smsc, "message")) as [number];
  const rate = Number(values.rate);
  const config = link(port, {
    sessions: Number(values.sessions),
    windowMax: Number(values.window),
    rateTps: rate === 0 ? null : rate,
  });
  const rawPerS = await measureRaw(config, Number(values["text-bytes"]), Number(values.seconds));
  const record = acceptRecord(Number(values["text-bytes"]), Number(values.parts));
  const bench = build(config, record);
  const counted = await run(bench, Number(values.seconds) * 1000);
  const ratio = Math.round((1000 * (counted.segmentsPerS ?? 0)) / rawPerS) / 1000;
  console.log(JSON.stringify({ bench: "smpp-worker", ...values, ...counted, rawPerS, ratio }));
  await smsc.terminate();
  process.exit(0);
}

/** Answers a second that bare sockets get from the same server. */
async function measureRaw(
  { port, sessions, windowMax }: LinkConfig,
  textBytes: number,
  seconds: number,
): Promise<number> {
  const plan = { port, window: windowMax, textBytes, hasReceipts: true, encodesEach: true };
  const senders = Array.from({ length: sessions }, () => new RawSender(plan));
  const answered = (): number => senders.reduce((sum, sender) => sum + sender.answered, 0);
  await sleep(WARM_UP_MS);
  const before = answered();
  const startMs = clock.monotonicMs();
  await sleep(seconds * 1000);
  const perS = ((answered() - before) * 1000) / (clock.monotonicMs() - startMs);
  for (const sender of senders) sender.stop();
  return Math.round(perS);
}

interface Bench {
  readonly worker: SmppWorker;
  readonly producer: Producer;
  readonly journal: InstantJournal;
  readonly metrics: MetricBlock;
}

function build(config: LinkConfig, record: Uint8Array): Bench {
  const sessionRows = Array.from({ length: config.sessions }, (_, row) => row);
  const profile = DEFAULT_PROFILE;
  const links = [{ linkIndex: 0, config, sessionRows, profile }];
  const plan = {
    ingressCount: 0,
    workerCount: 1,
    poolCount: 1,
    linkCount: 1,
    sessionCount: config.sessions,
    appCount: 1,
  };
  const credits = new CreditTable(allocateCreditTable(plan), plan);
  const producer = new Producer(record, credits);
  const journal = new InstantJournal();
  const metrics = new MetricBlock(allocateMetrics(1), 0);
  const members = [{ linkIndex: 0, weight: 1 }];
  const worker = new SmppWorker({
    clock,
    random: Math.random,
    dial: nodeDial,
    log: { write: (level, operation, fields) => console.error(level, operation, fields) },
    wake: () => undefined,
    appender: journal.appender(),
    loader: { memory: recordMemory(new Uint8Array(8)), load: () => -1 },
    submits: [new RingConsumer(producer.ring)],
    returns: [new RingProducer(producer.returns)],
    producerBells: [silentBell()],
    credits,
    queueTable: new QueueTable(allocateQueueTable(plan), plan),
    linkWords: new Int32Array(allocateRows(1)),
    dialWords: new Int32Array(allocateDials()),
    sessionWords: new Int32Array(allocateSessions(config.sessions)),
    contracts: [new Int32Array(allocateContract(1))],
    references: allocateReferences(),
    metrics,
    plan: {
      links,
      pools: [
        {
          poolIndex: 0,
          id: 2,
          name: "bench",
          direct: false,
          members,
          profile,
          apps: null,
          ipAllow: null,
        },
      ],
    },
    workerIndex: 0,
    sessions: assignSessions(links, 1)[0] ?? [],
  });
  return { worker, producer, journal, metrics };
}

function run(bench: Bench, forMs: number): Promise<Record<string, number>> {
  const { worker, producer, journal, metrics } = bench;
  const answers = (): number => metrics.read(Counter.segmentsAccepted);
  let startMs = clock.monotonicMs() + WARM_UP_MS;
  let before = -1;
  let cpu = process.cpuUsage();
  let nextTick = 0;
  return new Promise((resolve) => {
    const turn = (): void => {
      const now = clock.monotonicMs();
      if (now >= nextTick) {
        nextTick = now + TICK_MS;
        worker.onTick();
      }
      producer.fill();
      worker.doWork();
      journal.commit();
      if (before < 0 && now >= startMs) {
        startMs = now;
        before = answers();
        cpu = process.cpuUsage();
      }
      if (before >= 0 && now >= startMs + forMs) {
        const count = answers() - before;
        const used = process.cpuUsage(cpu);
        resolve({
          segmentsPerS: Math.round((count * 1000) / (now - startMs)),
          // Of the whole process: the answering thread is in it.
          cpuUsPerSegment: Math.round(((used.user + used.system) * 100) / count) / 100,
          rssMb: Math.round(process.memoryUsage().rss / 1e6),
        });
        return;
      }
      setImmediate(turn);
    };
    turn();
  });
}

/** Answers everything at once, one write per read. */
function answer(socket: Socket): void {
  let rest: Uint8Array = new Uint8Array(0);
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (data) => {
    const bytes = rest.length === 0 ? data : Buffer.concat([rest, data]);
    const out = Buffer.allocUnsafe(RESP_BYTES * (1 + Math.floor(bytes.length / 16)));
    let at = 0;
    let written = 0;
    for (;;) {
      const length = readFrame(bytes, at, bytes.length);
      if (length < 0) break;
      written += answerOne(bytes, at, out, written);
      at += length;
    }
    rest = bytes.subarray(at);
    if (written > 0) socket.write(out.subarray(0, written));
  });
}

function answerOne(bytes: Uint8Array, at: number, out: Buffer, written: number): number {
  const commandId = readCommandId(bytes, at);
  const sequenceNumber = readSequenceNumber(bytes, at);
  if (commandId === COMMAND_ID.submit_sm) {
    writeHeader(out, written, RESP_BYTES, COMMAND_ID.submit_sm_resp, 0, sequenceNumber);
    out.set(ID, written + 16);
    return RESP_BYTES;
  }
  const responseId = responseIdOf(commandId);
  if (commandId === COMMAND_ID.bind_transceiver) {
    return encodeBindResp(responseId, out, written, 0, sequenceNumber, "bench", 0x34);
  }
  return encodeHeaderOnly(responseId, out, written, 0, sequenceNumber);
}

if (isMainThread) {
  await measure();
} else {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1", () => {
    parentPort?.postMessage((server.address() as AddressInfo).port);
  });
}
