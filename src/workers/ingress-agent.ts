/**
 * One ingress thread's whole equipment: the admission agent, its runner and its HTTP server. The
 * same on the main thread (producer 0) and on further ingress threads.
 *
 *   listen ─► calls ─► drain: no new connections, what is pending is answered ─► close ─► stop
 *
 * Used by its own thread only. On a thread other than main uWebSockets.js must be closed before the
 * process ends, or it aborts.
 */
import { chmodSync, readFileSync } from "node:fs";
import { linkStatuses, poolStatuses } from "../admin/link-status.ts";
import type { PoolPlan } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import { Dispatcher } from "../dispatch/dispatcher.ts";
import type { Clock } from "../environment.ts";
import { Ingress } from "../ingress/ingress.ts";
import { uwsTls } from "../ingress/http/certificates.ts";
import type { PortSharing } from "../ingress/http/listener.ts";
import {
  type CancelAnswer,
  LOOKUP_WAIT_MS,
  MessageLookup,
} from "../ingress/calls/message-lookup.ts";
import { isRelayed } from "../ingress/http/relay-endpoint.ts";
import { HttpServer } from "../ingress/server.ts";
import { loadUws, type UwsTls } from "../ingress/http/uws.ts";
import { JournalAppender } from "../journal/appender.ts";
import { openNodeLogDirectory } from "../journal/node-log-directory.ts";
import { ChunkedRecordLoader } from "../journal/record-loader.ts";
import { ledgerPath, ledgerSyncs, LmdbMovedBodies } from "../ledger/store/lmdb-store.ts";
import { MetricBlock } from "../metrics/block.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import { ringUsedBytes } from "../ring/layout.ts";
import { IdempotencyTable } from "../tables/idempotency-table.ts";
import { LogTable } from "../tables/log-table.ts";
import { journalThreadIndex, producerCount } from "../tables/plan.ts";
import { linkSources } from "./admin-sources.ts";
import { type BellPorts, doorbells, ownBell } from "./bell-ports.ts";
import { EventLoopRunner } from "./event-loop-runner.ts";
import { threadLog } from "./log.ts";
import { linkDirectory, producerEnds } from "./producer-ends.ts";
import { ringConsumer, ringProducer, type SharedMemory } from "./shared-memory.ts";
import { type LedgerQuestions, QUESTION_MS_MAX } from "./ledger-questions.ts";

const DRAIN_LOOK_MS = 5;
/** How long a drain waits for bodies on their way, and for what is looked up and asked. */
const CALLS_MS_MAX = LOOKUP_WAIT_MS + QUESTION_MS_MAX + 500;
const LOADER_LOOK_MS = 1000;
/** Messages that may wait for a link, over all ingress threads; beyond it 503. */
const WAITING_MAX = 8_000_000;

export interface IngressAgentOptions {
  readonly config: GatewayConfig;
  readonly pools: PoolPlan;
  readonly memory: SharedMemory;
  readonly clock: Clock;
  readonly ports: BellPorts;
  /** Index of this ingress thread as producer, appender and thread. */
  readonly producer: number;
  readonly epoch: number;
  readonly questions: LedgerQuestions;
}

export class IngressAgent {
  readonly ingress: Ingress;
  readonly #options: IngressAgentOptions;
  readonly #runner: EventLoopRunner;
  readonly #uws = loadUws();
  /** The plan of now. */
  #pools: PoolPlan;
  #server: HttpServer;
  #isDraining = false;
  #isClosed = false;

  /** Starts working at once; listens when told to. */
  constructor(options: IngressAgentOptions) {
    const { memory, producer, ports } = options;
    const bells = new Int32Array(memory.bells);
    const wake = (): void => this.#runner.wake();
    this.#options = options;
    this.#pools = options.pools;
    this.ingress = makeIngress(options, doorbells(ports, bells, memory.plan), wake);
    const bell = ownBell(ports, bells, producer, wake);
    this.#runner = new EventLoopRunner(this.ingress, bell, bells, producer);
    this.#runner.start();
    const { questions } = options;
    questions.onCancel((order) => this.ingress.cancel(order, () => questions.refuseCancel(order)));
    this.#server = this.#makeServer();
  }

  /** What keeps this thread from taking calls, one phrase each; empty: ready. */
  readonly unreadiness = (): readonly string[] => (this.#isDraining ? ["draining"] : []);

  /** Listens on `port`, 0 for any free one; returns the port. Throws if it cannot be had. */
  listen(port: number, sharing: PortSharing): number {
    try {
      return this.#server.listen(port, sharing);
    } catch (error) {
      // An app that failed to listen does not listen again.
      this.#server = this.#makeServer();
      throw error;
    }
  }

  /** Listens for the relay at `path`. Throws if it cannot be had. */
  listenForRelay(path: string): void {
    this.#server.listenUnix(path);
    chmodSync(path, 0o600);
  }

  /** Takes no new connections until `resume`; open ones are served. */
  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  /**
   * Takes the certificates as they are in their files now, without dropping a connection. Throws,
   * and changes nothing, if they cannot be used; without TLS there is nothing to do.
   */
  reloadCertificates(): void {
    if (this.#options.config.http.tls !== null) this.#server.reloadCertificates();
  }

  /**
   * Takes no more; resolves when every call is answered and every record committed. A call whose
   * body does not come is waited for a little.
   */
  drain(): Promise<void> {
    const { clock } = this.#options;
    const giveUpAtMs = clock.monotonicMs() + CALLS_MS_MAX;
    this.#isDraining = true;
    this.#server.stopListening();
    this.ingress.drain();
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const isIdle = !this.#areCallsOpen() || clock.monotonicMs() >= giveUpAtMs;
        if (!isIdle || !this.ingress.isDrained()) return;
        clearInterval(timer);
        resolve();
      }, DRAIN_LOOK_MS);
    });
  }

  /** Admits by another configuration from now on; calls that were admitted go on. */
  reload(config: GatewayConfig, pools: PoolPlan): void {
    this.ingress.reload(pools, linkDirectory(pools));
    this.#server.reload(config, pools);
    this.#pools = pools;
  }

  /** Ends listener and connections. What comes back from workers is still taken. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server.close();
  }

  /** Works no more: the journal and the ledger may be closed. */
  stop(): void {
    this.#runner.stop();
  }

  /** Whether a caller waits whose message, if it has one, is not admitted. */
  #areCallsOpen(): boolean {
    const { questions } = this.#options;
    const isAsking = !questions.isQuiet || this.ingress.lookup.waitingCount > 0;
    return isAsking || this.#server.openCalls > 0;
  }

  #makeServer(): HttpServer {
    const { config, pools, memory, clock, producer } = this.#options;
    const { ingress, unreadiness } = this;
    const log = threadLog(producer === 0 ? "main" : `ingress-${producer}`, config);
    const relayed = isRelayed(config.http);
    // The relay has TLS, if any.
    const tlsConfig = relayed ? null : config.http.tls;
    const tls = (): UwsTls | null => (tlsConfig === null ? null : uwsTls(tlsConfig, readFileSync));
    const sources = linkSources(memory, () => this.#pools, clock);
    return new HttpServer({
      uws: this.#uws,
      config,
      clock,
      ingress,
      pools,
      log,
      reads: this.#options.questions,
      tls,
      isRelayed: relayed,
      unreadiness,
      links: () => linkStatuses(sources),
      poolStates: () => poolStatuses(sources),
    });
  }
}

function makeIngress(
  options: IngressAgentOptions,
  ring: readonly Doorbell[],
  wake: () => void,
): Ingress {
  const { config, pools, memory, clock, epoch, producer } = options;
  const { plan } = memory;
  const logTable = new LogTable(memory.log);
  const directory = openNodeLogDirectory(config.node.dataDir);
  const moved = new LmdbMovedBodies(
    ledgerPath(config),
    config.ledger.bytesMax,
    ledgerSyncs(config),
  );
  const loader = new ChunkedRecordLoader(directory, logTable, moved);
  setInterval(() => loader.closeRemoved(), LOADER_LOOK_MS).unref();
  const waitingMax = Math.floor(WAITING_MAX / plan.ingressCount);
  const others = memory.staging.slice(0, plan.ingressCount).filter((_, i) => i !== producer);
  return new Ingress({
    producer,
    epoch,
    clock,
    referencePromises: memory.referencePromises,
    keys: new IdempotencyTable(memory.idempotency),
    appender: new JournalAppender(
      ringProducer(memory.staging[producer]),
      ringConsumer(memory.notices[producer]),
      ring[journalThreadIndex(plan)] as Doorbell,
    ),
    logTable,
    bucketWords: new Int32Array(memory.apps),
    journalBytesMax: config.journal.bytesMax,
    refusalsPerSMax: config.cdr.enabled ? config.cdr.refusalsPerSMax : 0,
    ingressCount: plan.ingressCount,
    othersPendingBytes: () => others.reduce((sum, staging) => sum + ringUsedBytes(staging), 0),
    pools,
    dispatcherOf: (owner) =>
      new Dispatcher({ ...producerEnds(memory, pools, producer, ring), waitingMax, owner }),
    loader,
    lookup: makeLookup(options, logTable, wake),
    metrics: new MetricBlock(memory.metrics, producer),
    producerWords: new Int32Array(memory.producers),
    wake,
  });
}

function makeLookup(
  options: IngressAgentOptions,
  logTable: LogTable,
  onWaiting: () => void,
): MessageLookup {
  const { questions, clock, epoch, memory } = options;
  return new MessageLookup({
    query: {
      getMessage: ({ sequence, origin }, appId, done) => {
        const question = { kind: "message", sequence, origin, appId } as const;
        const isAsked = questions.ask(question, (answer) => done(answer as object | null));
        if (!isAsked) done("late");
      },
      cancel: ({ sequence, origin }, appId, done) => {
        const question = { kind: "cancel", sequence, origin, appId } as const;
        const isAsked = questions.ask(question, (answer) => done(answer as CancelAnswer));
        if (!isAsked) done("overloaded");
      },
      awaitAnswer: ({ sequence, origin }, appId, waitMs, done) => {
        const question = { kind: "answer", sequence, origin, appId, waitMs } as const;
        const isAsked = questions.ask(question, (answer) => done(answer as object | null));
        if (!isAsked) done("late");
      },
    },
    logTable,
    clock,
    epoch,
    producerCount: producerCount(memory.plan),
    onWaiting,
  });
}
