/**
 * One or several workers with everything around them, on a simulated clock: rings, journal in
 * memory, credits, SMSC.
 *
 *   step: events of sockets → tick → doWork of each worker → commit (unless held) → time moves on
 */
import assert from "node:assert/strict";
import { allocateReferences } from "../../../src/codec/index.ts";
import { Dispatcher } from "../../../src/dispatch/dispatcher.ts";
import type { DerivedLink, DerivedPool } from "../../../src/config/derive.ts";
import type { ProfileConfig } from "../../../src/config/profile-types.ts";
import type { LinkConfig } from "../../../src/config/types.ts";
import type { Clock, Dial, Log, LogLevel } from "../../../src/environment.ts";
import { allocateMetrics, Counter, MetricBlock } from "../../../src/metrics/block.ts";
import { Attempt } from "../../../src/records/attempt.ts";
import {
  HAND_OVER_BYTES,
  HandOver,
  PARTS_ALL,
  SUBMIT_REFERENCE_TYPE,
  SUBMIT_TYPE,
} from "../../../src/records/hand-over.ts";
import { DlrMode, RecordType } from "../../../src/records/types.ts";
import { Doorbell } from "../../../src/ring/doorbell.ts";
import { allocateRing, RING_EMPTY, RING_FULL } from "../../../src/ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../../../src/ring/one-to-one-ring.ts";
import { assignSessions } from "../../../src/smpp/plan.ts";
import type { SharedPlan } from "../../../src/tables/plan.ts";
import { SmppWorker } from "../../../src/smpp/worker.ts";
import { allocateCreditTable, CreditTable } from "../../../src/tables/credit-table.ts";
import { allocateQueueTable, QueueTable } from "../../../src/tables/queue-table.ts";
import { allocateContract } from "../../../src/limit/contract.ts";
import {
  allocateDials,
  allocateRows,
  LinkWord,
  rowWord,
  SessionWord,
} from "../../../src/tables/link-table.ts";
import { allocateSessions } from "../../../src/tables/session-notes.ts";
import { DEFAULT_PROFILE } from "../../support/profile.ts";
import { type AcceptFields, acceptRecord } from "./accept-record.ts";
import { FakeSmsc } from "./fake-smsc.ts";
import { MemoryJournal } from "./memory-journal.ts";

export const WALL_START = Date.UTC(2026, 0, 5);

export interface WorldOptions {
  links?: Partial<LinkConfig>[];
  /** By link; the default profile where there is none. */
  profiles?: ProfileConfig[];
  pools?: { members: { linkIndex: number; weight: number }[] }[];
  workers?: number;
  producers?: number;
  /** Apps whose messages a dispatcher may let wait: indexes below this. */
  apps?: number;
  stagingBytes?: number;
  returnBytes?: number;
  sequenceNumberFirst?: number;
  /** Simulated ms per step; 0: whoever steps it moves `nowMs`. */
  stepMs?: number;
  /** Instead of the fake SMSC's: a real network, say. */
  dial?: Dial;
  onStalled?: (linkId: number) => void;
  /** Instead of `randomValue`. */
  random?: () => number;
}

export interface SubmitOptions extends Partial<AcceptFields> {
  worker?: number;
  producer?: number;
  poolIndex?: number;
  attempt?: number;
  flags?: number;
  linkId?: number;
  appIndex?: number;
  concatReference?: number;
  partsToSend?: number;
  asReference?: boolean;
  text?: string;
}

/** One record about an attempt, as the ledger would read it. */
export interface AttemptRecord {
  type: "SENDING" | "ANSWER" | "AMBIGUOUS";
  sequence: number;
  part: number;
  attempt: number;
  flags: number;
  linkId: number;
  session: number;
  outcome: number;
  status: number;
  retryAfterMs: number;
  smscId: string;
  concatReference: number;
}

export interface ReturnRecord {
  logOffset: number;
  poolIndex: number;
  priority: number;
  attempt: number;
  parts: number;
  flags: number;
  linkId: number;
  appIndex: number;
  concatReference: number;
}

const ATTEMPT_TYPES: Readonly<Record<number, AttemptRecord["type"]>> = {
  [RecordType.SENDING]: "SENDING",
  [RecordType.ANSWER]: "ANSWER",
  [RecordType.AMBIGUOUS]: "AMBIGUOUS",
};

export function linkConfig(index: number, over: Partial<LinkConfig>): LinkConfig {
  return {
    id: 100 + index,
    host: `smsc-${index}`,
    port: 2775 + index,
    tls: null,
    systemId: "esme",
    passwordFile: null,
    password: "secret",
    bind: "transceiver",
    sessions: 1,
    windowMax: 100,
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

/** Rate that a link may have after a reload. */
const RATE_MAX = 1000;
/** Rows and slots beyond what a world starts with. */
const SPARE = 8;

/** A pool of these links. */
export function poolOf(
  poolIndex: number,
  members: readonly { linkIndex: number; weight: number }[],
): DerivedPool {
  return {
    poolIndex,
    id: 10 + poolIndex,
    name: `pool-${poolIndex}`,
    direct: false,
    members,
    profile: DEFAULT_PROFILE,
    apps: null,
    ipAllow: null,
  };
}

export class World {
  readonly clock: Clock;
  readonly journal = new MemoryJournal();
  readonly smsc: FakeSmsc;
  readonly workers: SmppWorker[] = [];
  readonly links: DerivedLink[];
  readonly pools: DerivedPool[];
  readonly credits: CreditTable;
  readonly queues: QueueTable;
  readonly linkWords: Int32Array;
  readonly dialWords = new Int32Array(allocateDials());
  readonly sessionWords: Int32Array;
  readonly contracts: Int32Array[];
  readonly references = allocateReferences();
  /** By worker: the word that names the record in hand. */
  readonly inHand: Float64Array[] = [];
  readonly metrics: MetricBlock[] = [];
  readonly logs: { level: LogLevel; operation: string; fields: Record<string, unknown> }[] = [];
  /** What `random` gives; tests set it. */
  randomValue = 0.5;
  /** The journal commits nothing while this is set. */
  isJournalHeld = false;
  nowMs = 1_000_000;
  bellRings = 0;
  readonly sessionCount: number;
  readonly #stepMs: number;
  readonly #plan: SharedPlan;
  readonly #submits: RingProducer[][] = [];
  readonly #returns: RingConsumer[][] = [];
  readonly #parsed: AttemptRecord[] = [];
  #parsedCount = 0;
  #sequence = 1;
  #lastTick = 0;

  constructor(options: WorldOptions = {}) {
    const linkOptions = options.links ?? [{}];
    let rows = 0;
    this.links = linkOptions.map((over, linkIndex) => {
      const config = linkConfig(linkIndex, over);
      const sessionRows = Array.from({ length: config.sessions }, () => rows++);
      const profile = options.profiles?.[linkIndex] ?? DEFAULT_PROFILE;
      return { linkIndex, config, sessionRows, profile };
    });
    const poolOptions = options.pools ?? [{ members: [{ linkIndex: 0, weight: 1 }] }];
    this.pools = poolOptions.map((pool, poolIndex) => poolOf(poolIndex, pool.members));
    this.sessionCount = rows;
    this.clock = {
      monotonicMs: () => this.nowMs,
      wallMs: () => WALL_START + this.nowMs,
    };
    this.smsc = new FakeSmsc(() => this.nowMs);
    this.#stepMs = options.stepMs ?? 1;
    const workerCount = options.workers ?? 1;
    const producers = options.producers ?? 1;
    const plan = {
      ingressCount: producers - 1,
      workerCount,
      poolCount: this.pools.length + SPARE,
      linkCount: this.links.length + SPARE,
      sessionCount: rows + SPARE,
      appCount: options.apps ?? 1,
    };
    this.#plan = plan;
    this.credits = new CreditTable(allocateCreditTable(plan), plan);
    this.queues = new QueueTable(allocateQueueTable(plan), plan);
    this.linkWords = new Int32Array(allocateRows(plan.linkCount));
    this.sessionWords = new Int32Array(allocateSessions(plan.sessionCount));
    this.contracts = Array.from({ length: plan.linkCount }, (_, linkIndex) => {
      const config = this.links[linkIndex]?.config;
      return new Int32Array(allocateContract(Math.max(config?.rateTps ?? 0, RATE_MAX)));
    });
    const assigned = assignSessions(this.links, workerCount);
    for (let worker = 0; worker < workerCount; worker++) {
      this.#addWorker(worker, producers, options, assigned[worker]!);
    }
  }

  #addWorker(
    worker: number,
    producers: number,
    options: WorldOptions,
    sessions: ReturnType<typeof assignSessions>[number],
  ): void {
    const submits = Array.from({ length: producers }, () => new RingMemory(allocateRing(1 << 20)));
    const returns = Array.from(
      { length: producers },
      () => new RingMemory(allocateRing(options.returnBytes ?? 1 << 16)),
    );
    this.#submits.push(submits.map((memory) => new RingProducer(memory)));
    this.#returns.push(returns.map((memory) => new RingConsumer(memory)));
    const metrics = new MetricBlock(allocateMetrics(1), 0);
    this.metrics.push(metrics);
    const inHand = Float64Array.of(-1);
    this.inHand.push(inHand);
    const bellWord = new Int32Array(new SharedArrayBuffer(4)).fill(1);
    const log: Log = {
      write: (level, operation, fields = {}) => {
        this.logs.push({ level, operation, fields });
      },
    };
    this.workers.push(
      new SmppWorker({
        clock: this.clock,
        random: options.random ?? (() => this.randomValue),
        dial: options.dial ?? this.smsc.dial,
        log,
        wake: () => undefined,
        appender: this.journal.appender(options.stagingBytes ?? 1 << 20),
        loader: this.journal,
        submits: submits.map((memory) => new RingConsumer(memory)),
        returns: returns.map((memory) => new RingProducer(memory)),
        producerBells: submits.map(
          () =>
            new Doorbell(bellWord, 0, () => {
              this.bellRings++;
              Atomics.store(bellWord, 0, 1);
            }),
        ),
        credits: this.credits,
        queueTable: this.queues,
        linkWords: this.linkWords,
        dialWords: this.dialWords,
        sessionWords: this.sessionWords,
        contracts: this.contracts,
        references: this.references,
        metrics,
        inHand,
        plan: { links: this.links, pools: this.pools },
        workerIndex: worker,
        sessions,
        onStalled: options.onStalled ?? (() => undefined),
        ...(options.sequenceNumberFirst === undefined
          ? {}
          : { sequenceNumberFirst: options.sequenceNumberFirst }),
      }),
    );
  }

  /** Every worker goes over to another plan, of links and pools by index. */
  reload(links: readonly DerivedLink[], pools: readonly DerivedPool[]): void {
    const assigned = assignSessions(links, this.workers.length);
    for (const [index, worker] of this.workers.entries()) {
      worker.reload({ links, pools }, assigned[index]!);
    }
  }

  get worker(): SmppWorker {
    return this.workers[0]!;
  }

  counter(name: keyof typeof Counter): number {
    return this.metrics.reduce((sum, block) => sum + block.read(Counter[name]), 0);
  }

  /** One step of the world; time moves on at its end. */
  step(): void {
    this.smsc.runEvents();
    if (this.nowMs - this.#lastTick >= 5) {
      this.#lastTick = this.nowMs;
      for (const worker of this.workers) worker.onTick();
    }
    for (const worker of this.workers) worker.doWork();
    if (!this.isJournalHeld) this.journal.commit();
    this.nowMs += this.#stepMs;
  }

  /** Runs for `ms` of simulated time. */
  run(ms: number): void {
    const end = this.nowMs + ms;
    while (this.nowMs < end) this.step();
  }

  /** Runs until `done`, or fails after `ms` of simulated time. */
  runUntil(done: () => boolean, ms = 10_000): void {
    const end = this.nowMs + ms;
    while (!done()) {
      assert.ok(this.nowMs < end, "it did not come to that in time");
      this.step();
    }
  }

  /** Brings all sessions up. */
  bindAll(): void {
    this.runUntil(() => this.boundCount() === this.sessionCount, 60_000);
  }

  boundCount(): number {
    let count = 0;
    for (let row = 0; row < this.sessionCount; row++) {
      if (this.sessionWord(row, SessionWord.STATE) === 3) count++;
    }
    return count;
  }

  sessionWord(row: number, word: number): number {
    return Atomics.load(this.sessionWords, rowWord(row, word));
  }

  linkWord(row: number, word: (typeof LinkWord)[keyof typeof LinkWord]): number {
    return Atomics.load(this.linkWords, rowWord(row, word));
  }

  creditsOf(poolIndex: number, priority: number, worker = 0, producer = 0): number {
    return this.credits.granted(producer, this.credits.cell(worker, poolIndex, priority));
  }

  /** Accepts a message and publishes it to a worker; returns its key's sequence and log offset. */
  submit(options: SubmitOptions = {}): { sequence: number; logOffset: number } {
    const { sequence, record, priority } = this.#acceptOf(options);
    const logOffset = this.journal.put(record);
    this.hand(logOffset, record, priority, options);
    return { sequence, logOffset };
  }

  /** Accepts a message for somebody else to hand over; returns its log offset. */
  accept(options: SubmitOptions = {}): number {
    return this.journal.put(this.#acceptOf(options).record);
  }

  /** A producer as the gateway has them, on the rings of producer 0. */
  dispatcher(): Dispatcher {
    return new Dispatcher({
      producer: 0,
      plan: this.#plan,
      credits: this.credits,
      queues: this.queues,
      submitRings: this.#submits.map((rings) => rings[0]!),
      returnRings: this.#returns.map((rings) => rings[0]!),
      bells: this.workers.map(
        () => new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0, () => undefined),
      ),
      waitingMax: 1_000_000,
      owner: {
        isWanted: () => true,
        expire: () => Number.MAX_SAFE_INTEGER,
        waitsSince: () => 0,
      },
      links: {
        linkIndexOf: (_, linkId) => this.links.findIndex(({ config }) => config.id === linkId),
      },
    });
  }

  #acceptOf(options: SubmitOptions): { sequence: number; record: Uint8Array; priority: number } {
    const sequence = options.sequence ?? this.#sequence++;
    const fields: AcceptFields = {
      sequence,
      origin: 0x101,
      acceptedAt: this.clock.wallMs(),
      expiresAt: this.clock.wallMs() + 3_600_000,
      poolId: 10,
      priority: 1,
      dlr: DlrMode.FINAL,
      to: "447700900123",
      from: "ACME",
      sourceTonNpi: 0x50,
      concatMethod: 0,
      segments: 0,
      dataCoding: 0,
      esmClass: 0,
      protocolId: 0,
      udh: new Uint8Array(0),
      reference: "",
      campaign: "",
      parts: [Buffer.from(options.text ?? `hello ${sequence}`, "latin1")],
      ...options,
    };
    return { sequence, record: acceptRecord(fields), priority: fields.priority };
  }

  /** Publishes an accepted message (again). */
  hand(logOffset: number, record: Uint8Array, priority: number, options: SubmitOptions): void {
    const ring = this.#submits[options.worker ?? 0]![options.producer ?? 0]!;
    const isReference = options.asReference === true;
    const length = HAND_OVER_BYTES + (isReference ? 0 : record.length);
    const type = isReference ? SUBMIT_REFERENCE_TYPE : SUBMIT_TYPE;
    const at = ring.claim(length, type, 1, 0);
    assert.notEqual(at, RING_FULL);
    const { view } = ring;
    view.setFloat64(at + HandOver.LOG_OFFSET, logOffset, true);
    view.setUint16(at + HandOver.POOL_INDEX, options.poolIndex ?? 0, true);
    view.setUint8(at + HandOver.PRIORITY, priority);
    view.setUint8(at + HandOver.ATTEMPT, options.attempt ?? 1);
    view.setUint16(at + HandOver.PARTS, options.partsToSend ?? PARTS_ALL, true);
    view.setUint16(at + HandOver.FLAGS, options.flags ?? 0, true);
    view.setUint32(at + HandOver.LINK_ID, options.linkId ?? 0, true);
    view.setUint32(at + HandOver.APP_INDEX, options.appIndex ?? 7, true);
    view.setUint16(at + HandOver.CONCAT_REFERENCE, options.concatReference ?? 0, true);
    if (!isReference) ring.bytes.set(record, at + HandOver.ACCEPT);
    ring.publish();
  }

  /** What came back since the last call. */
  takeReturns(worker = 0, producer = 0): ReturnRecord[] {
    const ring = this.#returns[worker]![producer]!;
    const taken: ReturnRecord[] = [];
    for (let at = ring.next(); at !== RING_EMPTY; at = ring.next()) {
      const { view } = ring;
      taken.push({
        logOffset: view.getFloat64(at + HandOver.LOG_OFFSET, true),
        poolIndex: view.getUint16(at + HandOver.POOL_INDEX, true),
        priority: view.getUint8(at + HandOver.PRIORITY),
        attempt: view.getUint8(at + HandOver.ATTEMPT),
        parts: view.getUint16(at + HandOver.PARTS, true),
        flags: view.getUint8(at + HandOver.FLAGS),
        linkId: view.getUint32(at + HandOver.LINK_ID, true),
        appIndex: view.getUint32(at + HandOver.APP_INDEX, true),
        concatReference: view.getUint16(at + HandOver.CONCAT_REFERENCE, true),
      });
    }
    ring.release();
    return taken;
  }

  /** Committed records about attempts, of one message if its sequence is given. */
  attempts(sequence?: number): AttemptRecord[] {
    const { records } = this.journal;
    for (; this.#parsedCount < records.length; this.#parsedCount++) {
      const { type, view, bytes } = records[this.#parsedCount]!;
      const name = ATTEMPT_TYPES[type];
      if (name !== undefined) this.#parsed.push(attemptRecord(name, view, bytes));
    }
    if (sequence === undefined) return this.#parsed;
    return this.#parsed.filter((record) => record.sequence === sequence);
  }

  /** Committed ANSWER records. */
  answers(sequence?: number): AttemptRecord[] {
    return this.attempts(sequence).filter((record) => record.type === "ANSWER");
  }

  ambiguous(sequence?: number): AttemptRecord[] {
    return this.attempts(sequence).filter((record) => record.type === "AMBIGUOUS");
  }

  /** Committed records of another type. */
  recordsOf(type: number): { view: DataView; bytes: Uint8Array }[] {
    return this.journal.records.filter((record) => record.type === type);
  }
}

function attemptRecord(
  type: AttemptRecord["type"],
  view: DataView,
  bytes: Uint8Array,
): AttemptRecord {
  const idLength = view.getUint8(Attempt.SMSC_ID_LENGTH);
  const idBytes = bytes.subarray(Attempt.SMSC_ID, Attempt.SMSC_ID + idLength);
  return {
    type,
    sequence: view.getFloat64(Attempt.SEQUENCE, true),
    part: view.getUint8(Attempt.PART),
    attempt: view.getUint8(Attempt.ATTEMPT),
    flags: view.getUint8(Attempt.FLAGS),
    linkId: view.getUint32(Attempt.LINK_ID, true),
    session: view.getUint8(Attempt.SESSION),
    outcome: view.getUint8(Attempt.OUTCOME),
    status: view.getUint32(Attempt.COMMAND_STATUS, true),
    retryAfterMs: view.getUint32(Attempt.RETRY_AFTER_MS, true),
    smscId: Buffer.from(idBytes).toString("latin1"),
    concatReference: view.getUint16(Attempt.CONCAT_REFERENCE, true),
  };
}
