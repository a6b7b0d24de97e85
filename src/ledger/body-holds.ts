/**
 * Which stretches of the log hold bodies that are still wanted: a count per stretch of HOLD_BYTES.
 *
 * It is written with the states, and what it allows to go is published only when they are durable,
 * so a segment never goes while a crash could still ask for a body in it. The ledger's thread only.
 */
/**
 * Small against any useful `journal.bytes_max`, so that traffic which never pauses does not pin the
 * stretch it writes to; large enough that the counts of a full log fit into one row.
 */
export const HOLD_BYTES = 1024 * 1024;

export class BodyHolds {
  readonly counts = new Map<number, number>();

  hold(logOffset: number): void {
    const stretch = Math.floor(logOffset / HOLD_BYTES);
    this.counts.set(stretch, (this.counts.get(stretch) ?? 0) + 1);
  }

  release(logOffset: number): void {
    const stretch = Math.floor(logOffset / HOLD_BYTES);
    const left = (this.counts.get(stretch) ?? 0) - 1;
    if (left > 0) this.counts.set(stretch, left);
    else this.counts.delete(stretch);
  }

  /** Log offset below which no wanted body lies; Infinity if none is wanted. */
  lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const stretch of this.counts.keys()) if (stretch < lowest) lowest = stretch;
    return lowest * HOLD_BYTES;
  }
}
