/**
 * One loop that stands for all threads and for the world around them.
 *
 *   agents   what a thread of the gateway does in one turn; picked at random, some of them stalled
 *   events   what the world does at an instant: bytes arrive, a peer answers, a fault begins
 *   effects  at each of them (effects.ts) other agents may get turns, as threads interleave
 *
 * Time stands still but for small steps until nobody finds work; then it jumps to the next event
 * or tick. Who found nothing sleeps until its bell is rung, an event of its own comes, or a tick;
 * now and then a sleeper gets a turn for no reason. Ticks come further apart the longer nobody
 * finds work.
 */
import type { SimulatedClock } from "./clock.ts";
import type { Effects } from "./effects.ts";
import { SimulatedCrash } from "./effects.ts";
import type { SeededRandom } from "./random.ts";

/** A thread's worth of the gateway. */
export interface SimulatedAgent {
  readonly name: string;
  /** One turn; returns how much it found to do. */
  doWork(): number;
  /** Declares it idle before the look that decides whether it sleeps; for those with a bell. */
  arm?(): void;
}

/** An event's owner: an agent's index, or nobody in the gateway. */
export const WORLD = -1;

/** Ticks come at most 2 to the power of this further apart. */
const IDLE_TICK_DOUBLINGS_MAX = 3;

interface WorldEvent {
  readonly atMs: number;
  readonly order: number;
  readonly owner: number;
  readonly epoch: number;
  readonly run: () => void;
}

interface AgentState {
  readonly agent: SimulatedAgent;
  running: boolean;
  /** It does not sleep. */
  mayWork: boolean;
  stalledUntilMs: number;
  /** Events that came while it could not take them, in order. */
  readonly deferred: WorldEvent[];
}

export class Scheduler {
  /** Mean distance of ticks while there is work: those of real threads. */
  tickMs = 5;
  /** Chance that other agents get turns at an effect. */
  preemptChance = 0.08;
  readonly #clock: SimulatedClock;
  readonly #random: SeededRandom;
  readonly #effects: Effects;
  readonly #heap: WorldEvent[] = [];
  #agents: AgentState[] = [];
  #order = 0;
  #epoch = 0;
  /** The last turn found work. */
  #isBusy = true;
  #asked = 0;
  #nextTickMs = 0;
  /** Ticks in a row between which nobody found work. */
  #idleTicks = 0;
  /** Events that wait for their agents. */
  #deferredCount = 0;
  #depth = 0;
  /** What an agent threw. */
  #thrown: { readonly error: unknown } | null = null;
  /** Index of the agent that threw last. */
  thrower = WORLD;
  /** Turns given, for statistics. */
  turns = 0;

  constructor(clock: SimulatedClock, random: SeededRandom, effects: Effects) {
    this.#clock = clock;
    this.#random = random;
    this.#effects = effects;
    effects.onPreempt(() => {
      if (this.#random.chance(this.preemptChance)) this.#giveTurns(this.#random.between(1, 6));
    });
  }

  /** Installs the agents of a new process; events owned by agents of an earlier one are dropped. */
  setAgents(agents: readonly SimulatedAgent[]): void {
    this.#epoch++;
    this.#agents = agents.map((agent) => ({
      agent,
      running: false,
      mayWork: true,
      stalledUntilMs: 0,
      deferred: [],
    }));
    this.#deferredCount = 0;
    this.#isBusy = true;
    this.#depth = 0;
  }

  /** Keeps an agent from its turns for a while: a thread that the machine does not run. */
  stall(index: number, ms: number): void {
    const state = this.#agents[index];
    if (state !== undefined) state.stalledUntilMs = this.#clock.monotonicMs() + ms;
  }

  /** The agent throws `error` at its next turn, and the process ends by it. */
  throwIn(index: number, error: Error): void {
    this.after(0, index, () => {
      throw error;
    });
  }

  /** An agent's bell is rung. */
  wake(index: number): void {
    const state = this.#agents[index];
    if (state !== undefined) state.mayWork = true;
  }

  get agentCount(): number {
    return this.#agents.length;
  }

  /**
   * Runs `run` at `atMs`. An owned event waits until its agent is between turns, and dies with its
   * process.
   */
  at(atMs: number, owner: number, run: () => void): void {
    const order = this.#order++;
    this.#push({ atMs, order, owner, epoch: owner === WORLD ? 0 : this.#epoch, run });
  }

  after(ms: number, owner: number, run: () => void): void {
    this.at(this.#clock.monotonicMs() + ms, owner, run);
  }

  /** Lets time pass for the thread that calls: the others go on. */
  sleep(ms: number): void {
    const untilMs = this.#clock.monotonicMs() + ms;
    if (this.#depth > 3) {
      this.#clock.moveTo(untilMs);
      return;
    }
    for (let i = 0; i < 10_000 && this.#clock.monotonicMs() < untilMs; i++) {
      this.#depth++;
      try {
        this.#step(untilMs);
      } finally {
        this.#depth--;
      }
    }
    this.#clock.moveTo(untilMs);
  }

  /**
   * Runs until `done`, or until simulated time reaches `untilMs`. Returns the crash that ended it,
   * or null. Throws what an agent threw.
   */
  run(done: () => boolean, untilMs: number): SimulatedCrash | null {
    try {
      while (!done() && this.#clock.monotonicMs() < untilMs) this.#step(untilMs);
      return null;
    } catch (error) {
      if (this.#thrown !== null) {
        const { error: thrown } = this.#thrown;
        this.#thrown = null;
        this.#effects.revive();
        throw thrown;
      }
      // Whoever caught the crash on its way and threw something else instead has changed nothing.
      if (this.#effects.crashed) return new SimulatedCrash(this.#effects.crashPlace);
      throw error;
    }
  }

  #step(untilMs: number): void {
    if (this.#clock.monotonicMs() >= this.#nextTickMs) this.#tick();
    this.#deliverDue();
    // Once somebody had nothing to do, those who may are asked in order: time jumps when none is.
    const index = this.#isBusy ? this.#random.below(this.#agents.length) : this.#nextToAsk();
    if (index >= 0) this.#isBusy = this.#turn(index) > 0;
    // Whoever caught the crash on its way has not undone it.
    if (this.#effects.crashed) throw new SimulatedCrash(this.#effects.crashPlace);
    if (index >= 0) {
      this.#clock.moveTo(this.#clock.monotonicMs() + 0.001 + this.#random.next() * 0.01);
      return;
    }
    const next = this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
    this.#clock.moveTo(Math.min(next, this.#nextTickMs, untilMs));
  }

  /** Everybody's timer fires. */
  #tick(): void {
    const stretch = 2 ** Math.min(this.#idleTicks >> 2, IDLE_TICK_DOUBLINGS_MAX);
    const tickMs = this.tickMs * stretch * (0.75 + this.#random.next() * 0.5);
    this.#nextTickMs = this.#clock.monotonicMs() + tickMs;
    this.#idleTicks++;
    for (let i = 0; i < this.#agents.length; i++) (this.#agents[i] as AgentState).mayWork = true;
  }

  #giveTurns(count: number): void {
    if (this.#depth > 3) return;
    this.#depth++;
    try {
      for (let i = 0; i < count; i++) {
        this.#turn(this.#random.below(this.#agents.length));
        if (this.#random.chance(0.3)) this.#deliverDue();
      }
    } finally {
      this.#depth--;
    }
  }

  /** The next agent that may have work and can be asked, or -1. */
  #nextToAsk(): number {
    const nowMs = this.#clock.monotonicMs();
    for (let i = this.#agents.length; i > 0; i--) {
      this.#asked = (this.#asked + 1) % this.#agents.length;
      const state = this.#agents[this.#asked] as AgentState;
      if (state.mayWork && !state.running && state.stalledUntilMs <= nowMs) return this.#asked;
    }
    return -1;
  }

  #turn(index: number): number {
    const state = this.#agents[index];
    if (state === undefined) return 0;
    if (state.running || state.stalledUntilMs > this.#clock.monotonicMs()) return 0;
    this.turns++;
    state.mayWork = false;
    state.agent.arm?.();
    const worked = this.#work(state);
    if (worked > 0) {
      state.mayWork = true;
      this.#idleTicks = 0;
    }
    return worked;
  }

  /** One turn on the agent's thread. */
  #work(state: AgentState): number {
    state.running = true;
    try {
      return state.agent.doWork();
    } catch (error) {
      this.#blame(state, error);
      throw error;
    } finally {
      state.running = false;
    }
  }

  /** An event on the agent's thread. */
  #inside(state: AgentState, run: () => void): void {
    state.running = true;
    try {
      run();
    } catch (error) {
      this.#blame(state, error);
      throw error;
    } finally {
      state.running = false;
    }
  }

  #deliverDue(): void {
    if (this.#deferredCount > 0) {
      for (const state of this.#agents) this.#deliverDeferred(state);
    }
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > this.#clock.monotonicMs()) return;
      this.#pop();
      this.#deliver(event);
    }
  }

  #deliver(event: WorldEvent): void {
    if (event.owner === WORLD) {
      event.run();
      return;
    }
    const state = this.#agents[event.owner];
    if (event.epoch !== this.#epoch || state === undefined) return;
    state.deferred.push(event);
    this.#deferredCount++;
    this.#deliverDeferred(state);
  }

  #deliverDeferred(state: AgentState): void {
    while (state.deferred.length > 0 && !state.running) {
      if (state.stalledUntilMs > this.#clock.monotonicMs()) return;
      const event = state.deferred.shift() as WorldEvent;
      this.#deferredCount--;
      state.mayWork = true;
      this.#idleTicks = 0;
      this.#inside(state, event.run);
    }
  }

  /**
   * An agent threw, perhaps in a turn within another's: the process ends here, and by this error.
   */
  #blame(state: AgentState, error: unknown): void {
    if (this.#effects.crashed) return;
    this.thrower = this.#agents.indexOf(state);
    this.#thrown = { error };
    this.#effects.halt();
  }

  #push(event: WorldEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as WorldEvent)) break;
      heap[at] = heap[parent] as WorldEvent;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as WorldEvent;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      const right = child + 1;
      if (right < heap.length && isBefore(heap[right] as WorldEvent, heap[child] as WorldEvent)) {
        child = right;
      }
      if (!isBefore(heap[child] as WorldEvent, last)) break;
      heap[at] = heap[child] as WorldEvent;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: WorldEvent, b: WorldEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
