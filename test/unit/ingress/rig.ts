/**
 * An ingress with everything it really works with, in one thread: shared memory, a journal over a
 * directory in memory, a loader, a dispatcher, and the workers' ends of the rings. The ledger's
 * words are set by the test.
 */
import { basename } from "node:path";
import { Admission } from "../../../src/ingress/admission/admission.ts";
import { Ingress } from "../../../src/ingress/ingress.ts";
import {
  MessageLookup,
  type LookupAnswer,
  type CancelAnswer,
  type MessageQuery,
} from "../../../src/ingress/calls/message-lookup.ts";
import type { PendingMessage, Ticket } from "../../../src/ingress/calls/pending-messages.ts";
import { slotCounts } from "../../../src/config/slots.ts";
import { derivePools, type PoolPlan } from "../../../src/config/derive.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";
import type { PortSharing } from "../../../src/ingress/http/listener.ts";
import type { UwsTls } from "../../../src/ingress/http/uws.ts";
import { Dispatcher } from "../../../src/dispatch/dispatcher.ts";
import { JournalAppender } from "../../../src/journal/appender.ts";
import { Journal } from "../../../src/journal/journal.ts";
import type { LogDirectory } from "../../../src/journal/log-directory.ts";
import { ChunkedRecordLoader } from "../../../src/journal/record-loader.ts";
import { MetricBlock } from "../../../src/metrics/block.ts";
import type { MessageKey } from "../../../src/records/message-key.ts";
import { Doorbell } from "../../../src/ring/doorbell.ts";
import { RING_EMPTY } from "../../../src/ring/layout.ts";
import type { RingConsumer } from "../../../src/ring/one-to-one-ring.ts";
import { CreditTable } from "../../../src/tables/credit-table.ts";
import { QueueTable } from "../../../src/tables/queue-table.ts";
import { IdempotencyTable } from "../../../src/tables/idempotency-table.ts";
import { LogTable } from "../../../src/tables/log-table.ts";
import type { SharedPlan } from "../../../src/tables/plan.ts";
import {
  allocateSharedMemory,
  ringConsumer,
  ringProducer,
  type SharedMemory,
} from "../../../src/workers/shared-memory.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";

export const SECRET = "a secret of the tests, 32 bytes or more";
export const EPOCH = 7;

export const CONFIG = `
node: { name: gw-1, rate_tps: null }
http: { port: 0, body_bytes_max: 4096 }
admin: { port: 0 }
workers: { count: 2 }
auth: { jwt: { secret_file: secret, audience: smsgw } }
apps:
  - { id: 1, name: demo, rate_tps: null, scopes: [send] }
  - { id: 2, name: pinner, rate_tps: 10, burst: 20, scopes: [send, "route:pin"] }
  - { id: 3, name: elsewhere, rate_tps: null, ip_allow: ["10.0.0.0/8"] }
  - { id: 4, name: closed, rate_tps: 0 }
  - { id: 5, name: reader, rate_tps: null, scopes: [ops] }
links:
  - { id: 100, host: 127.0.0.1, port: 2775, system_id: a, rate_tps: 500 }
  - { id: 101, host: 127.0.0.1, port: 2776, system_id: b, rate_tps: 500 }
pools:
  - { id: 1000, name: main, members: [{ link: 100, weight: 1 }, { link: 101, weight: 1 }] }
routes:
  - { prefix: "998", to: 1000 }
  - { prefix: "7", to: 101 }
journal: { bytes_max: 268435456, segment_bytes: 8388608 }
`;

/** Parses a configuration; every file is the secret, but for those in `files`, by base name. */
export function configOf(
  text: string,
  files: Readonly<Record<string, string>> = {},
): GatewayConfig {
  return parseConfig(text, "/data", {}, (path) => {
    return new TextEncoder().encode(files[basename(path)] ?? SECRET);
  });
}

/** Moves only when the test says so. */
export class RigClock {
  nowMs = 5000;

  monotonicMs(): number {
    return this.nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 10, 22) + this.nowMs;
  }
}

export class CollectingTicket implements Ticket {
  readonly messages: { sequence: number; parts: number; encoding: number; reference: string }[] =
    [];

  accepted(message: PendingMessage): void {
    const { sequence, parts, encoding, reference } = message;
    this.messages.push({ sequence, parts, encoding, reference });
  }
}

/** Idempotency keys that a rig may keep. */
const KEYS_MAX = 1000;

export interface RigOptions {
  /** Of the HTTP server over the rig. */
  readonly tls?: () => UwsTls | null;
  readonly sharing?: PortSharing;
  readonly config?: string;
  /** Contents of files that the configuration names, by base name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly waitingMax?: number;
  readonly pendingMax?: number;
  readonly wake?: () => void;
  readonly refusalsPerSMax?: number;
  /** Where the log is; default the rig's directory in memory. */
  readonly log?: LogDirectory;
}

export class IngressRig {
  readonly config: GatewayConfig;
  readonly pools: PoolPlan;
  readonly plan: SharedPlan;
  readonly memory: SharedMemory;
  readonly clock = new RigClock();
  readonly logTable: LogTable;
  readonly credits: CreditTable;
  readonly queues: QueueTable;
  readonly journal: Journal;
  readonly ingress: Ingress;
  readonly appender: JournalAppender;
  readonly metrics: MetricBlock;
  readonly loader: ChunkedRecordLoader;
  readonly keys: IdempotencyTable;
  /** What the ledger would answer, by sequence. */
  readonly documents = new Map<number, LookupAnswer>();
  /** Who waits for an operator's answer. */
  readonly awaited: { key: MessageKey; done: (answer: LookupAnswer) => void }[] = [];
  /** Who wants a message taken back. */
  readonly cancels: {
    key: MessageKey;
    appId: number;
    done: (answer: CancelAnswer) => void;
  }[] = [];
  readonly submitRings: RingConsumer[];
  readonly directory = new MemoryDirectory();

  constructor(options: RigOptions = {}) {
    const config = configOf(options.config ?? CONFIG, options.files);
    const pools = derivePools(config);
    const plan: SharedPlan = {
      ingressCount: 1,
      workerCount: 2,
      ...slotCounts(config, pools),
    };
    const memory = allocateSharedMemory(plan, KEYS_MAX);
    const words = new Int32Array(new SharedArrayBuffer(4));
    const bell = new Doorbell(words, 0, () => undefined);
    const directory = options.log ?? this.directory;
    this.config = config;
    this.pools = pools;
    this.plan = plan;
    this.memory = memory;
    this.logTable = new LogTable(memory.log);
    this.credits = new CreditTable(memory.credits, plan);
    this.queues = new QueueTable(memory.queues, plan);
    this.metrics = new MetricBlock(memory.metrics, 0);
    this.keys = new IdempotencyTable(memory.idempotency);
    const appenders = memory.staging.map((staging, i) => ({
      staging: ringConsumer(staging),
      notices: ringProducer(memory.notices[i]),
      bell,
    }));
    this.journal = new Journal(
      {
        directory,
        appenders,
        ledgerBell: bell,
        logTable: this.logTable,
        clock: this.clock,
        metrics: new MetricBlock(memory.metrics, 4),
      },
      {
        durability: "disk",
        segmentBytes: config.journal.segmentBytes,
        blockBytesMax: 1 << 20,
        epoch: EPOCH,
        nextOffset: 0,
        nextNumber: 1,
      },
    );
    this.appender = new JournalAppender(
      ringProducer(memory.staging[0]),
      ringConsumer(memory.notices[0]),
      bell,
    );
    this.submitRings = [0, 1].map((worker) => ringConsumer(memory.submit[0]?.[worker]));
    this.loader = new ChunkedRecordLoader(directory, this.logTable, null);
    const query: MessageQuery = {
      getMessage: (key: MessageKey, _appId, done) => done(this.documents.get(key.sequence) ?? null),
      cancel: (key, appId, done) => this.cancels.push({ key, appId, done }),
      awaitAnswer: (key: MessageKey, _appId, _waitMs, done) => this.awaited.push({ key, done }),
    };
    this.ingress = new Ingress({
      ...this.admissionOptions(),
      dispatcherOf: (owner) =>
        new Dispatcher({
          producer: 0,
          plan,
          credits: this.credits,
          queues: this.queues,
          submitRings: [0, 1].map((worker) => ringProducer(memory.submit[0]?.[worker])),
          returnRings: [0, 1].map((worker) => ringConsumer(memory.returns[worker]?.[0])),
          bells: [bell, bell],
          waitingMax: options.waitingMax ?? 1000,
          owner,
          links: { linkIndexOf: () => -1 },
        }),
      loader: this.loader,
      lookup: new MessageLookup({
        query,
        logTable: this.logTable,
        clock: this.clock,
        epoch: EPOCH,
        producerCount: 2,
        onWaiting: options.wake ?? (() => undefined),
      }),
      producerWords: new Int32Array(memory.producers),
      wake: options.wake ?? (() => undefined),
      refusalsPerSMax: options.refusalsPerSMax ?? 0,
      pendingMax: options.pendingMax ?? 256,
    });
  }

  admissionOptions() {
    return {
      producer: 0,
      epoch: EPOCH,
      clock: this.clock,
      referencePromises: this.memory.referencePromises,
      ingressCount: 1,
      othersPendingBytes: () => 0,
      appender: this.appender,
      logTable: this.logTable,
      bucketWords: new Int32Array(this.memory.apps),
      keys: this.keys,
      metrics: this.metrics,
      journalBytesMax: this.config.journal.bytesMax,
      pools: this.pools,
    };
  }

  /** An admission of its own on the same memory. */
  admission(): Admission {
    return new Admission(this.admissionOptions(), () => this.ingress.dispatcher);
  }

  /** An admission whose staging ring has no room left. */
  admissionWithFullStaging(): Admission {
    while (this.appender.claim(8192, 2) >= 0);
    while (this.appender.claim(64, 2) >= 0);
    return this.admission();
  }

  /** Lets ingress and journal work until nothing moves. */
  settle(): void {
    for (let idle = 0; idle < 2; ) {
      const moved = this.ingress.doWork() + this.journal.doWork();
      idle = moved === 0 ? idle + 1 : 0;
    }
  }

  /** Messages that the workers found on their rings: log offsets. */
  submitted(): number[] {
    const offsets: number[] = [];
    for (const ring of this.submitRings) {
      for (let at = ring.next(); at !== RING_EMPTY; at = ring.next()) {
        offsets.push(ring.view.getFloat64(at + 8, true));
      }
      ring.release();
    }
    return offsets;
  }

  grant(worker: number, poolIndex: number, count: number): void {
    for (let priority = 0; priority < 4; priority++) {
      const cell = this.credits.cell(worker, poolIndex, priority);
      this.credits.grant(0, cell, this.credits.granted(0, cell) + count);
    }
    this.credits.setWeight(worker, poolIndex, 1);
  }
}
