/**
 * Shared memory of one simulated process: as src/workers/shared-memory.ts lays it, with rings small
 * enough to fill, and every publication watched.
 */
import { JournalAppender } from "../../src/journal/appender.ts";
import type { AppenderEnd } from "../../src/journal/journal.ts";
import type { DerivedLink } from "../../src/config/derive.ts";
import { allocateContract, restAll } from "../../src/limit/contract.ts";
import { allocateMetrics, MetricBlock } from "../../src/metrics/block.ts";
import { Doorbell, DoorbellOwner } from "../../src/ring/doorbell.ts";
import { allocateRing, ringUsedBytes } from "../../src/ring/layout.ts";
import { RingConsumer, RingMemory, type RingProducer } from "../../src/ring/one-to-one-ring.ts";
import { allocateCreditTable, CreditTable } from "../../src/tables/credit-table.ts";
import { allocateQueueTable, QueueTable } from "../../src/tables/queue-table.ts";
import { allocateIdempotency, IdempotencyTable } from "../../src/tables/idempotency-table.ts";
import { allocateDials, allocateRows } from "../../src/tables/link-table.ts";
import { allocateSessions } from "../../src/tables/session-notes.ts";
import { allocateLogTable, LogTable } from "../../src/tables/log-table.ts";
import {
  appenderCount,
  bucketWordCount,
  producerCount,
  type SharedPlan,
  threadCount,
} from "../../src/tables/plan.ts";
import { allocateBells, allocateInHand, bellIndex } from "../../src/tables/thread-table.ts";
import type { RunSettings } from "./configuration.ts";
import type { Effects } from "./effects.ts";
import { WatchedRingProducer } from "./watched-ring.ts";

/** Wraps the writing end of a notice ring; a canary may replace it. */
export type NoticeTap = (appender: number, notices: RingProducer) => RingProducer;

/** Greatest rate that a link may come to have. */
const RATE_MAX = 400;

export class ProcessMemory {
  readonly plan: SharedPlan;
  readonly logTable: LogTable;
  readonly credits: CreditTable;
  readonly queues: QueueTable;
  readonly linkWords: Int32Array;
  readonly dialWords = new Int32Array(allocateDials());
  readonly sessionWords: Int32Array;
  /** By linkIndex. */
  readonly contracts: readonly Int32Array[];
  readonly bucketWords: Int32Array;
  readonly inHand: Float64Array;
  readonly keys: IdempotencyTable;
  readonly #staging: SharedArrayBuffer[];
  readonly #notices: SharedArrayBuffer[];
  readonly #submit: SharedArrayBuffer[][];
  readonly #returns: SharedArrayBuffer[][];
  readonly #bells: Int32Array;
  readonly #metrics: SharedArrayBuffer;
  readonly #effects: Effects;
  readonly #wake: (thread: number) => void;

  /** Tokens rest until `restUntilMs`; `wake` is told whose bell is rung. */
  constructor(
    plan: SharedPlan,
    links: readonly DerivedLink[],
    settings: RunSettings,
    effects: Effects,
    restUntilMs: number,
    wake: (thread: number) => void,
  ) {
    const producers = producerCount(plan);
    const appenders = appenderCount(plan);
    const threads = threadCount(plan);
    const ring = (bytes: number) => () => allocateRing(bytes);
    this.plan = plan;
    this.#effects = effects;
    this.#wake = wake;
    this.#staging = times(appenders, ring(settings.stagingBytes));
    this.#notices = times(appenders, ring(settings.noticeBytes));
    this.#submit = times(producers, () => times(plan.workerCount, ring(settings.handOverBytes)));
    this.#returns = times(plan.workerCount, () => times(producers, ring(settings.handOverBytes)));
    this.logTable = new LogTable(allocateLogTable(producers));
    this.credits = new CreditTable(allocateCreditTable(plan), plan);
    this.queues = new QueueTable(allocateQueueTable(plan), plan);
    this.linkWords = new Int32Array(allocateRows(plan.linkCount));
    this.sessionWords = new Int32Array(allocateSessions(plan.sessionCount));
    const rates = new Map(links.map(({ linkIndex, config }) => [linkIndex, config.rateTps]));
    this.contracts = Array.from({ length: plan.linkCount }, (_, linkIndex) => {
      const count = rates.get(linkIndex) ?? 0;
      const tokens = new Int32Array(allocateContract(Math.max(count, RATE_MAX)));
      restAll(tokens, count, restUntilMs);
      return tokens;
    });
    this.bucketWords = new Int32Array(bucketWordCount(plan));
    this.keys = new IdempotencyTable(allocateIdempotency(settings.config.idempotency.keysMax));
    this.inHand = new Float64Array(allocateInHand(threads));
    this.#bells = new Int32Array(allocateBells(threads));
    this.#metrics = allocateMetrics(threads);
  }

  appender(index: number, journalThread: number): JournalAppender {
    return new JournalAppender(
      this.#watched(this.#staging[index], "ring.staging", `appender ${index}`),
      consumer(this.#notices[index]),
      this.bell(journalThread),
    );
  }

  stagingBuffer(index: number): SharedArrayBuffer {
    return this.#staging[index] as SharedArrayBuffer;
  }

  /** Bytes that an appender has staged and the journal has not taken. */
  stagedBytes(index: number): number {
    return ringUsedBytes(this.stagingBuffer(index));
  }

  appenderEnds(tap: NoticeTap): AppenderEnd[] {
    return this.#staging.map((staging, index) => ({
      staging: consumer(staging),
      notices: tap(index, this.#watched(this.#notices[index], "ring.notice", `appender ${index}`)),
      bell: this.bell(index),
    }));
  }

  /** A producer's ends, by worker. */
  submitProducers(producer: number): RingProducer[] {
    return (this.#submit[producer] as SharedArrayBuffer[]).map((buffer, worker) =>
      this.#watched(buffer, "ring.submit", `producer ${producer} worker ${worker}`),
    );
  }

  returnConsumers(producer: number): RingConsumer[] {
    return this.#returns.map((byProducer) => consumer(byProducer[producer]));
  }

  /** A worker's ends, by producer. */
  submitConsumers(worker: number): RingConsumer[] {
    return this.#submit.map((byWorker) => consumer(byWorker[worker]));
  }

  returnProducers(worker: number): RingProducer[] {
    return (this.#returns[worker] as SharedArrayBuffer[]).map((buffer, producer) =>
      this.#watched(buffer, "ring.return", `worker ${worker} producer ${producer}`),
    );
  }

  bell(thread: number): Doorbell {
    return new Doorbell(this.#bells, bellIndex(thread), () => this.#wake(thread));
  }

  bellOwner(thread: number): DoorbellOwner {
    return new DoorbellOwner(this.#bells, bellIndex(thread));
  }

  metrics(thread: number): MetricBlock {
    return new MetricBlock(this.#metrics, thread);
  }

  #watched(
    buffer: SharedArrayBuffer | undefined,
    kind: "ring.staging" | "ring.notice" | "ring.submit" | "ring.return",
    name: string,
  ): WatchedRingProducer {
    return new WatchedRingProducer(buffer as SharedArrayBuffer, this.#effects, kind, name);
  }
}

function consumer(buffer: SharedArrayBuffer | undefined): RingConsumer {
  return new RingConsumer(new RingMemory(buffer as SharedArrayBuffer));
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
