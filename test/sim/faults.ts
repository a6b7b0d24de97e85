/**
 * The bad luck of a run: what goes wrong, when, and for how long, drawn from the seed.
 *
 * Faults come in the first part of a run only; after `calmAtMs` the world is kind, so that
 * everything accepted must reach its end. Deaths of the process are armed here and happen at an
 * effect (effects.ts), or by a disk that fails, or by what a thread throws.
 */
import type { SimulatedClock } from "./clock.ts";
import type { Effects } from "./effects.ts";
import type { FaultCounts, FaultRow } from "./fault-rows.ts";
import { GARBAGE, MOODS } from "./moods.ts";
import { enquireLinks, foreignDeliveries } from "./odd-pdus.ts";
import type { SeededRandom } from "./random.ts";
import { type Scheduler, WORLD } from "./scheduler.ts";
import type { SimulatedDisk } from "./simulated-directory.ts";
import {
  GOOD_WEATHER,
  type SimulatedConnection,
  type SimulatedNetwork,
} from "./simulated-network.ts";
import { GOOD_MOOD, type SimulatedSmsc } from "./simulated-smsc.ts";

/** What faults act on. */
export interface FaultTargets {
  readonly scheduler: Scheduler;
  readonly clock: SimulatedClock;
  readonly effects: Effects;
  readonly faultCounts: FaultCounts;
  readonly disk: SimulatedDisk;
  readonly network: SimulatedNetwork;
  readonly smscs: readonly SimulatedSmsc[];
  readonly nowMs: () => number;
}

const HOUR_MS = 3_600_000;
const CLOCK_JUMPS_MS = [-24 * HOUR_MS, -HOUR_MS, -2000, 2000, HOUR_MS, 24 * HOUR_MS] as const;

/** What a thread of the gateway is made to throw. */
export class InjectedError extends Error {
  override readonly name = "InjectedError";
}

/** A fault: how often it is drawn beside the others, and what it does. */
interface Kind {
  readonly weight: number;
  readonly strike: () => void;
}

export class FaultPlan {
  /** Faults that happened. */
  count = 0;
  readonly #targets: FaultTargets;
  /** Of the fault that strikes: each has its own, so that one left out changes no other. */
  #random: SeededRandom;
  readonly calmAtMs: number;
  readonly #kinds: readonly Kind[] = [
    { weight: 6, strike: () => this.#cutConnection() },
    { weight: 4, strike: () => this.#closeConnection() },
    { weight: 3, strike: () => this.#freezeConnection() },
    { weight: 10, strike: () => this.#changeMood() },
    { weight: 4, strike: () => this.#changeWeather() },
    { weight: 4, strike: () => this.#slowDisk() },
    { weight: 2, strike: () => this.#failDisk() },
    { weight: 3, strike: () => this.#garbage() },
    { weight: 5, strike: () => this.#stallThread() },
    { weight: 2, strike: () => this.#fillDisk() },
    { weight: 2, strike: () => this.#cutEverything() },
    { weight: 1, strike: () => this.#suspendMachine() },
    { weight: 1, strike: () => this.#failStore() },
    { weight: 2, strike: () => this.#stopReading() },
    { weight: 2, strike: () => this.#flood() },
    { weight: 1, strike: () => this.#setClock() },
    { weight: 1, strike: () => this.#throwInThread() },
    { weight: 1, strike: () => this.#splitIntoBytes() },
  ];

  /** Plans `faults` faults between `fromMs` and `calmAtMs`; `keeps` says which of them happen. */
  constructor(
    targets: FaultTargets,
    random: SeededRandom,
    fromMs: number,
    calmAtMs: number,
    faults: number,
    keeps: (fault: number) => boolean,
  ) {
    this.#targets = targets;
    this.#random = random;
    this.calmAtMs = calmAtMs;
    for (let fault = 0; fault < faults; fault++) {
      const own = random.fork(`fault ${fault}`);
      if (!keeps(fault)) continue;
      targets.scheduler.at(own.float(fromMs, calmAtMs - 500), WORLD, () => this.#strike(own));
    }
    targets.scheduler.at(calmAtMs, WORLD, () => this.#calm());
  }

  #strike(random: SeededRandom): void {
    this.#random = random;
    const kind = this.#random.weighted(this.#kinds.map(({ weight }) => weight));
    this.#kinds[kind]?.strike();
  }

  /** A fault strikes now. */
  #begin(row: FaultRow, what: string): void {
    this.count++;
    this.#targets.faultCounts.add(row);
    this.#targets.effects.note(`FAULT ${what}`);
  }

  /** Strikes an open connection; while there is none, operators change their mood instead. */
  #onConnection(row: FaultRow, what: string, act: (one: SimulatedConnection) => void): void {
    const connection = this.#targets.network.anyConnection();
    if (connection === null) {
      this.#changeMood();
      return;
    }
    this.#begin(row, `connection #${connection.id} ${what}`);
    act(connection);
  }

  #cutConnection(): void {
    this.#onConnection("F9 connection cut or closed", "reset", (one) => one.cut("ECONNRESET"));
  }

  #closeConnection(): void {
    this.#onConnection("F9 connection cut or closed", "closed", (one) => {
      one.serverEnd.close("fin");
    });
  }

  #freezeConnection(): void {
    this.#onConnection("F12 half-open", "half-open", (one) => one.freeze());
  }

  #stopReading(): void {
    const ms = this.#random.pick([500, 5000, 40_000]);
    this.#onConnection("F19 does not read", "is not read", (one) => one.stopReading(ms));
  }

  #cutEverything(): void {
    this.#begin("F9 connection cut or closed", "all connections reset");
    for (const connection of this.#targets.network.connections) connection.cut("ECONNRESET");
  }

  #changeMood(): void {
    const smsc = this.#random.pick(this.#targets.smscs);
    const { row, mood } = this.#random.pick(MOODS);
    this.#begin(row, `link ${smsc.link}: ${mood.name}`);
    smsc.mood = mood;
    this.#later(this.#random.float(200, 5000), () => {
      if (smsc.mood === mood) smsc.mood = GOOD_MOOD;
    });
  }

  #changeWeather(): void {
    const { weather } = this.#targets.network;
    this.#begin("slow or splitting network", "network weather");
    weather.latencyMs = this.#random.pick([0, 1, 20, 150]);
    weather.jitterMs = this.#random.pick([0, 2, 50, 300]);
    weather.splitChance = this.#random.pick([0, 0.3, 0.9]);
    weather.drainMs = this.#random.pick([0, 0.1, 20, 800]);
    this.#later(this.#random.float(500, 5000), () => this.#resetWeather());
  }

  #splitIntoBytes(): void {
    const { weather } = this.#targets.network;
    this.#begin("bytes one by one", "every byte comes alone");
    [weather.splitChance, weather.isByteByByte] = [1, true];
    this.#later(this.#random.float(100, 1000), () => this.#resetWeather());
  }

  #resetWeather(): void {
    Object.assign(this.#targets.network.weather, GOOD_WEATHER);
  }

  #slowDisk(): void {
    const { disk } = this.#targets;
    const worstMs = this.#random.pick([5, 50, 500]);
    this.#begin("F8 slow disk", `syncs take up to ${worstMs} ms`);
    const random = this.#random;
    disk.syncMs = () => random.float(0.1, worstMs);
    this.#later(this.#random.float(100, 2000), () => {
      disk.syncMs = () => 0.2;
    });
  }

  #failDisk(): void {
    const operation = this.#random.pick([
      "write",
      "sync",
      "sync",
      "create",
      "sync_directory",
    ] as const);
    const code = this.#random.pick(["EIO", "EROFS", "ENOSPC"]);
    this.#begin("F8 write, sync or create fails", `${operation} will fail with ${code}`);
    this.#targets.disk.failOnce(operation, this.#random.between(1, 5), code);
  }

  #fillDisk(): void {
    this.#begin("F7 disk full", "no room on the disk for a while");
    this.#targets.disk.full = true;
    this.#later(this.#random.float(50, 1500), () => {
      this.#targets.disk.full = false;
    });
  }

  #garbage(): void {
    const bytes = Uint8Array.from(this.#random.pick(GARBAGE));
    this.#onConnection("F13 garbage", "gets garbage", (one) => one.inject(bytes));
  }

  /** Requests without end, by a peer that does not read what is answered. */
  #flood(): void {
    const isDeliveries = this.#random.chance(0.5);
    const count = this.#random.pick(isDeliveries ? [20, 200] : [20, 500, 3000]);
    const isRead = this.#random.chance(0.3);
    const what = `gets ${count} ${isDeliveries ? "deliver_sm" : "enquire_link"}`;
    this.#onConnection("F19 floods and does not read", what, (one) => {
      if (!isRead) one.stopReading(this.#random.pick([2000, 40_000]));
      one.inject(isDeliveries ? foreignDeliveries(count) : enquireLinks(count));
    });
  }

  /** No thread gets a turn: SIGSTOP, or a machine that sleeps. */
  #suspendMachine(): void {
    const { scheduler } = this.#targets;
    const ms = this.#random.pick([1000, 5000, 15_000]);
    this.#begin("F24 the machine sleeps", `the machine sleeps for ${ms} ms`);
    for (let index = 0; index < scheduler.agentCount; index++) scheduler.stall(index, ms);
  }

  /** Somebody sets the machine's clock; the next start finds it right again, or nearly so. */
  #setClock(): void {
    const ms = this.#random.pick(CLOCK_JUMPS_MS);
    this.#begin("F24 clock jumps", `the machine's clock jumps by ${ms} ms`);
    this.#targets.clock.jump(ms);
  }

  #failStore(): void {
    this.#begin("F8 commits of the store fail", "commits of the store fail for a while");
    this.#targets.disk.storeFailure = this.#random.pick(["ENOSPC", "EIO"]);
    this.#later(this.#random.float(50, 1500), () => {
      this.#targets.disk.storeFailure = null;
    });
  }

  /** A thread of the gateway that lives, or null. */
  #anyThread(): number | null {
    const { agentCount } = this.#targets.scheduler;
    if (agentCount > 0) return this.#random.below(agentCount);
    this.#changeMood();
    return null;
  }

  #stallThread(): void {
    const thread = this.#anyThread();
    if (thread === null) return;
    this.#begin("F25 a thread stalls", `thread ${thread} gets no turns`);
    this.#targets.scheduler.stall(thread, this.#random.pick([5, 50, 400, 1500, 5000]));
  }

  #throwInThread(): void {
    const thread = this.#anyThread();
    if (thread === null) return;
    this.#begin("F3 a thread throws", `thread ${thread} throws`);
    this.#targets.scheduler.throwIn(thread, new InjectedError(`injected into thread ${thread}`));
  }

  #calm(): void {
    this.#targets.effects.note("FAULT calm from here on");
    for (const smsc of this.#targets.smscs) smsc.mood = GOOD_MOOD;
    this.#targets.disk.clearFailures();
    this.#targets.disk.full = false;
    this.#targets.disk.storeFailure = null;
    this.#targets.disk.syncMs = () => 0.2;
    this.#resetWeather();
  }

  #later(ms: number, run: () => void): void {
    const atMs = Math.min(this.#targets.nowMs() + ms, this.calmAtMs);
    this.#targets.scheduler.at(atMs, WORLD, run);
  }
}
