/**
 * Simulated time: one instant for the whole world, moved by the scheduler alone.
 *
 *   monotonic   the world's milliseconds, the same for every thread and over restarts
 *   wall        what the gateway believes: the wall clock at its start plus monotonic time since;
 *               within one run it never jumps
 *   machine     what the machine's clock says, which may be set at any time; a start reads it
 */
import type { Clock } from "../../src/environment.ts";

/** Wall time of the world's beginning, 2026-01-05T10:00:00Z. */
export const WORLD_START_WALL_MS = Date.UTC(2026, 0, 5, 10);

export class SimulatedClock implements Clock {
  #nowMs = 1000;
  #wallBaseMs = WORLD_START_WALL_MS;
  #jumpMs = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallBaseMs + this.#nowMs;
  }

  /** Moves time forward to `nowMs`; an instant in the past changes nothing. */
  moveTo(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  /** What the machine's clock says now. */
  machineMs(): number {
    return this.wallMs() + this.#jumpMs;
  }

  /** Somebody sets the machine's clock while the gateway runs. */
  jump(ms: number): void {
    this.#jumpMs += ms;
  }

  /** Sets the machine's clock, as between two runs of the gateway, `skewMs` beside true time. */
  setSkew(skewMs: number): void {
    this.#wallBaseMs = WORLD_START_WALL_MS + skewMs;
    this.#jumpMs = 0;
  }
}
