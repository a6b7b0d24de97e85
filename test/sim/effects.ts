/**
 * Every effect that leaves a thread of the gateway, with a point before and one after it where the
 * process may die.
 *
 *   before ── other threads may get a turn ── run ── after ── other threads may get a turn
 *                          └─ crash here?                                  └─ crash here?
 *
 * A crash throws `SimulatedCrash` through whatever is running; from then on every effect throws
 * again, so that no handler on the way out can reach the world any more. The scheduler catches it
 * at the bottom.
 */
import type { SeededRandom } from "./random.ts";

/** What is lost when the process dies here. */
export type CrashKind = "kill" | "power";

/** Kinds of effects, by what they touch. */
export const EFFECT_KINDS = [
  "disk.create",
  "disk.write",
  "disk.sync",
  "disk.truncate",
  "disk.rename",
  "disk.remove",
  "disk.sync_directory",
  "socket.dial",
  "socket.write",
  "socket.close",
  "ring.staging",
  "ring.notice",
  "ring.submit",
  "ring.return",
  "store.commit",
  "store.flush",
  "cdr.put",
  "reply.accepted",
  "reply.canceled",
] as const;
export type EffectKind = (typeof EFFECT_KINDS)[number];

export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}

/** One effect of the trace. */
export interface TraceEntry {
  readonly atMs: number;
  readonly text: string;
}

const TRACE_LENGTH = 400;

export class Effects {
  /** How often each kind happened, over the whole run. */
  readonly counts = new Map<string, number>();
  readonly #nowMs: () => number;
  readonly #trace: TraceEntry[] = [];
  #traceAt = 0;
  #crashed = false;
  #armedKind: EffectKind | null = null;
  #armedAfter = false;
  #armedLeft = 0;
  #kindCrashed = "";
  #preempt: ((kind: EffectKind) => void) | null = null;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Where the last crash happened, for people. */
  get crashPlace(): string {
    return this.#kindCrashed;
  }

  /** Called before and after effects: gives other threads a turn. */
  onPreempt(preempt: (kind: EffectKind) => void): void {
    this.#preempt = preempt;
  }

  /** The process dies at the `count`-th effect of `kind` from now, before or after it. */
  arm(kind: EffectKind, count: number, after: boolean): void {
    this.#armedKind = kind;
    this.#armedLeft = count;
    this.#armedAfter = after;
  }

  /** Draws a place to die: rare kinds as often as frequent ones. */
  armAtRandom(random: SeededRandom): void {
    const kind = random.pick(EFFECT_KINDS);
    const seen = this.counts.get(kind) ?? 0;
    const spread = Math.max(1, Math.ceil(seen / 8));
    this.arm(kind, 1 + random.below(Math.min(spread, 200)), random.chance(0.5));
  }

  get armed(): boolean {
    return this.#armedKind !== null;
  }

  disarm(): void {
    this.#armedKind = null;
  }

  /** Dies here and now. */
  crash(place: string): never {
    if (!this.#crashed) this.note(`CRASH ${place}`);
    this.#crashed = true;
    this.#kindCrashed = place;
    this.#armedKind = null;
    throw new SimulatedCrash(place);
  }

  /** No effect from here on: the process ends by an error. */
  halt(): void {
    this.#crashed = true;
    this.#kindCrashed = "error";
    this.#armedKind = null;
  }

  /** A new process: effects work again. */
  revive(): void {
    this.#crashed = false;
  }

  /** Runs one effect. */
  run<T>(kind: EffectKind, detail: string, effect: () => T): T {
    if (this.#crashed) throw new SimulatedCrash("dead");
    this.#preempt?.(kind);
    const armed = this.#count(kind);
    if (armed && !this.#armedAfter) this.crash(`before ${kind} ${detail}`);
    const result = effect();
    this.note(detail === "" ? kind : `${kind} ${detail}`);
    if (armed) this.crash(`after ${kind} ${detail}`);
    this.#preempt?.(kind);
    return result;
  }

  /** Adds a line to the trace. */
  note(text: string): void {
    this.#trace[this.#traceAt % TRACE_LENGTH] = { atMs: this.#nowMs(), text };
    this.#traceAt++;
  }

  /** The last lines of the trace, oldest first. */
  trace(): TraceEntry[] {
    const start = this.#traceAt % TRACE_LENGTH;
    return this.#traceAt <= TRACE_LENGTH
      ? this.#trace.slice()
      : [...this.#trace.slice(start), ...this.#trace.slice(0, start)];
  }

  #count(kind: EffectKind): boolean {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (this.#armedKind !== kind) return false;
    this.#armedLeft--;
    return this.#armedLeft <= 0;
  }
}
