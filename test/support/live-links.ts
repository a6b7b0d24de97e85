/**
 * The real SMPP worker on real sockets, on a clock that runs faster than the wall's, with what the
 * ledger does about its records: a refusal is sent again, an ambiguity by policy.
 *
 *   submit ──► worker ──TCP──► SMSC        ANSWER retry, RETURN ──► handed over again
 *      ▲─────────┘ records                 AMBIGUOUS ──resend──► handed over again, maybe_dup
 *                                                    └──fail──► over
 *
 * One thread: the SMSC of the test usually runs on it, too.
 */
import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LinkConfig } from "../../src/config/types.ts";
import { FLAG_MAYBE_DUP, Outcome } from "../../src/records/attempt.ts";
import { nodeDial } from "../../src/smpp/session/node-dial.ts";
import { World, type WorldOptions } from "../unit/smpp/world.ts";
import { seededRandom } from "./seeded-random.ts";

/** What becomes of what was written and never answered. */
export type AmbiguousAction = "resend" | "fail";

export interface LiveOptions extends Omit<WorldOptions, "links" | "dial" | "stepMs"> {
  readonly links: Partial<LinkConfig>[];
  readonly policy?: AmbiguousAction;
  /** Simulated ms that pass in one real ms. */
  readonly speed?: number;
  readonly seed?: number;
}

/** One message, one part, as its sender sees it. */
export interface LiveMessage {
  readonly text: string;
  readonly sequence: number;
  readonly logOffset: number;
  state: "open" | "accepted" | "rejected" | "failed";
  ambiguities: number;
  /** An answer that came after its attempt was ambiguous. */
  lateAnswers: number;
}

/** A message that is handed to the worker once more, at its time. */
interface SendAgain {
  readonly atMs: number;
  readonly message: LiveMessage;
  readonly attempt: number;
  readonly flags: number;
}

export class LiveLinks {
  readonly world: World;
  readonly messages: LiveMessage[] = [];
  readonly #bySequence = new Map<number, LiveMessage>();
  readonly #policy: AmbiguousAction;
  readonly #speed: number;
  readonly #startReal = performance.now();
  readonly #startMs: number;
  readonly #linkIndexOf: (message: number) => number;
  #seen = 0;
  readonly #again: SendAgain[] = [];

  constructor(options: LiveOptions) {
    this.#policy = options.policy ?? "resend";
    this.#speed = options.speed ?? 1;
    const hosted = options.links.map((link) => ({ host: "127.0.0.1", ...link }));
    const pools = hosted.map((_, linkIndex) => ({ members: [{ linkIndex, weight: 1 }] }));
    this.world = new World({
      pools,
      ...options,
      links: hosted,
      dial: nodeDial,
      stepMs: 0,
      random: options.random ?? seededRandom(options.seed ?? 1),
    });
    this.#linkIndexOf = (message) => message % (options.pools ?? pools).length;
    this.#startMs = this.world.nowMs;
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  /** Accepts so many messages, in turn for each pool. */
  submit(count: number): LiveMessage[] {
    return Array.from({ length: count }, () => {
      const number = this.messages.length;
      const text = `m${number}`;
      const poolIndex = this.#linkIndexOf(number);
      const { sequence, logOffset } = this.world.submit({ text, poolIndex });
      const message: LiveMessage = {
        text,
        sequence,
        logOffset,
        state: "open",
        ambiguities: 0,
        lateAnswers: 0,
      };
      this.messages.push(message);
      this.#bySequence.set(sequence, message);
      return message;
    });
  }

  get openCount(): number {
    return this.messages.reduce((sum, { state }) => sum + (state === "open" ? 1 : 0), 0);
  }

  /** Runs until `done`, or fails after `realMs`. */
  async until(done: () => boolean, what: string, realMs = 30_000): Promise<void> {
    const deadline = performance.now() + realMs;
    while (!done()) {
      assert.ok(performance.now() < deadline, `it did not come to that in time: ${what}`);
      await this.turn();
    }
  }

  /** Runs for so many simulated ms. */
  async run(ms: number): Promise<void> {
    const end = this.nowMs + ms;
    while (this.nowMs < end) await this.turn();
  }

  async turn(): Promise<void> {
    const { world } = this;
    world.nowMs = this.#startMs + (performance.now() - this.#startReal) * this.#speed;
    world.step();
    this.#readRecords();
    this.#readReturns();
    this.#handAgain();
    await nextTurn();
  }

  /** Ends all sessions, so that nothing keeps the test's process. */
  async stop(): Promise<void> {
    this.world.worker.drain();
    this.world.worker.cutShort();
    await this.until(() => this.world.worker.isDrained(), "drained", 10_000);
  }

  #readRecords(): void {
    const attempts = this.world.attempts();
    for (; this.#seen < attempts.length; this.#seen++) {
      const record = attempts[this.#seen] as (typeof attempts)[number];
      const message = this.#bySequence.get(record.sequence);
      if (message === undefined || record.type === "SENDING") continue;
      if (record.type === "AMBIGUOUS") this.#ambiguous(message, record.attempt);
      else this.#answered(message, record.outcome, record.attempt, record.retryAfterMs);
    }
  }

  #ambiguous(message: LiveMessage, attempt: number): void {
    message.ambiguities += 1;
    if (message.state !== "open") return;
    if (this.#policy === "fail") message.state = "failed";
    else this.#sendAgain(message, attempt + 1, FLAG_MAYBE_DUP, 0);
  }

  #answered(message: LiveMessage, outcome: number, attempt: number, retryMs: number): void {
    if (message.ambiguities > 0) message.lateAnswers += 1;
    if (outcome === Outcome.ACCEPTED) {
      message.state = "accepted";
      // Settled: what waits to be sent again is not sent.
      const waiting = this.#again.findIndex((one) => one.message === message);
      if (waiting >= 0) this.#again.splice(waiting, 1);
    } else if (
      (outcome === Outcome.REJECTED || outcome === Outcome.EXHAUSTED) &&
      message.state === "open"
    ) {
      message.state = "rejected";
    } else if (outcome === Outcome.RETRY && message.state === "open") {
      this.#sendAgain(message, attempt + 1, 0, retryMs);
    }
  }

  #readReturns(): void {
    for (const back of this.world.takeReturns()) {
      const message = this.messages.find(({ logOffset }) => logOffset === back.logOffset);
      if (message !== undefined) this.#sendAgain(message, back.attempt, back.flags, 50);
    }
  }

  #sendAgain(message: LiveMessage, attempt: number, flags: number, afterMs: number): void {
    this.#again.push({ atMs: this.nowMs + afterMs, message, attempt, flags });
  }

  #handAgain(): void {
    for (let i = this.#again.length - 1; i >= 0; i--) {
      const one = this.#again[i] as SendAgain;
      if (one.atMs > this.nowMs || one.message.state !== "open") continue;
      const poolIndex = this.#linkIndexOf(this.messages.indexOf(one.message));
      if (this.world.credits.weight(0, poolIndex) === 0) continue;
      this.#again.splice(i, 1);
      const { attempt, flags, message } = one;
      const options = { asReference: true, attempt, flags, poolIndex };
      this.world.hand(message.logOffset, new Uint8Array(0), 1, options);
    }
  }
}
