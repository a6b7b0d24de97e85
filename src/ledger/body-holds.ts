/**
 * Which bodies are still wanted, and where they are: in the log, by stretches, or
 * moved into the store.
 *
 *   log   │ stretch 0: 2 │ stretch 1: – │ stretch 2: 7 │      what is below the lowest count may go
 *
 * It is written with the states, and what it allows to go is published only when they are durable,
 * so a segment never goes while a crash could still ask for a body in it. The ledger's thread only.
 */
/**
 * Longest stretch. Small against any useful `journal.bytes_max`, so that traffic which never pauses
 * does not pin the stretch it writes to; large enough that the counts of a full log fit into one
 * row.
 */
export const STRETCH_BYTES_MAX = 1024 * 1024;

export class BodyHolds {
  /** Of a stretch; chosen when the store is made, no longer than a segment. */
  stretchBytes = STRETCH_BYTES_MAX;
  readonly counts = new Map<number, number>();
  /** Of all wanted bodies, with what their ACCEPT has beside them. */
  bytes = 0;
  /** Of those that were moved into the store. */
  movedBytes = 0;

  hold(logOffset: number, bytes: number): void {
    const stretch = Math.floor(logOffset / this.stretchBytes);
    this.counts.set(stretch, (this.counts.get(stretch) ?? 0) + 1);
    this.bytes += bytes;
  }

  release(logOffset: number, bytes: number): void {
    this.#uncount(logOffset);
    this.bytes -= bytes;
  }

  /** A wanted body is in the store from the next commit on. */
  move(logOffset: number, bytes: number): void {
    this.#uncount(logOffset);
    this.movedBytes += bytes;
  }

  /** A moved body is not wanted any more. */
  releaseMoved(bytes: number): void {
    this.bytes -= bytes;
    this.movedBytes -= bytes;
  }

  /** Log offset below which no wanted body lies; Infinity if none is wanted. */
  lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const stretch of this.counts.keys()) if (stretch < lowest) lowest = stretch;
    return lowest * this.stretchBytes;
  }

  #uncount(logOffset: number): void {
    const stretch = Math.floor(logOffset / this.stretchBytes);
    const left = (this.counts.get(stretch) ?? 0) - 1;
    if (left > 0) this.counts.set(stretch, left);
    else this.counts.delete(stretch);
  }
}
