/**
 * Runs an agent on a thread with an event loop: works while there is work, sleeps in epoll when
 * there is none.
 *
 *   wake (bell, socket, timer) → doWork until it finds nothing → arm the bell → doWork → sleep
 *                                                           └─ may rest: sleep to the next tick
 *
 * An agent that may rest is not woken by the bell after work, but by the tick: under load it takes
 * what some milliseconds bring at once, and nobody pays for waking it. Nothing that comes when it
 * has found nothing waits.
 *
 * Between rounds the event loop gets its turn (setImmediate), so sockets and timers are served
 * under full load.
 *
 * Ticks come every 5 ms while there is work and 2 s after, then every 50 ms, and every 250 ms while
 * the agent says that nothing is due before the next one. Every wake-up is a cold start of the
 * thread's code, and they are all that an idle gateway costs.
 */
import { type DoorbellOwner } from "../ring/doorbell.ts";
import { ticksIndex } from "../tables/thread-table.ts";

/** A piece of work that is called again and again by one thread. */
export interface Agent {
  /** Does what there is to do now, bounded; returns how much it did, 0 for nothing. */
  doWork(): number;
  /** Called every few milliseconds, and less often when nothing has happened for a while. */
  onTick(): void;
  /**
   * Whether nothing waits here for anybody, and nothing is due within `aheadMs`: unless something
   * wakes the thread, a tick until then would do nothing. Asked after `doWork` has found no work.
   */
  isQuiet(aheadMs: number): boolean;
}

const TICK_MS = 5;
/**
 * Ticks without work after which they become rare: longer than any link's wait for its next token.
 */
const IDLE_TICKS = 400;
const IDLE_TICK_MS = 50;
/** As often as stalls are looked for (tick-watch.ts). */
const QUIET_TICK_MS = 250;

export class EventLoopRunner {
  readonly #agent: Agent;
  readonly #bell: DoorbellOwner;
  readonly #bells: Int32Array;
  readonly #thread: number;
  readonly #mayRest: () => boolean;
  readonly #run = (): void => this.#round();
  /** Whether there was work since it slept last. */
  #hasWorked = false;
  #scheduled = false;
  #isStopped = false;
  #timer: NodeJS.Timeout | null = null;
  #tickMs = 0;
  #ticksWithoutWork = 0;
  readonly #tick = (): void => {
    Atomics.add(this.#bells, ticksIndex(this.#thread), 1);
    this.#ticksWithoutWork += 1;
    this.#agent.onTick();
    this.wake();
  };

  /** `mayRest`: whether what comes next may wait for a tick; default: it must not. */
  constructor(
    agent: Agent,
    bell: DoorbellOwner,
    bells: Int32Array,
    thread: number,
    mayRest = (): boolean => false,
  ) {
    this.#mayRest = mayRest;
    this.#agent = agent;
    this.#bell = bell;
    this.#bells = bells;
    this.#thread = thread;
  }

  start(): void {
    this.#tickEvery(TICK_MS);
    this.wake();
  }

  /** Something may have happened: run soon. */
  wake(): void {
    if (this.#scheduled || this.#isStopped) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  /** The agent is never called again: what it works on may be closed. */
  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #round(): void {
    if (this.#isStopped) return;
    this.#bell.disarm();
    if (this.#agent.doWork() > 0) {
      this.#goOn();
      return;
    }
    this.#scheduled = false;
    const rests = this.#hasWorked && this.#mayRest();
    this.#hasWorked = false;
    if (rests) return;
    this.#bell.arm();
    if (this.#agent.doWork() > 0) {
      this.#bell.disarm();
      this.#goOn();
      return;
    }
    if (this.#ticksWithoutWork >= IDLE_TICKS) this.#tickRarely();
  }

  #goOn(): void {
    this.#hasWorked = true;
    this.#scheduled = true;
    setImmediate(this.#run);
    this.#ticksWithoutWork = 0;
    if (this.#tickMs === TICK_MS) return;
    this.#tickEvery(TICK_MS);
    // What ticks keep fresh is as old as the last one.
    this.#agent.onTick();
  }

  #tickRarely(): void {
    // Twice: the tick after the next one is the first that a different answer then can bring near.
    const isQuiet = this.#agent.isQuiet(2 * QUIET_TICK_MS);
    const ms = isQuiet ? QUIET_TICK_MS : IDLE_TICK_MS;
    if (ms !== this.#tickMs) this.#tickEvery(ms);
  }

  #tickEvery(ms: number): void {
    this.#tickMs = ms;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = setInterval(this.#tick, ms);
  }
}
