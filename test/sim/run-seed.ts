/**
 * One whole run from one number: traffic, faults, deaths and restarts, then calm until everything
 * is final, then the judges.
 *
 *   ├── traffic, faults, deaths ──┼── calm ── everything final ──┼── restarted once more ──┤ judged
 */
import { systemCode } from "../../src/journal/errors.ts";
import { LogWord } from "../../src/tables/log-table.ts";
import { WORLD_START_WALL_MS } from "./clock.ts";
import { type CrashKind, type EffectKind, SimulatedCrash, type TraceEntry } from "./effects.ts";
import { FaultPlan, InjectedError } from "./faults.ts";
import { type FinalDocument, judgeEnd } from "./final-judge.ts";
import { PoisonError, SimulatedGateway } from "./gateway.ts";
import type { MessageModel } from "./log-model.ts";
import { watchDrain } from "./drain.ts";
import { type Mutations, NO_MUTATIONS } from "./mutations.ts";
import { OperatorDesk } from "./operator-desk.ts";
import { Reconfiguration } from "./reconfiguration.ts";
import { WORLD } from "./scheduler.ts";
import { Senders } from "./senders.ts";
import type { StoreRemains } from "./simulated-store.ts";
import { planTraffic } from "./traffic.ts";
import { World } from "./world.ts";

/** What a seed is made of, and may be shrunk by; each numbered from 0. */
export const SEED_PARTS = ["deaths", "faults", "messages"] as const;
export type SeedPart = (typeof SEED_PARTS)[number];

export interface RunOptions {
  readonly mutations?: Mutations;
  /** Called with each log line of the gateway. */
  readonly onLog?: (line: string) => void;
  /** Instead of what the seed draws, to look closer. */
  readonly messages?: number;
  readonly faults?: number;
  readonly deaths?: number;
  readonly reloads?: number;
  /** Which of its messages, faults and deaths take part; null: all. */
  readonly only?: Partial<Record<SeedPart, ReadonlySet<number>>>;
  /** Every death is a power loss after this kind of effect. */
  readonly deathAt?: EffectKind;
}

export interface RunResult {
  readonly seed: number;
  /** How many of each part the seed draws. */
  readonly planned: Readonly<Record<SeedPart, number>>;
  readonly violations: readonly string[];
  readonly messages: number;
  readonly promised: number;
  /** Repeated calls that got the first answer again. */
  readonly repeated: number;
  readonly refusals: number;
  readonly segments: number;
  readonly deaths: readonly string[];
  readonly faults: number;
  /** Strikes by kind (`FaultRow`). */
  readonly faultRows: Readonly<Record<string, number>>;
  /** Reloads that every thread took over. */
  readonly reloads: number;
  /** Dead letters sent anew, and decisions about held messages. */
  readonly replayed: number;
  readonly decided: number;
  readonly flaggedDuplicates: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Hits per row of the recovery table: as the ledgers counted them, and as the log has them. */
  readonly rows: Readonly<Record<string, number>>;
  readonly rowsInLog: Readonly<Record<string, number>>;
  readonly rateShareMax: number;
  readonly simulatedMs: number;
  readonly turns: number;
  /** How often each kind of effect happened. */
  readonly effects: Readonly<Record<string, number>>;
  readonly trace: readonly TraceEntry[];
}

/** Messages, faults and deaths of a run; the house asks for 1,000, 20 and 1 at least. */
const MESSAGES = [1050, 1300] as const;
const FAULTS = [24, 44] as const;
const DEATHS = [1, 4] as const;
const RELOADS = [0, 5] as const;
const DRAINS = [0, 2] as const;
/** A crowded run keeps a backlog; a long one lets go of its log on the way. */
const CROWDED = { trafficMs: 16_000, calmAtMs: 20_000, ttlS: [15, 40] } as const;
const LONG = { trafficMs: 38_000, calmAtMs: 42_000, ttlS: [4, 9] } as const;
/** By then everything must be final: longest validity, grace, and what the last restart takes. */
const END_MS = 140_000;
/** Most that a start finds the machine's clock set off. */
const CLOCK_SKEW_MS_MAX = 3000;
const STARTS_MAX = 60;
/** How often the books are recounted while a process runs; at each start besides. */
const BOOKS_MS = 10_000;
const ARMED_MS_MAX = 5000;
/** What repeating every call that has a key takes, and more. */
const REPEAT_MS = 200;
/** Effects of a start, at which it may die as well. */
const START_EFFECTS: readonly EffectKind[] = [
  "disk.create",
  "disk.write",
  "disk.sync",
  "disk.rename",
  "disk.sync_directory",
  "disk.remove",
  "disk.truncate",
  "ring.staging",
  "ring.submit",
  "ring.notice",
  "store.commit",
  "store.flush",
];
/** System errors that may end a process when a fault has been injected. */
const EXPECTED_CODES: readonly string[] = ["EIO", "EROFS", "ENOSPC"];

/** Runs one seed to its end. Throws only if the simulation itself is broken. */
export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  return new Run(seed, options).run();
}

class Run {
  readonly #seed: number;
  readonly #world: World;
  readonly #mutations: Mutations;
  readonly #senders: Senders;
  readonly #faults: FaultPlan;
  readonly #desk: OperatorDesk;
  readonly #reconfiguration: Reconfiguration;
  readonly #onLog: ((line: string) => void) | null;
  readonly #deaths: string[] = [];
  readonly #deathAt: EffectKind | null;
  readonly #rows = new Map<string, number>();
  /** Destination of a message that the ledger cannot stand; every few seeds have one. */
  readonly #poison: string | null;
  readonly #calmAtMs: number;
  readonly #planned: Readonly<Record<SeedPart, number>>;
  #gateway: SimulatedGateway | null = null;
  #remains: StoreRemains | null = null;
  #crashKind: CrashKind = "kill";
  /** What the gateway says of each message at the end. */
  readonly #documents = new Map<string, FinalDocument | null>();
  /** A thread threw what it must not: the run ends there. */
  #isBroken = false;
  #quietSinceMs = -1;
  #nextLookMs = 0;
  #nextBooksMs = 0;

  constructor(seed: number, options: RunOptions) {
    this.#seed = seed;
    this.#world = new World(seed);
    this.#mutations = options.mutations ?? NO_MUTATIONS;
    this.#onLog = options.onLog ?? null;
    this.#deathAt = options.deathAt ?? null;
    const { random, scheduler } = this.#world;
    const { trafficMs, calmAtMs, ttlS } = random.chance(0.6) ? CROWDED : LONG;
    this.#calmAtMs = calmAtMs;
    const traffic = planTraffic(random.fork("traffic"), {
      count: options.messages ?? random.between(...MESSAGES),
      fromMs: 1100,
      untilMs: trafficMs,
      ttlS,
    });
    this.#poison = random.chance(0.3) ? random.pick(traffic).to : null;
    const keeps = (part: SeedPart, index: number): boolean =>
      options.only?.[part]?.has(index) !== false;
    const sent = traffic.filter((_, message) => keeps("messages", message));
    this.#planned = {
      deaths: options.deaths ?? random.between(...DEATHS),
      faults: options.faults ?? random.between(...FAULTS),
      messages: traffic.length,
    };
    this.#senders = new Senders(this.#world, sent, this.#mutations.repliesEarly);
    this.#desk = new OperatorDesk(this.#world, random.fork("desk"), this.#senders, calmAtMs);
    this.#faults = new FaultPlan(
      this.#world,
      random.fork("faults"),
      1500,
      calmAtMs,
      this.#planned.faults,
      (fault) => keeps("faults", fault),
    );
    this.#reconfiguration = new Reconfiguration(this.#world, random.fork("reloads"));
    for (let i = options.reloads ?? random.between(...RELOADS); i > 0; i--) {
      scheduler.at(random.float(1500, calmAtMs - 500), WORLD, () => {
        this.#reconfiguration.change(this.#gateway);
      });
    }
    scheduler.at(calmAtMs, WORLD, () => this.#reconfiguration.restore(this.#gateway));
    const drains = random.fork("drains");
    for (let i = drains.between(...DRAINS); i > 0; i--) {
      const atMs = drains.float(1500, calmAtMs - 500);
      const isUrgent = drains.chance(0.4);
      const againMs = drains.pick([1, 50, 3000]) * drains.next();
      scheduler.at(atMs, WORLD, () => this.#terminate(isUrgent ? againMs : null));
    }
    for (let death = 0; death < this.#planned.deaths; death++) {
      const atMs = random.float(1500, calmAtMs - 500);
      if (keeps("deaths", death)) scheduler.at(atMs, WORLD, () => this.#armDeath());
    }
  }

  run(): RunResult {
    for (let starts = 0; starts < STARTS_MAX && !this.#isBroken; starts++) {
      if (!this.#start()) continue;
      if (this.#live()) break;
    }
    this.#judge();
    this.#judgeAgain();
    return this.#result();
  }

  /** SIGTERM, and perhaps a second one `againMs` later. */
  #terminate(againMs: number | null): void {
    const gateway = this.#gateway;
    const { effects, scheduler, judge } = this.#world;
    const onClosed = (): void => {
      const { pendingCount } = this.#senders;
      if (pendingCount > 0) judge.violate(`a drain cut off ${pendingCount} calls`);
    };
    const drain = gateway?.drain(onClosed) ?? null;
    if (gateway === null || drain === null) return;
    effects.note("SIGTERM");
    this.#world.faultCounts.add("F4 SIGTERM");
    const isAlive = (): boolean => this.#gateway === gateway;
    watchDrain(drain, scheduler, isAlive, (step) => this.#exit(gateway, step));
    if (againMs === null) return;
    scheduler.after(againMs, WORLD, () => {
      if (isAlive()) this.#exit(gateway, "second signal");
    });
  }

  /** The process ends by itself; after a whole drain it leaves nothing open. */
  #exit(gateway: SimulatedGateway, how: string): never {
    const { effects, judge, model } = this.#world;
    this.#crashKind = "kill";
    if (how === "drained") {
      gateway.writeLastDrain();
      const unended = model.unended();
      if (unended > 0) judge.violate(`a drain left ${unended} SENDINGs without an end in the log`);
    }
    return effects.crash(how);
  }

  #armDeath(): void {
    const { effects, random, scheduler } = this.#world;
    this.#crashKind = this.#world.survivesPowerLoss && random.chance(0.5) ? "power" : "kill";
    if (this.#deathAt !== null) {
      this.#crashKind = this.#world.survivesPowerLoss ? "power" : "kill";
      effects.arm(this.#deathAt, 1, true);
      return;
    }
    if (this.#crashKind === "power" && random.chance(0.4)) {
      // Then something is written and not synced.
      effects.arm("disk.sync", random.between(1, 50), false);
    } else effects.armAtRandom(random);
    scheduler.after(ARMED_MS_MAX, WORLD, () => {
      if (effects.armed) effects.arm(random.pick(["disk.write", "ring.notice"]), 1, true);
    });
  }

  /** Starts a process. False: it died or refused on the way. */
  #start(): boolean {
    const world = this.#world;
    const { effects, random } = world;
    effects.revive();
    world.clock.setSkew(
      random.chance(0.2) ? random.float(-CLOCK_SKEW_MS_MAX, CLOCK_SKEW_MS_MAX) : 0,
    );
    if (this.#deaths.length > 0 && world.nowMs() < this.#calmAtMs && random.chance(0.2)) {
      effects.arm(random.pick(START_EFFECTS), random.between(1, 4), random.chance(0.5));
    }
    const takesOverUnsafe =
      !effects.armed &&
      world.survivesPowerLoss &&
      world.nowMs() < this.#calmAtMs &&
      !world.disk.isSafe;
    try {
      this.#gateway = new SimulatedGateway(world, {
        random: random.fork("gateway"),
        mutations: this.#mutations,
        remains: this.#remains,
        poison: this.#poison,
        onLog: (thread, level, operation, fields) => {
          effects.note(`LOG ${thread} ${level} ${operation} ${JSON.stringify(fields)}`);
          this.#onLog?.(`${world.nowMs().toFixed(1)} ${thread} ${level} ${operation}`);
        },
      });
      this.#senders.setGateway(this.#gateway);
      this.#desk.setGateway(this.#gateway);
      this.#checkBooks("at a start");
      if (takesOverUnsafe && random.chance(0.5)) this.#losePowerEarly();
      return true;
    } catch (error) {
      this.#die(error);
      return false;
    }
  }

  /**
   * What the last process wrote and did not sync has been taken over: the power goes when the store
   * has flushed what the ledger made of it, and the journal has hardly come to sync anything.
   */
  #losePowerEarly(): void {
    const { effects, disk, random, faultCounts } = this.#world;
    const stuckMs = random.float(300, 3000);
    effects.note(`FAULT the first sync after a recovery takes ${stuckMs} ms`);
    faultCounts.add("F8 slow disk");
    disk.syncMs = () => {
      disk.syncMs = () => 0.2;
      return stuckMs;
    };
    this.#crashKind = "power";
    effects.arm("store.flush", random.between(1, 2), true);
  }

  /** Runs the process until it dies (false) or the run is over (true). */
  #live(): boolean {
    const { scheduler, nowMs } = this.#world;
    try {
      const crash = scheduler.run(() => this.#isOver(), END_MS);
      if (crash === null) {
        if (nowMs() >= END_MS) {
          const { logTable } = (this.#gateway as SimulatedGateway).memory;
          const open = this.#gateway?.ledger.status().books.open;
          const behind = logTable.load(LogWord.COMMITTED) - logTable.load(LogWord.LEDGER_APPLIED);
          this.#world.judge.violate(
            `not over in time: ${open} open, ledger ${behind} bytes behind, ` +
              `ready ${this.#gateway?.isReady}, senders done ${this.#senders.isDone}`,
          );
        }
        return true;
      }
      this.#die(crash);
    } catch (error) {
      this.#die(error);
    }
    return false;
  }

  #isOver(): boolean {
    const nowMs = this.#world.nowMs();
    if (nowMs < this.#nextLookMs) return false;
    this.#nextLookMs = nowMs + 100;
    const gateway = this.#gateway as SimulatedGateway;
    const { logTable } = gateway.memory;
    this.#checkSpace();
    if (nowMs >= this.#nextBooksMs) {
      this.#nextBooksMs = nowMs + BOOKS_MS;
      this.#checkBooks("on the way");
    }
    const isQuiet =
      nowMs > this.#calmAtMs &&
      this.#senders.isDone &&
      gateway.isReady &&
      !gateway.ledger.isRecovering() &&
      gateway.ledger.status().books.open === 0 &&
      logTable.load(LogWord.LEDGER_APPLIED) === logTable.load(LogWord.COMMITTED);
    if (!isQuiet) this.#quietSinceMs = -1;
    else if (this.#quietSinceMs < 0) this.#quietSinceMs = nowMs;
    return isQuiet && nowMs - this.#quietSinceMs > 1500;
  }

  /** The store has the books of whatever it has committed. */
  #checkBooks(when: string): void {
    const { judge } = this.#world;
    for (const problem of this.#gateway?.verifyBooks() ?? []) {
      judge.violate(`books ${when}: ${problem}`);
    }
  }

  /** The log stays within its bound, but for the segments in use. */
  #checkSpace(): void {
    const { segmentBytes, bytesMax } = this.#world.settings.config.journal;
    let bytes = 0;
    for (const [name, inode] of this.#world.disk.names) {
      if (name.startsWith("log-")) bytes += inode.size;
    }
    if (bytes > bytesMax + 2 * segmentBytes) {
      this.#world.judge.violate(`${bytes} bytes of log on disk, at most ${bytesMax} are allowed`);
    }
  }

  /** The process has ended by `cause`: a crash of the simulation, or what a thread threw. */
  #die(cause: unknown): void {
    const { effects, disk, network, scheduler, random, observer, judge, faultCounts } = this.#world;
    const gateway = this.#gateway;
    let kind: CrashKind = "kill";
    scheduler.setAgents([]);
    if (effects.crashed) {
      kind = this.#crashKind;
      this.#deaths.push(`${kind} ${effects.crashPlace}`);
      this.#countDeath(kind, effects.crashPlace);
    } else {
      this.#deaths.push(`exit ${describeError(cause)}`);
      if (!isExpectedExit(cause)) {
        judge.violate(`a thread threw: ${describeError(cause)}`);
        this.#isBroken = true;
      }
      effects.note(`EXIT ${describeError(cause)}`);
      this.#writeLastExit(gateway, describeError(cause), scheduler.thrower);
    }
    effects.disarm();
    this.#senders.setGateway(null);
    this.#desk.setGateway(null);
    if (gateway !== null) {
      this.#countRows(gateway);
      this.#remains = gateway.store.remainsAfter(kind, random);
    }
    this.#gateway = null;
    network.killProcess(kind === "power");
    if (kind === "power" && disk.losePower() > 0) {
      faultCounts.add("F6 unsynced sectors lost or torn");
    }
    observer.rescan();
    effects.revive();
    const downMs = random.pick([150, 300, 1000, 3000]);
    scheduler.run(() => false, this.#world.nowMs() + downMs * (0.5 + random.next()));
  }

  #countDeath(kind: CrashKind, place: string): void {
    const { faultCounts } = this.#world;
    if (/^(before|after) /.test(place)) faultCounts.add("F2 dies at an effect");
    if (place === "second signal") faultCounts.add("F4 a second SIGTERM");
    else if (kind === "power") faultCounts.add("F5 power lost");
    else if (place !== "drained") faultCounts.add("F1 killed");
  }

  #writeLastExit(gateway: SimulatedGateway | null, reason: string, thread: number): void {
    try {
      gateway?.writeLastExit(reason, thread);
    } catch (error) {
      // The disk that ended the process may refuse its last note as well.
      if (!(error instanceof SimulatedCrash) && !isExpectedExit(error)) throw error;
    }
  }

  #countRows(gateway: SimulatedGateway): void {
    for (const [row, hits] of Object.entries(gateway.rowHits())) {
      this.#rows.set(row, (this.#rows.get(row) ?? 0) + hits);
    }
  }

  #judge(): void {
    const { judge, model, smscs, ambiguousRule } = this.#world;
    const gateway = this.#gateway;
    if (gateway === null) {
      judge.violate("no process lives to be asked");
      return;
    }
    this.#countRows(gateway);
    const documents = this.#documents;
    for (const message of model.messages.values()) {
      documents.set(message.key, gateway.documentOf(message));
    }
    const verdict = judgeEnd({
      promised: this.#senders.promised,
      cancelAnswers: this.#senders.cancelAnswers,
      planned: this.#senders.planned,
      smscs,
      model,
      ambiguousRule,
      documentOf: (message: MessageModel) => documents.get(message.key) ?? null,
      receiptDeadlineMs: ({ expiresAtMs }) =>
        expiresAtMs - WORLD_START_WALL_MS - CLOCK_SKEW_MS_MAX - 1000,
    });
    for (const violation of verdict.violations) judge.violate(violation);
    this.#desk.judge();
    const statusOf = (key: string): string | null => documents.get(key)?.status ?? null;
    this.#world.cdr.judge(gateway.store, model, statusOf);
    this.#checkBooks("at the end");
    this.#verdict = verdict;
  }

  /** Dies once more and starts again: what was final must be found as it was. */
  #judgeAgain(): void {
    const { judge, effects, random } = this.#world;
    if (this.#gateway === null || this.#isBroken) return;
    this.#crashKind = this.#world.survivesPowerLoss && random.chance(0.5) ? "power" : "kill";
    try {
      effects.crash("at the end of the run");
    } catch (error) {
      this.#die(error);
    }
    if (!this.#start()) return;
    try {
      this.#judgeRestart();
    } catch (error) {
      judge.violate(`a thread threw after the end: ${describeError(error)}`);
    }
  }

  #judgeRestart(): void {
    const { judge, model, scheduler, nowMs } = this.#world;
    const before = this.#documents;
    const gateway = this.#gateway as SimulatedGateway;
    // What time alone had ended may be open again until the sweep comes by.
    const isBack = (): boolean =>
      gateway.isReady && !gateway.ledger.isRecovering() && gateway.ledger.status().books.open === 0;
    scheduler.run(isBack, nowMs() + 30_000);
    if (!isBack()) judge.violate("the restart at the end did not come to life");
    this.#senders.repeatAll();
    scheduler.run(() => false, nowMs() + REPEAT_MS);
    for (const message of model.messages.values()) {
      const was = before.get(message.key)?.status;
      const is = gateway.documentOf(message)?.status;
      if (is !== was) judge.violate(`${message.to} was ${was}, and is ${is} after a restart`);
    }
    this.#checkBooks("after a restart");
  }

  #verdict: ReturnType<typeof judgeEnd> | null = null;

  #result(): RunResult {
    const { judge, model, effects, scheduler } = this.#world;
    let refusals = 0;
    for (const count of this.#senders.refusals.values()) refusals += count;
    return {
      seed: this.#seed,
      planned: this.#planned,
      violations: judge.violations,
      messages: model.messages.size,
      promised: this.#senders.promised.length,
      repeated: this.#senders.repeated,
      refusals,
      segments: judge.submits,
      deaths: this.#deaths,
      faults: this.#faults.count,
      faultRows: this.#world.faultCounts.byRow(),
      reloads: this.#reconfiguration.count,
      replayed: this.#desk.replayed,
      decided: this.#desk.decided,
      flaggedDuplicates: this.#verdict?.flaggedDuplicates ?? 0,
      statuses: Object.fromEntries(this.#verdict?.statuses ?? []),
      rows: Object.fromEntries(this.#rows),
      rowsInLog: Object.fromEntries(model.rows),
      rateShareMax: judge.rateShareMax,
      simulatedMs: this.#world.nowMs(),
      turns: scheduler.turns,
      effects: Object.fromEntries(effects.counts),
      trace: effects.trace(),
    };
  }
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.name}: ${error.message}\n${error.stack ?? ""}`.slice(0, 1500);
}

function isExpectedExit(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof PoisonError || error instanceof InjectedError) return true;
  if (EXPECTED_CODES.includes(systemCode(error))) return true;
  return error.cause !== undefined && isExpectedExit(error.cause);
}
