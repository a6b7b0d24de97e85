/**
 * The bad luck of a run: what goes wrong, when, and for how long, drawn from the seed.
 *
 * Faults come in the first part of a run only; after `calmAtMs` the world is kind, so that
 * everything accepted must reach its end. Deaths of the process are armed here and happen at an
 * effect (effects.ts), or by a disk that fails.
 */
import { COMMAND_ID, COMMAND_STATUS, encodeHeaderOnly } from "../../src/codec/index.ts";
import type { Effects } from "./effects.ts";
import type { SeededRandom } from "./random.ts";
import { type Scheduler, WORLD } from "./scheduler.ts";
import type { SimulatedDisk } from "./simulated-directory.ts";
import type { SimulatedNetwork } from "./simulated-network.ts";
import { GOOD_MOOD, type Mood, type SimulatedSmsc } from "./simulated-smsc.ts";

/** What faults act on. */
export interface FaultTargets {
  readonly scheduler: Scheduler;
  readonly effects: Effects;
  readonly disk: SimulatedDisk;
  readonly network: SimulatedNetwork;
  readonly smscs: readonly SimulatedSmsc[];
  readonly nowMs: () => number;
}

const MOODS: readonly Mood[] = [
  { ...GOOD_MOOD, name: "throttle storm", throttles: 1 },
  { ...GOOD_MOOD, name: "half throttled", throttles: 0.4 },
  { ...GOOD_MOOD, name: "slow", answerMs: [300, 1500] },
  { ...GOOD_MOOD, name: "mute", mute: true },
  { ...GOOD_MOOD, name: "refuses connections", greet: "refuse" },
  { ...GOOD_MOOD, name: "hangs connections", greet: "hang" },
  { ...GOOD_MOOD, name: "answers binds late", bindMs: 4000 },
  { ...GOOD_MOOD, name: "answers binds much too late", bindMs: 31_000 },
  { ...GOOD_MOOD, name: "refuses binds", bindStatus: COMMAND_STATUS.ESME_RBINDFAIL },
  { ...GOOD_MOOD, name: "bad password", bindStatus: COMMAND_STATUS.ESME_RINVPASWD },
  { ...GOOD_MOOD, name: "already bound", bindStatus: COMMAND_STATUS.ESME_RALYBND },
  { ...GOOD_MOOD, name: "refuses much", refusals: 0.5 },
  { ...GOOD_MOOD, name: "loses answers", dropAnswers: 0.2 },
  { ...GOOD_MOOD, name: "answers late", lateAnswers: 0.2 },
  { ...GOOD_MOOD, name: "answers twice", doubleAnswers: 0.5 },
  { ...GOOD_MOOD, name: "reorders", answerMs: [0, 800] },
];

/** Weights of the faults below, in their order. */
const FAULT_WEIGHTS = [6, 4, 3, 10, 4, 4, 2, 3, 5, 2, 2, 1, 1, 2, 2];

/** A PDU without a body. */
const HEADER_BYTES = 16;

/** Bytes that no peer in its right mind sends. */
const GARBAGE: readonly (readonly number[])[] = [
  [0, 0, 0, 8, 0, 0, 0, 0],
  [0x7f, 0xff, 0xff, 0xff],
  [0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
  [0, 0, 0, 16, 0, 0, 0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 9],
  [0, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4],
  [0x48, 0x54, 0x54, 0x50, 0x2f, 0x31, 0x2e, 0x31],
];

export class FaultPlan {
  /** Faults that happened. */
  count = 0;
  readonly #targets: FaultTargets;
  /** Of the fault that strikes: each has its own, so that one left out changes no other. */
  #random: SeededRandom;
  readonly calmAtMs: number;

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
    this.count++;
    switch (this.#random.weighted(FAULT_WEIGHTS)) {
      case 0:
        this.#onConnection("reset", (connection) => connection.cut("ECONNRESET"));
        return;
      case 1:
        this.#onConnection("closed", (connection) => connection.serverEnd.close("fin"));
        return;
      case 2:
        this.#onConnection("half-open", (connection) => connection.freeze());
        return;
      case 3:
        this.#changeMood();
        return;
      case 4:
        this.#changeWeather();
        return;
      case 5:
        this.#slowDisk();
        return;
      case 6:
        this.#failDisk();
        return;
      case 7:
        this.#garbage();
        return;
      case 8:
        this.#stallThread();
        return;
      case 9:
        this.#fillDisk();
        return;
      case 10:
        this.#cutEverything();
        return;
      case 11:
        this.#suspendMachine();
        return;
      case 12:
        this.#failStore();
        return;
      case 13:
        this.#onConnection("is not read", (connection) => {
          connection.stopReading(this.#random.pick([500, 5000, 40_000]));
        });
        return;
      default:
        this.#flood();
    }
  }

  #onConnection(
    what: string,
    act: (connection: NonNullable<ReturnType<SimulatedNetwork["anyConnection"]>>) => void,
  ): void {
    const connection = this.#targets.network.anyConnection();
    if (connection === null) return;
    this.#note(`connection #${connection.id} ${what}`);
    act(connection);
  }

  #cutEverything(): void {
    this.#note("all connections reset");
    for (const connection of this.#targets.network.connections) connection.cut("ECONNRESET");
  }

  #changeMood(): void {
    const smsc = this.#random.pick(this.#targets.smscs);
    const mood = this.#random.pick(MOODS);
    this.#note(`link ${smsc.link}: ${mood.name}`);
    smsc.mood = mood;
    this.#later(this.#random.float(200, 5000), () => {
      if (smsc.mood === mood) smsc.mood = GOOD_MOOD;
    });
  }

  #changeWeather(): void {
    const { weather } = this.#targets.network;
    this.#note("network weather");
    weather.latencyMs = this.#random.pick([0, 1, 20, 150]);
    weather.jitterMs = this.#random.pick([0, 2, 50, 300]);
    weather.splitChance = this.#random.pick([0, 0.3, 0.9]);
    weather.drainMs = this.#random.pick([0, 0.1, 20, 800]);
    this.#later(this.#random.float(500, 5000), () => this.#resetWeather());
  }

  #resetWeather(): void {
    Object.assign(this.#targets.network.weather, {
      latencyMs: 1,
      jitterMs: 1,
      splitChance: 0.3,
      drainMs: 0.1,
    });
  }

  #slowDisk(): void {
    const { disk } = this.#targets;
    const worstMs = this.#random.pick([5, 50, 500]);
    this.#note(`syncs take up to ${worstMs} ms`);
    disk.syncMs = () => this.#random.float(0.1, worstMs);
    this.#later(this.#random.float(100, 2000), () => {
      disk.syncMs = () => 0.2;
    });
  }

  #failDisk(): void {
    const operation = this.#random.pick(["write", "sync", "sync", "create"] as const);
    const code = this.#random.pick(["EIO", "EROFS"]);
    this.#note(`${operation} will fail with ${code}`);
    this.#targets.disk.failOnce(operation, this.#random.between(1, 5), code);
  }

  #fillDisk(): void {
    this.#note("no room on the disk for a while");
    this.#targets.disk.full = true;
    this.#later(this.#random.float(50, 1500), () => {
      this.#targets.disk.full = false;
    });
  }

  #garbage(): void {
    const bytes = Uint8Array.from(this.#random.pick(GARBAGE));
    this.#onConnection("gets garbage", (connection) => connection.inject(bytes));
  }

  /** Requests without end, by a peer that does not read what is answered. */
  #flood(): void {
    const count = this.#random.pick([20, 500, 3000]);
    const isRead = this.#random.chance(0.3);
    this.#onConnection(`gets ${count} enquire_link`, (connection) => {
      if (!isRead) connection.stopReading(this.#random.pick([2000, 40_000]));
      const requests = new Uint8Array(count * HEADER_BYTES);
      for (let i = 0; i < count; i++) {
        encodeHeaderOnly(COMMAND_ID.enquire_link, requests, i * HEADER_BYTES, 0, 1 + i);
      }
      connection.inject(requests);
    });
  }

  /** No thread gets a turn: SIGSTOP, or a machine that sleeps. */
  #suspendMachine(): void {
    const { scheduler } = this.#targets;
    const ms = this.#random.pick([1000, 5000, 15_000]);
    this.#note(`the machine sleeps for ${ms} ms`);
    for (let index = 0; index < scheduler.agentCount; index++) scheduler.stall(index, ms);
  }

  #failStore(): void {
    this.#note("commits of the store fail for a while");
    this.#targets.disk.storeFailure = this.#random.pick(["ENOSPC", "EIO"]);
    this.#later(this.#random.float(50, 1500), () => {
      this.#targets.disk.storeFailure = null;
    });
  }

  #stallThread(): void {
    const { scheduler } = this.#targets;
    if (scheduler.agentCount === 0) return;
    const index = this.#random.below(scheduler.agentCount);
    this.#note(`thread ${index} gets no turns`);
    scheduler.stall(index, this.#random.pick([5, 50, 400, 1500, 5000]));
  }

  #calm(): void {
    this.#note("calm from here on");
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

  #note(what: string): void {
    this.#targets.effects.note(`FAULT ${what}`);
  }
}
