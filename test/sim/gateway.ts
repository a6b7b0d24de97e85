/**
 * One process of the gateway, put together from the real parts as src/main.ts and src/workers do
 * it, in one thread.
 *
 *   start     recover the log, count the epoch up, lay shared memory, make the agents
 *   run       the scheduler gives agents turns; ticks come every few milliseconds
 *   death     memory is gone; disk and store keep what their kind of death leaves them
 *
 * Only entry points are left out: HTTP around the ingress, event loops, the wires of doorbells, the
 * supervisor.
 */
import { allocateReferences, resetReferences } from "../../src/codec/index.ts";
import { derivePools, type PoolPlan } from "../../src/config/derive.ts";
import { mergeForReload } from "../../src/config/reload.ts";
import { slotCounts } from "../../src/config/slots.ts";
import type { GatewayConfig } from "../../src/config/types.ts";
import { Dispatcher, type WaitingOwner } from "../../src/dispatch/dispatcher.ts";
import type { Clock, Log, SystemInstant } from "../../src/environment.ts";
import { carryBuckets } from "../../src/ingress/admission/carry-buckets.ts";
import type { Ingress } from "../../src/ingress/ingress.ts";
import {
  quarantinedRecords,
  readLastSent,
  startEpoch,
  writeLastDrain,
  writeLastExit,
} from "../../src/journal/data-dir.ts";
import { Journal } from "../../src/journal/journal.ts";
import type { LogTailer } from "../../src/journal/log-reading.ts";
import { BlockTailer } from "../../src/journal/log-tailer.ts";
import { movedBodiesIn } from "../../src/ledger/body-moves.ts";
import { ChunkedRecordLoader } from "../../src/journal/record-loader.ts";
import { recoverLog } from "../../src/journal/recovery.ts";
import { SegmentRemoval } from "../../src/journal/segment-removal.ts";
import { verifyBooks } from "../../src/ledger/books.ts";
import { isRecordDone } from "../../src/ledger/flow/record-done.ts";
import { IdempotencyKeys } from "../../src/ledger/idempotency-keys.ts";
import { Ledger } from "../../src/ledger/ledger.ts";
import { readPosition } from "../../src/ledger/store/meta.ts";
import { type LedgerPlan, ledgerPlanOf } from "../../src/ledger/policy.ts";
import { restAfterStartMs } from "../../src/limit/start-rest.ts";
import { Accept, ACCEPT_TYPE, acceptToOffset } from "../../src/records/accept.ts";
import { assignSessions } from "../../src/smpp/plan.ts";
import { SmppWorker } from "../../src/smpp/worker.ts";
import {
  journalThreadIndex,
  ledgerIndex,
  producerCount,
  type SharedPlan,
  workerAppenderIndex,
} from "../../src/tables/plan.ts";
import { linkDirectory } from "../../src/workers/producer-ends.ts";
import { Drain } from "./drain.ts";
import type { FinalDocument } from "./final-judge.ts";
import type { MessageModel } from "./log-model.ts";
import type { Mutations } from "./mutations.ts";
import { ProcessMemory } from "./process-memory.ts";
import type { SeededRandom } from "./random.ts";
import type { SimulatedAgent } from "./scheduler.ts";
import { SimulatedDirectory } from "./simulated-directory.ts";
import { makeIngress } from "./simulated-ingress.ts";
import type { SimulatedStore, StoreRemains } from "./simulated-store.ts";
import type { World } from "./world.ts";
import { removalDirectory } from "../support/removal-directory.ts";

/** What a process is started with, beside the world it runs in. */
export interface GatewayStart {
  readonly random: SeededRandom;
  readonly mutations: Mutations;
  /** What the last process left in the store, or null. */
  readonly remains: StoreRemains | null;
  /** Destination of a message whose ACCEPT makes the ledger throw until it is quarantined. */
  readonly poison: string | null;
  /** Log lines of the gateway. */
  readonly onLog: (thread: string, level: string, operation: string, fields: object) => void;
}

const TICK_MS = 5;
const CHUNK_BYTES = 16 * 1024;
const BLOCK_BYTES_MAX = 64 * 1024;
/** Small, so that segments are cut in several steps. */
const REMOVAL_STEP_BYTES = 48 * 1024;

/** What the ledger throws at a poisonous record. */
export class PoisonError extends Error {
  override readonly name = "PoisonError";
}

/** A part of the gateway as its thread's runner sees it. */
interface Ticking {
  doWork(): number;
  onTick?(): void;
}

export class SimulatedGateway {
  readonly memory: ProcessMemory;
  readonly store: SimulatedStore;
  readonly ledger: Ledger;
  readonly epoch: number;
  readonly plan: SharedPlan;
  /** By thread; none until the ledger has applied STARTED. */
  readonly ingresses: Ingress[] = [];
  readonly directory: SimulatedDirectory;
  readonly #world: World;
  readonly #given: GatewayStart;
  #config: GatewayConfig;
  #pools: PoolPlan;
  #ledgerPlan: LedgerPlan;
  #ledgerDispatcher: Dispatcher | null = null;
  readonly #workers: SmppWorker[] = [];
  readonly #journal: Journal;
  readonly #ledgerThread: number;
  readonly #removal: SegmentRemoval;
  #drain: Drain | null = null;

  /** Starts a process: throws SimulatedCrash if it dies on the way, or what made it refuse. */
  constructor(world: World, given: GatewayStart) {
    const { settings, effects, disk, scheduler } = world;
    const { config } = settings;
    this.#world = world;
    this.#given = given;
    this.#config = config;
    this.#pools = derivePools(config);
    this.#ledgerPlan = ledgerPlanOf(this.#pools, null);
    this.plan = {
      ingressCount: settings.ingressCount,
      workerCount: settings.workerCount,
      ...slotCounts(config, this.#pools),
    };
    this.#ledgerThread = ledgerIndex(this.plan);
    this.directory = new SimulatedDirectory(disk, effects, (ms) => scheduler.sleep(ms));
    const { clock } = world;
    const restMs = restAfterStartMs(readLastSent(this.directory), this.#instant());
    const restUntilMs = clock.monotonicMs() + restMs;
    this.store = this.#openStore();
    const { cursor, replayFrom } = readPosition(this.store);
    const recovered = recoverLog(this.directory, {
      segmentBytes: config.journal.segmentBytes,
      from: cursor > 0 ? cursor : null,
      replayFrom,
    });
    this.epoch = startEpoch(this.directory, config.node.name, recovered.epochSeen).epoch;
    this.memory = new ProcessMemory(
      this.plan,
      this.#pools.links,
      settings,
      effects,
      restUntilMs,
      (thread) => scheduler.wake(thread),
    );
    const { logTable } = this.memory;
    this.#journal = this.#makeJournal(recovered.nextOffset, recovered.nextNumber);
    this.#removal = this.#makeRemoval();
    const tailer = new BlockTailer(this.directory, logTable, recovered.tailFrom, CHUNK_BYTES * 8);
    const quarantined = this.#quarantined(replayFrom);
    const poisoned = poisonedTailer(tailer, given.poison, quarantined, (logOffset) => {
      this.memory.inHand[ledgerIndex(this.plan)] = logOffset;
    });
    this.ledger = this.#makeLedger(given.mutations.tailer(poisoned), quarantined);
    scheduler.setAgents(this.#agents());
  }

  /** Whether messages are taken. */
  get isReady(): boolean {
    return this.ingresses.length > 0;
  }

  /**
   * Goes over to another configuration as the main thread has the others do it, each thread between
   * two of its turns; `onDone` when the last has. A process that is not ready yet keeps its own.
   */
  reload(wanted: GatewayConfig, onDone: () => void): void {
    const { scheduler, clock } = this.#world;
    if (!this.isReady || this.#drain !== null) return;
    const { config } = mergeForReload(this.#config, wanted);
    const plan = derivePools(config, this.#pools);
    carryBuckets(this.memory.bucketWords, this.#pools, plan, clock.monotonicMs());
    this.#config = config;
    this.#pools = plan;
    const assigned = assignSessions(plan.links, this.plan.workerCount);
    const steps: [number, () => void][] = this.#workers.map((worker, index) => [
      workerAppenderIndex(this.plan, index),
      () => worker.reload(plan, assigned[index] ?? []),
    ]);
    steps.push([this.#ledgerThread, () => this.#reloadLedger(plan)]);
    for (const [thread, ingress] of this.ingresses.entries()) {
      steps.push([thread, () => ingress.reload(plan, linkDirectory(plan))]);
    }
    let left = steps.length;
    for (const [agent, step] of steps) {
      scheduler.after(this.#given.random.float(0, 20), agent, () => {
        step();
        left--;
        if (left === 0) onDone();
      });
    }
  }

  #reloadLedger(plan: PoolPlan): void {
    this.#ledgerPlan = ledgerPlanOf(plan, this.#ledgerPlan);
    this.#ledgerDispatcher?.reload(linkDirectory(plan));
    this.ledger.reload(this.#ledgerPlan);
  }

  /**
   * SIGTERM; `onClosed` when the listeners close. Returns the drain; null if it is too early or one
   * is under way.
   */
  drain(onClosed: () => void): Drain | null {
    if (!this.isReady || this.#drain !== null) return null;
    const { scheduler, nowMs } = this.#world;
    const random = this.#given.random.fork("drain");
    const { logTable } = this.memory;
    const { ingresses, ledger } = this;
    const workers = this.#workers;
    this.#drain = new Drain({
      ingresses,
      workers,
      ledger,
      logTable,
      scheduler,
      random,
      nowMs,
      onClosed,
    });
    return this.#drain;
  }

  /** The note that the main thread writes when it has drained. */
  writeLastDrain(): void {
    writeLastDrain(this.directory, this.epoch, this.#instant());
  }

  #instant(): SystemInstant {
    const { clock } = this.#world;
    return { boot: "the only one", monotonicMs: clock.monotonicMs(), wallMs: clock.machineMs() };
  }

  /** The note that the main thread writes when a thread throws. */
  writeLastExit(reason: string, thread: number): void {
    const inHand = this.memory.inHand[thread] ?? -1;
    writeLastExit(this.directory, {
      code: 75,
      reason,
      thread: String(thread),
      atMs: this.#world.clock.wallMs(),
      epoch: this.epoch,
      inHand: inHand < 0 ? null : inHand,
    });
  }

  /** Rows of the recovery table that the ledger of this process has met. */
  rowHits(): Readonly<Record<string, number>> {
    return this.ledger.hits.byName();
  }

  /** What `GET /v1/messages/{id}` would say. */
  documentOf({ key, appId }: MessageModel): FinalDocument | null {
    const [sequence, origin] = key.split("/").map(Number) as [number, number];
    const document = this.ledger.getMessage({ sequence, origin }, appId);
    if (document === null) return null;
    return {
      to: document.to,
      status: document.status,
      isFinal: document.final_at !== null,
      maybeDup: document.maybe_dup === true,
      hasReason: document.reason !== null && document.reason !== undefined,
    };
  }

  /** Recounts the books from the store; returns what does not add up. */
  verifyBooks(): readonly string[] {
    return verifyBooks(this.store).mismatches;
  }

  #openStore(): SimulatedStore {
    const { effects, scheduler, disk } = this.#world;
    const { random, remains, mutations } = this.#given;
    const slow = random.pick([1, 1, 10, 150]);
    return new mutations.Store(
      effects,
      {
        after: (ms, run) => scheduler.after(ms, this.#ledgerThread, run),
        visibleMs: () => random.float(0.05, 2) * Math.min(slow, 20),
        flushMs: () => random.float(0.5, 30) * slow,
        failure: () => disk.storeFailure,
      },
      remains,
    );
  }

  #makeJournal(nextOffset: number, nextNumber: number): Journal {
    const { settings, clock } = this.#world;
    const { mutations } = this.#given;
    const { journal } = settings.config;
    const self = journalThreadIndex(this.plan);
    return new Journal(
      {
        directory: mutations.journalDirectory(this.directory),
        appenders: this.memory.appenderEnds((appender, notices) =>
          mutations.notices(appender >= producerCount(this.plan), notices),
        ),
        ledgerBell: this.memory.bell(ledgerIndex(this.plan)),
        logTable: this.memory.logTable,
        clock,
        metrics: this.memory.metrics(self),
      },
      {
        durability: journal.durability === "disk" ? "disk" : "process",
        segmentBytes: journal.segmentBytes,
        blockBytesMax: BLOCK_BYTES_MAX,
        epoch: this.epoch,
        nextOffset,
        nextNumber,
      },
    );
  }

  #makeRemoval(): SegmentRemoval {
    const { scheduler } = this.#world;
    const random = this.#given.random.fork("removal");
    const after = (ms: number, run: () => void): void =>
      scheduler.after(ms, this.#ledgerThread, run);
    return new SegmentRemoval({
      directory: removalDirectory(this.directory, (run) => after(random.float(0.05, 20), run)),
      logTable: this.memory.logTable,
      log: this.#log("ledger"),
      after,
      stepBytes: REMOVAL_STEP_BYTES,
    });
  }

  #makeLedger(tailer: LogTailer, quarantined: ReadonlySet<number>): Ledger {
    const { settings, clock, cdr, scheduler } = this.#world;
    const { random } = this.#given;
    const { config } = settings;
    const self = ledgerIndex(this.plan);
    const rows = cdr.rowsOf({
      store: this.store,
      logTable: this.memory.logTable,
      epoch: this.epoch,
      clock,
      log: this.#log("cdr"),
      random: random.fork("cdr"),
      after: (ms, run) => scheduler.after(ms, this.#ledgerThread, run),
    });
    return new Ledger({
      cancelOrders: (producer, order) =>
        this.#tell(producer, () =>
          this.ingresses[producer]?.cancel(order, () =>
            this.#tell(self, () => this.ledger.refuseCancel(order)),
          ),
        ),
      observers: [this.#makeKeys(), this.#given.mutations.cdrRows(rows)],
      node: config.node.name,
      epoch: this.epoch,
      tailer,
      loader: this.#loader(),
      appender: this.memory.appender(self, journalThreadIndex(this.plan)),
      store: this.store,
      submitterOf: (owner) => {
        this.#ledgerDispatcher = this.#dispatcher(self, owner);
        return this.#ledgerDispatcher;
      },
      logTable: this.memory.logTable,
      clock,
      random: random.fork("ledger").next,
      log: this.#log("ledger"),
      metrics: this.memory.metrics(self),
      inHand: this.memory.inHand,
      inHandIndex: self,
      quarantined,
      // Small, so that seeds meet a backlog that is walked in many steps.
      limits: { walkStep: 32, dueStep: 16 },
      policy: {
        retentionMs: config.ledger.retentionH * 3_600_000,
        bytesMax: config.ledger.bytesMax,
        segmentBytes: config.journal.segmentBytes,
        logBytesMax: config.journal.bytesMax,
        eventsMax: config.ledger.eventsMax,
        eventsTtlMs: config.ledger.eventsTtlH * 3_600_000,
        keepsDeadTexts: config.ledger.deadLetterTexts,
        receiptGraceMs: config.ledger.receiptGraceS * 1000,
        plan: this.#ledgerPlan,
      },
    });
  }

  #makeKeys(): IdempotencyKeys {
    const { ttlH, keysMax, appKeysMax } = this.#world.settings.config.idempotency;
    return new IdempotencyKeys({
      store: this.store,
      table: this.memory.keys,
      metrics: this.memory.metrics(ledgerIndex(this.plan)),
      bounds: { ttlMs: ttlH * 3_600_000, keysMax, appKeysMax },
    });
  }

  #quarantined(replayFrom: number): ReadonlySet<number> {
    const loader = this.#loader();
    const quarantined = quarantinedRecords(this.directory, (logOffset) =>
      isRecordDone(logOffset, replayFrom, loader, this.store),
    );
    loader.close();
    return quarantined;
  }

  #loader(): ChunkedRecordLoader {
    const moved = movedBodiesIn(this.store);
    return new ChunkedRecordLoader(this.directory, this.memory.logTable, moved, CHUNK_BYTES);
  }

  #dispatcher(producer: number, owner: WaitingOwner): Dispatcher {
    const workers = Array.from({ length: this.plan.workerCount }, (_, worker) => worker);
    return new Dispatcher({
      producer,
      plan: this.plan,
      credits: this.memory.credits,
      queues: this.memory.queues,
      submitRings: this.memory.submitProducers(producer),
      returnRings: this.memory.returnConsumers(producer),
      bells: workers.map((worker) => this.memory.bell(workerAppenderIndex(this.plan, worker))),
      waitingMax: producer < this.plan.ingressCount ? this.#world.settings.waitingMax : 1_000_000,
      owner,
      links: linkDirectory(this.#pools),
    });
  }

  /** In the order of their threads: ingress, ledger, workers, journal. */
  #agents(): SimulatedAgent[] {
    const ingresses = Array.from({ length: this.plan.ingressCount }, (_, thread) =>
      this.#ticking(`ingress ${thread}`, thread, {
        doWork: () => this.ingresses[thread]?.doWork() ?? 0,
        onTick: () => {
          if (thread === 0) this.#given.mutations.onTick(this.memory);
          this.ingresses[thread]?.onTick();
        },
      }),
    );
    const ledger = this.#ticking("ledger", this.#ledgerThread, {
      doWork: () => {
        const worked = this.ledger.doWork();
        if (!this.isReady && this.ledger.isReady()) this.#open();
        return worked;
      },
      onTick: () => {
        this.ledger.onTick();
        this.#removal.onTick();
      },
    });
    const workers = Array.from({ length: this.plan.workerCount }, (_, worker) =>
      this.#ticking(`worker ${worker}`, workerAppenderIndex(this.plan, worker), {
        doWork: () => this.#workers[worker]?.doWork() ?? 0,
        onTick: () => this.#workers[worker]?.onTick(),
      }),
    );
    const journalThread = journalThreadIndex(this.plan);
    const journal = this.#ticking("journal", journalThread, {
      doWork: () => this.#journal.doWork(),
    });
    return [...ingresses, ledger, ...workers, journal];
  }

  #ticking(name: string, thread: number, part: Ticking): SimulatedAgent {
    const { clock } = this.#world;
    const bell = this.memory.bellOwner(thread);
    let nextTickMs = 0;
    return {
      name,
      arm: () => bell.arm(),
      doWork: () => {
        if (clock.monotonicMs() >= nextTickMs) {
          nextTickMs = clock.monotonicMs() + TICK_MS;
          part.onTick?.();
        }
        return part.doWork();
      },
    };
  }

  /** The ledger is ready: workers and ingress start. */
  #open(): void {
    const { settings, clock, network } = this.#world;
    const { random, mutations } = this.#given;
    const { config } = settings;
    const assignments = assignSessions(this.#pools.links, this.plan.workerCount);
    const drawn = references(0, clock);
    for (let worker = 0; worker < this.plan.workerCount; worker++) {
      const self = workerAppenderIndex(this.plan, worker);
      this.#workers.push(
        new SmppWorker({
          clock,
          random: random.fork(`worker ${worker}`).next,
          dial: mutations.dial(network.dialFor(self)),
          log: this.#log(`worker ${worker}`),
          wake: () => undefined,
          appender: mutations.workerAppender(this.memory, self, journalThreadIndex(this.plan)),
          loader: this.#loader(),
          submits: this.memory.submitConsumers(worker),
          returns: this.memory.returnProducers(worker),
          producerBells: Array.from({ length: producerCount(this.plan) }, (_, producer) =>
            this.memory.bell(producer),
          ),
          credits: this.memory.credits,
          queueTable: this.memory.queues,
          references: drawn,
          linkWords: this.memory.linkWords,
          dialWords: this.memory.dialWords,
          sessionWords: this.memory.sessionWords,
          contracts: this.memory.contracts,
          metrics: this.memory.metrics(self),
          plan: this.#pools,
          workerIndex: worker,
          sessions: assignments[worker] ?? [],
          sequenceNumberFirst: random.pick([1, 1, 0x7ffffff0]),
        }),
      );
    }
    const parts = {
      memory: this.memory,
      epoch: this.epoch,
      clock,
      ledger: this.ledger,
      pools: this.#pools,
      referencePromises: references(1, clock),
      journalBytesMax: config.journal.bytesMax,
      loader: () => this.#loader(),
      dispatcher: (producer: number, owner: WaitingOwner) => this.#dispatcher(producer, owner),
      tell: (thread: number, run: () => void) => this.#tell(thread, run),
    };
    for (let thread = 0; thread < this.plan.ingressCount; thread++) {
      this.ingresses.push(makeIngress(thread, parts));
    }
  }

  /** Runs something on another thread, as a message to it would. */
  #tell(agent: number, run: () => void): void {
    this.#world.scheduler.after(this.#given.random.float(0.01, 2), agent, run);
  }

  #log(thread: string): Log {
    return {
      write: (level, operation, fields) => {
        this.#given.onLog(thread, level, operation, fields ?? {});
      },
    };
  }
}

/** Two of them, 4 MiB each, that one process after the other uses: only one lives at a time. */
const REFERENCES = [allocateReferences(), allocateReferences()] as const;

function references(which: 0 | 1, clock: Clock): SharedArrayBuffer {
  const memory = REFERENCES[which];
  resetReferences(memory, clock.wallMs());
  return memory;
}

/** A tailer whose reader throws with the poisonous ACCEPT in hand, unless it is quarantined. */
function poisonedTailer(
  tailer: LogTailer,
  poison: string | null,
  quarantined: ReadonlySet<number>,
  takeInHand: (logOffset: number) => void,
): LogTailer {
  if (poison === null) return tailer;
  return {
    get position() {
      return tailer.position;
    },
    poll: (visitor, bytesMax) =>
      tailer.poll(
        {
          onRecord: (type, memory, offset, lengthBytes, logOffset) => {
            visitor.onRecord(type, memory, offset, lengthBytes, logOffset);
            if (type !== ACCEPT_TYPE || quarantined.has(logOffset)) return;
            const { view, bytes } = memory;
            const start = offset + acceptToOffset(view, offset);
            const end = start + view.getUint8(offset + Accept.TO_LENGTH);
            const to = Buffer.from(bytes.subarray(start, end)).toString("latin1");
            if (to !== poison) return;
            takeInHand(logOffset);
            throw new PoisonError(`poison: the message to ${to}`);
          },
        },
        bytesMax,
      ),
  };
}
