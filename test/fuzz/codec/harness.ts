/**
 * Runs mutants through targets and reports what broke.
 *
 * Each mutant stands in two buffers, between octets that differ; if a target's digests differ, it
 * has read outside. The first failures are kept with their octets, so that they can be replayed.
 */
import { createRandom } from "../../unit/codec/support/random-pdu.ts";
import { createSeeds, Mutator } from "./mutate.ts";
import type { Target } from "./targets.ts";

export interface FuzzResult {
  readonly count: number;
  readonly seed: number;
  readonly failureCount: number;
  /** Up to ten: what happened, and the mutant in hex. */
  readonly failures: readonly string[];
  /**
   * The slowest single mutant and all of them, in nanoseconds of the given clock; 0 without one.
   */
  readonly slowestNs: number;
}

const MUTANT_LENGTH_MAX = 4096;
const MARGIN = 512;

/** `now` returns nanoseconds, or is left out where time does not matter. */
export function fuzz(
  seed: number,
  count: number,
  targets: readonly Target[],
  now: () => number = () => 0,
): FuzzResult {
  const mutator = new Mutator(createRandom(seed), createSeeds(seed, 400), MUTANT_LENGTH_MAX);
  const zeros = new Uint8Array(MUTANT_LENGTH_MAX + 2 * MARGIN);
  const letters = new Uint8Array(MUTANT_LENGTH_MAX + 2 * MARGIN);
  const failures: string[] = [];
  let failureCount = 0;
  let slowestNs = 0;
  for (let i = 0; i < count; i++) {
    mutator.next();
    const end = MARGIN + mutator.length;
    place(zeros, mutator, 0x00);
    place(letters, mutator, 0x41);
    const before = now();
    const failure = runTargets(targets, zeros, letters, end);
    const elapsed = now() - before;
    if (elapsed > slowestNs) {
      slowestNs = Math.max(
        slowestNs,
        confirm(elapsed, now, () => runTargets(targets, zeros, letters, end)),
      );
    }
    if (failure === null) continue;
    failureCount++;
    if (failures.length < 10) {
      const octets = Buffer.from(mutator.octets.subarray(0, mutator.length)).toString("hex");
      failures.push(`mutant ${i}: ${failure}: ${octets}`);
    }
  }
  return { count, seed, failureCount, failures, slowestNs };
}

/**
 * The least of three more runs and the first: what the mutant costs, without the collector's
 * pauses.
 */
function confirm(elapsed: number, now: () => number, run: () => void): number {
  let least = elapsed;
  for (let i = 0; i < 3; i++) {
    const before = now();
    run();
    least = Math.min(least, now() - before);
  }
  return least;
}

/** The mutant at MARGIN; the octets around it become `around`. */
function place(into: Uint8Array, mutator: Mutator, around: number): void {
  into.set(mutator.octets.subarray(0, mutator.length), MARGIN);
  into.fill(around, MARGIN + mutator.length, MARGIN + mutator.length + MARGIN);
  into.fill(around, 0, MARGIN);
}

function runTargets(
  targets: readonly Target[],
  zeros: Uint8Array,
  letters: Uint8Array,
  end: number,
): string | null {
  try {
    for (const target of targets) {
      const a = target(zeros, MARGIN, end);
      const b = target(letters, MARGIN, end);
      if (a !== b) return "read outside the PDU";
    }
    return null;
  } catch (cause) {
    return cause instanceof Error ? `${cause.name}: ${cause.message}` : "threw no error";
  }
}
