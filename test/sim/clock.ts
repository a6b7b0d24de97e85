/**
 * Simulated time: one instant for the whole world, moved by the scheduler alone.
 *
 *   monotonic   the world's milliseconds, the same for every thread and over restarts
 *   wall        what the gateway believes: the wall clock at its start plus monotonic time since
 *               machine's clock set forward or back, but within one run it never jumps
 */
import type { Clock } from "../../src/environment.ts";

/** Wall time of the world's beginning, 2026-01-05T10:00:00Z. */
export const WORLD_START_WALL_MS = Date.UTC(2026, 0, 5, 10);

export class SimulatedClock implements Clock {
  #nowMs = 1000;
  #wallBaseMs = WORLD_START_WALL_MS;

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

  /** Sets the wall clock, as between two runs of the gateway, `skewMs` beside true time. */
  setSkew(skewMs: number): void {
    this.#wallBaseMs = WORLD_START_WALL_MS + skewMs;
  }
}
