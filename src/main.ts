/**
 * Builds a gateway from its configuration: shared memory, threads, listeners; drains it, and ends
 * the process when a thread breaks. The only file that knows everything.
 *
 *   lock data_dir → ledger thread recovers → journal thread → ledger ready → SMPP workers
 *   → ingress threads → HTTP and admin listen
 *
 * Main thread only, one gateway a process.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { pcapOf } from "./admin/pcap.ts";
import { AdminServer } from "./admin/server.ts";
import { resetReferences } from "./codec/index.ts";
import { configWarnings, derivePools, type PoolPlan, workersCount } from "./config/derive.ts";
import { slotCounts } from "./config/slots.ts";
import type { GatewayConfig, LinkConfig, LogLevel } from "./config/types.ts";
import type { Clock, Log } from "./environment.ts";
import { EXIT_CODES } from "./errors.ts";
import { loadUws } from "./ingress/http/uws.ts";
import { readLastSent, writeLastDrain, writeLastExit } from "./journal/data-dir.ts";
import { lockDataDir } from "./journal/data-dir-lock.ts";
import { DataDirError } from "./journal/errors.ts";
import { makeDirectory, openNodeLogDirectory } from "./journal/node-log-directory.ts";
import { restAll } from "./limit/contract.ts";
import { restAfterStartMs } from "./limit/start-rest.ts";
import type { SessionRecording } from "./smpp/session/session.ts";
import { seedIdempotency } from "./tables/idempotency-table.ts";
import {
  journalThreadIndex,
  ledgerIndex,
  relayThreadIndex,
  type SharedPlan,
  sinkThreadIndex,
  workerAppenderIndex,
} from "./tables/plan.ts";
import { stopIndex } from "./tables/thread-table.ts";
import { adminSources, type LoopWatch } from "./workers/admin-sources.ts";
import { type BellPorts, doorbells, makeBellPorts } from "./workers/bell-ports.ts";
import { type ClockBase, clockBase, systemInstant, threadClock } from "./workers/clock.ts";
import { watchConnections } from "./workers/connection-guard.ts";
import { drainInOrder } from "./workers/drain-steps.ts";
import { IngressAgent } from "./workers/ingress-agent.ts";
import { LedgerQuestions } from "./workers/ledger-questions.ts";
import { LinkDumps } from "./workers/link-dumps.ts";
import { threadLog } from "./workers/log.ts";
import { allocateSharedMemory, type SharedMemory } from "./workers/shared-memory.ts";
import { checkPublicPort, PublicPort } from "./workers/public-port.ts";
import { ProcessEnd } from "./workers/process-end.ts";
import type { ReloadSignal } from "./workers/reload-signal.ts";
import { Reloader } from "./workers/reloader.ts";
import { StopSignals } from "./workers/stop-signals.ts";
import { Supervisor } from "./workers/supervisor.ts";
import { leaveSystemId } from "./workers/thread-cpu.ts";
import type {
  AnyThreadData,
  IngressThreadData,
  JournalThreadData,
  LedgerThreadData,
  SinkThreadData,
  ThreadCommand,
  ThreadNote,
  WorkerThreadData,
} from "./workers/thread-data.ts";
import {
  noteOf,
  setCollection,
  startThread,
  StartRefusedError,
  type ThreadEntry,
} from "./workers/threads.ts";

const MAIN = 0;
/** A drain takes no longer than this; then the journal has what is left. */
const DRAIN_MS_MAX = 30_000;
/** Ingress threads have so long to close their sockets before the process ends without them. */
const CLOSE_MS_MAX = 500;

export interface StartOptions {
  /** Instead of the configuration's. */
  readonly logLevel?: LogLevel;
  /** Whether another free port may be taken for HTTP if the configured one is in use. */
  readonly anyPortIfTaken?: boolean;
  /** Reads the configuration anew; throws ConfigError. */
  readonly load?: () => GatewayConfig;
  /** Asks for a reload, also while the gateway is still starting; without it no signal does. */
  readonly reloadSignal?: ReloadSignal;
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
  /** Takes over the configuration that `load` gives, all or nothing; resolves when that is done. */
  reload(): Promise<void>;
}

/**
 * Starts a gateway and resolves when it listens. Rejects with StartRefusedError (exit 73: data_dir
 * in use or damaged). A broken invariant later ends the process with exit 75 and the reason in
 * `data_dir/last-exit.json`.
 */
export async function startGateway(
  config: GatewayConfig,
  options: StartOptions = {},
  signals: StopSignals = new StopSignals(),
): Promise<Gateway> {
  const level = options.logLevel ?? config.log.level;
  const started = { ...config, log: { ...config.log, level } };
  const assembly = new Assembly(started);
  signals.onSecond(() => assembly.end(EXIT_CODES.ok.code));
  signals.onFirst(() => assembly.stopStarting());
  const gateway = await assembly.start(
    options.anyPortIfTaken === true,
    options.load ?? (() => started),
  );
  signals.onFirst(() => void gateway.drain());
  options.reloadSignal?.onSignal(() => void gateway.reload());
  return gateway;
}

/**
 * Runs a gateway until a signal has drained it; returns the exit code. A second signal stops at
 * once; `reloadSignal` takes the configuration that `load` gives.
 */
export async function runGateway(
  config: GatewayConfig,
  load: () => GatewayConfig,
  reloadSignal: ReloadSignal,
): Promise<number> {
  setCollection();
  const signals = new StopSignals();
  const log = threadLog("main", config);
  for (const warning of configWarnings(config)) log.write("warn", warning);
  try {
    const gateway = await startGateway(config, { load, reloadSignal }, signals);
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
  readonly #pools: PoolPlan;
  readonly #plan: SharedPlan;
  readonly #memory: SharedMemory;
  readonly #ports: BellPorts[];
  readonly #bells: Int32Array;
  readonly #supervisor: Supervisor;
  readonly #workers: Worker[] = [];
  readonly #loops = new Map<string, LoopWatch>([["main", performance]]);
  /** Ingress threads other than main. */
  readonly #ingresses: Worker[] = [];
  #epoch = 0;
  #ledger: Worker | null = null;
  #journal: Worker | null = null;
  #sink: Worker | null = null;
  #questions: LedgerQuestions | null = null;
  readonly #end: ProcessEnd;
  #isLocked = false;

  constructor(config: GatewayConfig) {
    this.#config = config;
    this.#log = threadLog("main", config);
    const pools = derivePools(config);
    this.#pools = pools;
    this.#plan = {
      ingressCount: config.http.threads,
      workerCount: workersCount(config.workers.count, availableParallelism()),
      ...slotCounts(config, pools),
    };
    this.#memory = allocateSharedMemory(this.#plan, config.idempotency.keysMax);
    seedIdempotency(this.#memory.idempotency, randomInt(2 ** 32));
    for (const words of [this.#memory.references, this.#memory.referencePromises]) {
      resetReferences(words, this.#clock.wallMs());
    }
    this.#ports = makeBellPorts(this.#plan);
    this.#bells = new Int32Array(this.#memory.bells);
    this.#supervisor = new Supervisor({
      bells: this.#bells,
      inHand: new Float64Array(this.#memory.inHand),
      clock: this.#clock,
      crash: (reason, thread, inHand) => this.#crash(reason, thread, inHand),
    });
    leaveSystemId(this.#bells, MAIN);
    this.#end = new ProcessEnd({
      bells: this.#bells,
      log: this.#log,
      exit: (code) => process.exit(code),
      kill: () => process.kill(process.pid, "SIGKILL"),
    });
    process.on("uncaughtException", (error) => this.#crash(error.stack ?? "", "main", null));
  }

  /** Resolves with the gateway that listens; never, if the process is ended before. */
  async start(anyPortIfTaken: boolean, load: () => GatewayConfig): Promise<Gateway> {
    try {
      await this.#lock();
      await this.#startThreads();
      return await this.#listen(anyPortIfTaken, load);
    } catch (error) {
      // What ends the process is what counts, not which wait its end has broken off.
      if (this.#end.isUnderWay) return await new Promise<never>(() => undefined);
      this.#supervisor.stop();
      await this.#end.endThreads();
      throw error;
    }
  }

  /**
   * The process is to end before it listens: at once, unless workers may have sent something; then
   * the start is finished first, for a drain.
   */
  stopStarting(): void {
    if (this.#workers.length > 0) return;
    this.#supervisor.stop();
    this.#end.end(EXIT_CODES.ok.code, true);
  }

  /** Ends the process at once. */
  end(code: number): void {
    this.#supervisor.stop();
    this.#end.end(code);
  }

  async #lock(): Promise<void> {
    const { dataDir } = this.#config.node;
    makeDirectory(dataDir);
    try {
      await lockDataDir(dataDir);
    } catch (error) {
      if (!(error instanceof DataDirError)) throw error;
      throw new StartRefusedError(EXIT_CODES.dataDir.code, error.message);
    }
    this.#isLocked = true;
    this.#restContracts();
  }

  /** The process before this one, which had the lock until now, may have sent a moment ago. */
  #restContracts(): void {
    const last = readLastSent(openNodeLogDirectory(this.#config.node.dataDir));
    const restMs = restAfterStartMs(last, systemInstant());
    if (restMs === 0) return;
    const untilMs = this.#clock.monotonicMs() + restMs;
    for (const { linkIndex, config } of derivePools(this.#config).links) {
      const tokens = this.#memory.contracts[linkIndex] as SharedArrayBuffer;
      restAll(new Int32Array(tokens), config.rateTps ?? 0, untilMs);
    }
  }

  async #startThreads(): Promise<void> {
    const channels = Array.from({ length: this.#plan.ingressCount }, () => new MessageChannel());
    const queries = channels.map(({ port2 }) => port2);
    const [own, ...others] = channels.map(({ port1 }) => port1);
    this.#questions = new LedgerQuestions(own as MessagePort, this.#clock);
    const cuts = this.#config.cdr.enabled ? new MessageChannel() : null;
    const sink = cuts?.port1 ?? null;
    const ledger = ledgerIndex(this.#plan);
    this.#ledger = this.#startThread(
      "ledger",
      ledger,
      "ledger-thread",
      { ...this.#dataOf(ledger), queries, sink } satisfies LedgerThreadData,
      sink === null ? queries : [...queries, sink],
    );
    const recovered = await noteOf(this.#ledger, "recovered");
    this.#epoch = recovered.epoch;
    const ready = noteOf(this.#ledger, "ready");
    const journal = journalThreadIndex(this.#plan);
    this.#journal = this.#startThread("journal", journal, "journal-thread", {
      ...this.#dataOf(journal),
      epoch: recovered.epoch,
      nextOffset: recovered.nextOffset,
      nextNumber: recovered.nextNumber,
    } satisfies JournalThreadData);
    await ready;
    if (cuts !== null) this.#startSink(cuts.port2);
    this.#startWorkers();
    this.#startIngresses(others);
    this.#supervisor.start();
  }

  /** Starts a thread whose end, while nobody wants it, ends the process. */
  #startThread(
    name: string,
    index: number,
    entry: ThreadEntry,
    data: AnyThreadData,
    transfer: readonly MessagePort[] = [],
  ): Worker {
    if (this.#end.isUnderWay) throw new Error("the process is ending");
    const worker = startThread(entry, data, transfer);
    this.#supervisor.watch({ name, index, worker });
    this.#end.add({ entry, index, worker });
    if (entry !== "journal-thread") this.#loops.set(name, worker.performance);
    return worker;
  }

  #startWorkers(): void {
    for (let worker = 0; worker < this.#plan.workerCount; worker++) {
      const index = workerAppenderIndex(this.#plan, worker);
      const data: WorkerThreadData = { ...this.#dataOf(index), worker };
      this.#workers.push(this.#startThread(`worker-${worker}`, index, "smpp-thread", data));
    }
  }

  #startIngresses(queries: readonly MessagePort[]): void {
    for (const [i, port] of queries.entries()) {
      const producer = i + 1;
      const data: IngressThreadData = {
        ...this.#dataOf(producer),
        producer,
        epoch: this.#epoch,
        queries: port,
      };
      const name = `ingress-${producer}`;
      this.#ingresses.push(this.#startThread(name, producer, "ingress-thread", data, [port]));
    }
  }

  #startSink(ledger: MessagePort): void {
    const index = sinkThreadIndex(this.#plan);
    const data: SinkThreadData = { ...this.#dataOf(index), ledger };
    this.#sink = this.#startThread("sink", index, "sink-thread", data, [ledger]);
  }

  #startRelay(): Worker {
    const index = relayThreadIndex(this.#plan);
    return this.#startThread("relay", index, "relay-thread", this.#dataOf(index));
  }

  async #listen(anyPortIfTaken: boolean, load: () => GatewayConfig): Promise<Gateway> {
    checkPublicPort(this.#config);
    const agent = new IngressAgent({
      config: this.#config,
      pools: this.#pools,
      memory: this.#memory,
      clock: this.#clock,
      ports: this.#portsOf(MAIN),
      producer: MAIN,
      epoch: this.#epoch,
      questions: this.#questions as LedgerQuestions,
    });
    const port = new PublicPort({
      config: this.#config,
      agent,
      ingresses: this.#ingresses,
      startRelay: () => this.#startRelay(),
    });
    const httpPort = await port.listen(anyPortIfTaken);
    const reloader = this.#makeReloader(agent, load);
    const admin = new AdminServer(
      loadUws(),
      adminSources({
        reloader,
        loops: this.#loops,
        memory: this.#memory,
        clock: this.#clock,
        questions: this.#questions as LedgerQuestions,
        dumps: new LinkDumps(this.#workers, (link, kept) =>
          this.#keepRecordings(reloader.config.links, link, kept),
        ),
        unreadiness: () => [
          ...agent.unreadiness(),
          ...(connections.isPaused() ? ["too many connections"] : []),
        ],
      }),
    );
    const adminPort = admin.listen();
    const connections = watchConnections(this.#config.http.connectionsMax, port, this.#log);
    this.#log.write("info", "listening", {
      http_port: httpPort,
      admin_port: adminPort,
      durability: this.#config.journal.durability,
      ingress_threads: this.#plan.ingressCount,
      workers: this.#plan.workerCount,
      epoch: this.#epoch,
    });
    const drain = async (): Promise<void> => {
      this.#log.write("info", "drain");
      connections.stop();
      await this.#drain(agent, port);
      // Also where a step was late: from here on threads go because they are told to.
      this.#supervisor.stop();
      agent.close();
      agent.stop();
      admin.close();
      this.#log.write("info", "drained");
      await this.#end.endThreads();
    };
    return gatewayOf(httpPort, adminPort, drain, () => {
      this.#reloadCertificates(port);
      return reloader.reload();
    });
  }

  #makeReloader(agent: IngressAgent, load: () => GatewayConfig): Reloader {
    return new Reloader({
      config: this.#config,
      plan: this.#pools,
      slots: this.#plan,
      bucketWords: new Int32Array(this.#memory.apps),
      clock: this.#clock,
      log: this.#log,
      load,
      apply: async (config, pools) => {
        const command = { kind: "reload", config, pools } as const;
        const inner = [...this.#workers, this.#ledger as Worker];
        await this.#askAll(inner, command, "reloaded");
        agent.reload(config, pools);
        await this.#askAll(this.#ingresses, command, "reloaded");
      },
    });
  }

  /** Commands and resolves when each of the threads has said that it is done. */
  #askAll(
    threads: readonly Worker[],
    command: ThreadCommand,
    done: ThreadNote["kind"],
  ): Promise<unknown> {
    const notes = threads.map((thread) => noteOf(thread, done));
    this.#command(threads, command);
    return Promise.all(notes);
  }

  /** New connections get the certificates that are in the files now; bad files change nothing. */
  #reloadCertificates(port: PublicPort): void {
    if (this.#config.http.tls === null) return;
    try {
      port.reloadCertificates();
      this.#log.write("info", "reload certificates");
    } catch (error) {
      this.#log.write("error", "reload certificates", { cause: (error as Error).message });
    }
  }

  /**
   * In the order in which messages flow, so that each thread finds everything it still has to
   * finish. A journal that cannot write holds all of them up: then the time is over, and the log
   * has what was promised.
   */
  async #drain(agent: IngressAgent, port: PublicPort): Promise<void> {
    const late = await drainInOrder(DRAIN_MS_MAX, [
      {
        name: "ingress",
        run: () => Promise.all([agent.drain(), ...port.threads().map((thread) => drained(thread))]),
      },
      {
        name: "workers",
        run: () => {
          agent.close();
          this.#supervisor.stop();
          const closed = this.#closeIngresses();
          const flushed = closed.then(() => port.flush());
          return Promise.all([flushed, ...this.#workers.map((thread) => drained(thread))]);
        },
      },
      { name: "ledger", run: () => drained(this.#ledger as Worker) },
      { name: "journal", run: () => this.#stopJournal() },
      { name: "sink", run: () => this.#drainSink() },
    ]);
    if (late === null) this.#noteDrained();
    else this.#log.write("warn", "drain", { cause: `${late} took too long` });
  }

  /** So that the next start knows since when nothing was sent; without the note it waits. */
  #noteDrained(): void {
    try {
      const directory = openNodeLogDirectory(this.#config.node.dataDir);
      writeLastDrain(directory, this.#epoch, systemInstant());
    } catch (error) {
      this.#log.write("warn", "write last-drain.json", { cause: String(error) });
    }
  }

  /** What is left to upload has a few seconds; what is not done is done at the next start. */
  async #drainSink(): Promise<void> {
    if (this.#sink !== null) await drained(this.#sink);
  }

  #stopJournal(): Promise<unknown> {
    const gone = new Promise((resolve) => (this.#journal as Worker).once("exit", resolve));
    const index = journalThreadIndex(this.#plan);
    Atomics.store(this.#bells, stopIndex(index), 1);
    doorbells(this.#portsOf(MAIN), this.#bells, this.#plan)[index]?.ring();
    return gone;
  }

  /** Resolves when no further ingress thread has a socket, or those that have do not answer. */
  #closeIngresses(): Promise<unknown> {
    const closed = this.#ingresses.map((thread) => noteOf(thread, "closed").catch(() => null));
    this.#command(this.#ingresses, { kind: "close" });
    return drainInOrder(CLOSE_MS_MAX, [{ name: "close", run: () => Promise.all(closed) }]);
  }

  #command(threads: readonly Worker[], command: ThreadCommand): void {
    for (const thread of threads) thread.postMessage(command);
  }

  #dataOf(thread: number) {
    return {
      config: this.#config,
      pools: this.#pools,
      plan: this.#plan,
      memory: this.#memory,
      clock: this.#base,
      ports: this.#portsOf(thread),
    };
  }

  #portsOf(thread: number): BellPorts {
    return this.#ports[thread] as BellPorts;
  }

  /** Writes what a stalled link did last to `data_dir/stalled-link-<id>.pcap`. */
  #keepRecordings(
    links: readonly LinkConfig[],
    linkId: number,
    recordings: readonly SessionRecording[],
  ): void {
    const link = links.find(({ id }) => id === linkId);
    const path = join(this.#config.node.dataDir, `stalled-link-${linkId}.pcap`);
    try {
      writeFileSync(path, pcapOf(recordings, link?.port ?? 0), { mode: 0o600 });
      this.#log.write("warn", "keep the last PDUs of a stalled link", { link: linkId, path });
    } catch (error) {
      this.#log.write("error", "keep the last PDUs of a stalled link", { cause: String(error) });
    }
  }

  /** Crash-only: what broke is written down, and the next start recovers. */
  #crash(reason: string, thread: string, inHand: number | null): void {
    if (this.#end.isUnderWay) return;
    const { code } = EXIT_CODES.invariant;
    this.#log.write("error", "crash", { of: thread, cause: reason, log_offset: inHand });
    try {
      const directory = openNodeLogDirectory(this.#config.node.dataDir);
      const [atMs, epoch] = [this.#clock.wallMs(), this.#epoch];
      const note = { code, reason, thread, atMs, epoch, inHand };
      if (this.#isLocked) writeLastExit(directory, note);
    } catch (error) {
      this.#log.write("error", "write last-exit.json", { cause: String(error) });
    }
    this.end(code);
  }
}

/** The gateway as its owner sees it. */
function gatewayOf(
  httpPort: number,
  adminPort: number,
  drain: () => Promise<void>,
  reload: () => Promise<void>,
): Gateway {
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
  const reloadUnlessDraining = (): Promise<void> => {
    return draining === null ? reload() : Promise.resolve();
  };
  return { httpPort, adminPort, ended, drain: drainOnce, reload: reloadUnlessDraining };
}

function drained(thread: Worker): Promise<unknown> {
  const note = noteOf(thread, "drained");
  thread.postMessage({ kind: "drain" } satisfies ThreadCommand);
  return note;
}
