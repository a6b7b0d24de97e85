/**
 * The independent witnesses of a test: what the client was promised, what the operator received.
 *
 * Judged from the client's own record and the simulator's log file only, never from the gateway's
 * counters.
 */
import { readFileSync } from "node:fs";

/** A submit_sm as the operator logged it. */
export interface SeenSubmit {
  /** Unix ms. */
  readonly t: number;
  readonly event: "submit";
  readonly destination: string;
  readonly short_message: string;
  readonly esm_class: number;
  readonly id: string;
  readonly status: number;
}

/** Every submit_sm in the simulator's log. A last line cut off by a kill is passed over. */
export function seenSubmits(logFile: string): SeenSubmit[] {
  const submits: SeenSubmit[] = [];
  for (const line of readFileSync(logFile, "utf8").split("\n")) {
    if (!line.includes('"event":"submit"') || !line.endsWith("}")) continue;
    submits.push(JSON.parse(line) as SeenSubmit);
  }
  return submits;
}

/** How often the operator took a submit_sm for each destination. */
export function acceptedByDestination(logFile: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { destination, status } of seenSubmits(logFile)) {
    if (status === 0) counts.set(destination, (counts.get(destination) ?? 0) + 1);
  }
  return counts;
}

/** Distinct destination numbers, by index. */
export function destinationOf(index: number): string {
  return `9989${String(10_000_000 + index)}`;
}
