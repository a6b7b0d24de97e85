/**
 * Builds a gateway from its configuration: shared memory, threads, listeners; drains it, and ends
 * the process when a thread breaks. The only file that knows everything.
 *
 *   lock data_dir → ledger thread recovers → journal thread → ledger ready → SMPP workers
 *   → HTTP and admin listen
 *
 * Main thread only, one gateway a process: uWebSockets.js can only be ended there.
 */
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { MessageChannel, type Worker } from "node:worker_threads";
import { AdminServer } from "./admin/server.ts";
import { configWarnings, derivePools, workersCount } from "./config/derive.ts";
import { slotCounts } from "./config/slots.ts";
import type { GatewayConfig, LogLevel } from "./config/types.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import type { Clock, Log } from "./environment.ts";
import { EXIT_CODES } from "./errors.ts";
import { Ingress } from "./ingress/ingress.ts";
import { MessageLookup } from "./ingress/message-lookup.ts";
import { HttpServer } from "./ingress/server.ts";
import { loadUws } from "./ingress/uws.ts";
import { JournalAppender } from "./journal/appender.ts";
import { writeLastExit } from "./journal/data-dir.ts";
import { lockDataDir } from "./journal/data-dir-lock.ts";
import { DataDirError } from "./journal/errors.ts";
import { openNodeLogDirectory } from "./journal/node-log-directory.ts";
import { ChunkedRecordLoader } from "./journal/record-loader.ts";
import { MetricBlock } from "./metrics/block.ts";
import type { Doorbell } from "./ring/doorbell.ts";
import { LogTable } from "./tables/log-table.ts";
import {
  journalThreadIndex,
  ledgerIndex,
  producerCount,
  type SharedPlan,
  workerAppenderIndex,
} from "./tables/plan.ts";
import { stopIndex } from "./tables/thread-table.ts";
import { adminSources } from "./workers/admin-sources.ts";
import { type BellPorts, doorbells, makeBellPorts, ownBell } from "./workers/bell-ports.ts";
import { type ClockBase, clockBase, threadClock } from "./workers/clock.ts";
import { drainInOrder } from "./workers/drain-steps.ts";
import { EventLoopRunner } from "./workers/event-loop-runner.ts";
import { threadLog } from "./workers/log.ts";
import { producerEnds } from "./workers/producer-ends.ts";
import {
  allocateSharedMemory,
  ringConsumer,
  ringProducer,
  type SharedMemory,
} from "./workers/shared-memory.ts";
import { Supervisor } from "./workers/supervisor.ts";
import type {
  JournalThreadData,
  LedgerThreadData,
  ThreadCommand,
  WorkerThreadData,
} from "./workers/thread-data.ts";
import { LedgerQuestions, noteOf, startThread, StartRefusedError } from "./workers/threads.ts";

const MAIN = 0;
const DRAIN_LOOK_MS = 5;
/** A drain takes no longer than this; then the journal has what is left. */
const DRAIN_MS_MAX = 30_000;
const LOADER_LOOK_MS = 1000;
/** Messages that may wait for a link; beyond it 503. */
const WAITING_MAX = 8_000_000;

export interface StartOptions {
  /** Instead of the configuration's. */
  readonly logLevel?: LogLevel;
  /** Whether another free port may be taken for HTTP if the configured one is in use. */
  readonly anyPortIfTaken?: boolean;
}

/** A running gateway. */
export interface Gateway {
  readonly httpPort: number;
  readonly adminPort: number;
  /** Resolves with the exit code when the gateway has drained. */
  readonly ended: Promise<number>;
  /**
   * Answers what is pending, finishes windows, puts everything on disk; then `ended` resolves with
   * 0.
   */
  drain(): Promise<number>;
}

/**
 * Starts a gateway and resolves when it listens. Rejects with StartRefusedError (exit 73: data_dir
 * in use or damaged). A broken invariant later ends the process with exit 75 and the reason in
 * `data_dir/last-exit.json`.
 */
export async function startGateway(
  config: GatewayConfig,
  options: StartOptions = {},
): Promise<Gateway> {
  const level = options.logLevel ?? config.log.level;
  const assembly = new Assembly({ ...config, log: { ...config.log, level } });
  await assembly.lock();
  await assembly.startThreads();
  return assembly.listen(options.anyPortIfTaken === true);
}

/**
 * Runs a gateway until a signal has drained it; returns the exit code. A second signal stops at
 * once.
 */
export async function runGateway(config: GatewayConfig): Promise<number> {
  const log = threadLog("main", config.log.level);
  for (const warning of configWarnings(config)) log.write("warn", warning);
  try {
    const gateway = await startGateway(config);
    return await gateway.ended;
  } catch (error) {
    if (!(error instanceof StartRefusedError)) throw error;
    log.write("error", "start", { cause: error.message });
    return error.exitCode;
  }
}

class Assembly {
  readonly #config: GatewayConfig;
  readonly #log: Log;
  readonly #base: ClockBase = clockBase();
  readonly #clock: Clock = threadClock(this.#base);
  readonly #plan: SharedPlan;
  readonly #memory: SharedMemory;
  readonly #ports: BellPorts[];
  readonly #bells: Int32Array;
  readonly #ring: readonly Doorbell[];
  readonly #supervisor: Supervisor;
  readonly #workers: Worker[] = [];
  #epoch = 0;
  #ledger: Worker | null = null;
  #journal: Worker | null = null;
  #questions: LedgerQuestions | null = null;

  constructor(config: GatewayConfig) {
    this.#config = config;
    this.#log = threadLog("main", config.log.level);
    const pools = derivePools(config);
    this.#plan = {
      ingressCount: 1,
      workerCount: workersCount(config.workers.count, availableParallelism()),
      ...slotCounts(config, pools),
    };
    this.#memory = allocateSharedMemory(this.#plan);
    this.#ports = makeBellPorts(this.#plan);
    this.#bells = new Int32Array(this.#memory.bells);
    this.#ring = doorbells(this.#portsOf(MAIN), this.#bells, this.#plan);
    this.#supervisor = new Supervisor({
      bells: this.#bells,
      inHand: new Float64Array(this.#memory.inHand),
      clock: this.#clock,
      log: this.#log,
      crash: (reason, thread, inHand) => this.#crash(reason, thread, inHand),
    });
  }

  async lock(): Promise<void> {
    const { dataDir } = this.#config.node;
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    try {
      await lockDataDir(dataDir);
    } catch (error) {
      if (!(error instanceof DataDirError)) throw error;
      throw new StartRefusedError(EXIT_CODES.dataDir.code, error.message);
    }
  }

  async startThreads(): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    this.#questions = new LedgerQuestions(port1);
    this.#ledger = startThread(
      "ledger-thread",
      { ...this.#dataOf(ledgerIndex(this.#plan)), queries: port2 } satisfies LedgerThreadData,
      [port2],
    );
    const recovered = await noteOf(this.#ledger, "recovered");
    this.#epoch = recovered.epoch;
    const ready = noteOf(this.#ledger, "ready");
    this.#journal = startThread("journal-thread", {
      ...this.#dataOf(journalThreadIndex(this.#plan)),
      epoch: recovered.epoch,
      nextOffset: recovered.nextOffset,
      nextNumber: recovered.nextNumber,
    } satisfies JournalThreadData);
    this.#watch("ledger", ledgerIndex(this.#plan), this.#ledger);
    this.#watch("journal", journalThreadIndex(this.#plan), this.#journal);
    await ready;
    for (let worker = 0; worker < this.#plan.workerCount; worker++) {
      const index = workerAppenderIndex(this.#plan, worker);
      const data: WorkerThreadData = { ...this.#dataOf(index), worker };
      const thread = startThread("smpp-thread", data);
      this.#workers.push(thread);
      this.#watch(`worker-${worker}`, index, thread);
    }
    this.#supervisor.start();
    process.on("uncaughtException", (error) => this.#crash(error.stack ?? "", "main", null));
  }

  listen(anyPortIfTaken: boolean): Gateway {
    const ingress = this.#makeIngress(() => runner.wake());
    const bell = ownBell(this.#portsOf(MAIN), this.#bells, MAIN, () => runner.wake());
    const runner: EventLoopRunner = new EventLoopRunner(ingress, bell, this.#bells, MAIN);
    runner.start();
    const uws = loadUws();
    let isDraining = false;
    const unreadiness = (): readonly string[] => (isDraining ? ["draining"] : []);
    const { server, port: httpPort } = listenHttp(
      (config) => new HttpServer({ uws, config, clock: this.#clock, ingress, unreadiness }),
      this.#config,
      anyPortIfTaken,
    );
    const admin = new AdminServer(
      uws,
      adminSources({
        config: this.#config,
        memory: this.#memory,
        clock: this.#clock,
        ingress,
        questions: this.#questions as LedgerQuestions,
        unreadiness,
      }),
    );
    const adminPort = admin.listen();
    const drain = async (): Promise<void> => {
      isDraining = true;
      this.#log.write("info", "drain");
      await this.#drain(ingress, server);
      runner.stop();
      admin.close();
      this.#log.write("info", "drained");
    };
    this.#log.write("info", "listening", {
      http_port: httpPort,
      admin_port: adminPort,
      durability: this.#config.journal.durability,
      workers: this.#plan.workerCount,
      epoch: this.#epoch,
    });
    return gatewayOf(httpPort, adminPort, drain);
  }

  #makeIngress(wake: () => void): Ingress {
    const config = this.#config;
    const memory = this.#memory;
    const directory = openNodeLogDirectory(config.node.dataDir);
    const logTable = new LogTable(memory.log);
    const loader = new ChunkedRecordLoader(directory, logTable);
    setInterval(() => loader.closeRemoved(), LOADER_LOOK_MS).unref();
    const questions = this.#questions as LedgerQuestions;
    return new Ingress({
      producer: MAIN,
      epoch: this.#epoch,
      clock: this.#clock,
      random: Math.random,
      appender: new JournalAppender(
        ringProducer(memory.staging[MAIN]),
        ringConsumer(memory.notices[MAIN]),
        this.#ring[journalThreadIndex(this.#plan)] as Doorbell,
      ),
      logTable,
      bucketWords: new Int32Array(memory.apps),
      journalBytesMax: config.journal.bytesMax,
      pools: derivePools(config),
      dispatcherOf: (owner) =>
        new Dispatcher({
          ...producerEnds(memory, config, MAIN, this.#ring),
          waitingMax: WAITING_MAX,
          owner,
        }),
      loader,
      lookup: new MessageLookup({
        query: {
          getMessage: (key, appId, done) => {
            const { sequence, origin } = key;
            const question = { kind: "message", sequence, origin, appId } as const;
            const isAsked = questions.ask(question, (answer) => done(answer as object | null));
            if (!isAsked) done("late");
          },
        },
        logTable,
        clock: this.#clock,
        epoch: this.#epoch,
        producerCount: producerCount(this.#plan),
      }),
      metrics: new MetricBlock(memory.metrics, MAIN),
      wake,
    });
  }

  /**
   * In the order in which messages flow, so that each thread finds everything it still has to
   * finish. A journal that cannot write holds all of them up: then the time is over, and the log
   * has what was promised.
   */
  async #drain(ingress: Ingress, server: HttpServer): Promise<void> {
    server.stopListening();
    ingress.drain();
    const late = await drainInOrder(DRAIN_MS_MAX, [
      { name: "ingress", run: () => until(() => ingress.isDrained()) },
      {
        name: "workers",
        run: () => {
          server.close();
          this.#supervisor.stop();
          return Promise.all(this.#workers.map((thread) => drained(thread)));
        },
      },
      { name: "ledger", run: () => drained(this.#ledger as Worker) },
      { name: "journal", run: () => this.#stopJournal() },
    ]);
    if (late !== null) this.#log.write("warn", "drain", { cause: `${late} took too long` });
  }

  #stopJournal(): Promise<unknown> {
    const gone = new Promise((resolve) => (this.#journal as Worker).once("exit", resolve));
    const index = journalThreadIndex(this.#plan);
    Atomics.store(this.#bells, stopIndex(index), 1);
    this.#ring[index]?.ring();
    return gone;
  }

  #watch(name: string, index: number, worker: Worker): void {
    this.#supervisor.watch({ name, index, worker });
  }

  #dataOf(thread: number) {
    return {
      config: this.#config,
      plan: this.#plan,
      memory: this.#memory,
      clock: this.#base,
      ports: this.#portsOf(thread),
    };
  }

  #portsOf(thread: number): BellPorts {
    return this.#ports[thread] as BellPorts;
  }

  /** Crash-only: what broke is written down, and the next start recovers. */
  #crash(reason: string, thread: string, inHand: number | null): void {
    const { code } = EXIT_CODES.invariant;
    try {
      const directory = openNodeLogDirectory(this.#config.node.dataDir);
      writeLastExit(directory, { code, reason, thread, atMs: this.#clock.wallMs(), inHand });
    } catch (error) {
      this.#log.write("error", "write last-exit.json", { cause: String(error) });
    }
    process.exit(code);
  }
}

/** Listens on the configured port, or on any free one if that is taken and `anyPortIfTaken`. */
function listenHttp(
  serverOf: (config: GatewayConfig) => HttpServer,
  config: GatewayConfig,
  anyPortIfTaken: boolean,
): { server: HttpServer; port: number } {
  const server = serverOf(config);
  try {
    return { server, port: server.listen() };
  } catch (error) {
    if (!anyPortIfTaken) {
      throw new StartRefusedError(EXIT_CODES.failure.code, (error as Error).message);
    }
    const other = serverOf({ ...config, http: { ...config.http, port: 0 } });
    return { server: other, port: other.listen() };
  }
}

/**
 * The gateway as its owner sees it; the first SIGTERM or SIGINT drains it, the second ends the
 * process at once.
 */
function gatewayOf(httpPort: number, adminPort: number, drain: () => Promise<void>): Gateway {
  let draining: Promise<number> | null = null;
  let resolveEnded: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    resolveEnded = resolve;
  });
  const drainOnce = (): Promise<number> => {
    draining ??= drain().then(() => EXIT_CODES.ok.code);
    void draining.then(resolveEnded);
    return draining;
  };
  const onSignal = (): void => {
    if (draining !== null) process.exit(EXIT_CODES.ok.code);
    void drainOnce();
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return { httpPort, adminPort, ended, drain: drainOnce };
}

function drained(thread: Worker): Promise<unknown> {
  const note = noteOf(thread, "drained");
  thread.postMessage({ kind: "drain" } satisfies ThreadCommand);
  return note;
}

function until(isDone: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!isDone()) return;
      clearInterval(timer);
      resolve();
    }, DRAIN_LOOK_MS);
  });
}
