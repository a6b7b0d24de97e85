/**
 * Seeded draws: a 32-bit state that steps by a constant and is scrambled into each draw
 * (Mulberry32).
 *
 * A session keeps its state as one integer, so a draw allocates nothing, and what a session does
 * depends on its own seed and its own submits only, not on how sessions interleave. Pure; any
 * thread may call it.
 */
import type { Random } from "../environment.ts";

/** What the state grows by before each draw. */
export const STATE_STEP = 0x6d2b79f5;
/** One above the largest draw. */
export const DRAW_RANGE = 0x1_0000_0000;

/** The draw that belongs to a state: an integer in [0, DRAW_RANGE). */
export function drawOf(state: number): number {
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return (t ^ (t >>> 14)) >>> 0;
}

/** A Random that repeats itself for the same 32-bit seed. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + STATE_STEP) | 0;
    return drawOf(state) / DRAW_RANGE;
  };
}
