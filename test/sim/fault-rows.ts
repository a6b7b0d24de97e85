/**
 * The kinds of faults that a run is made of, counted where they strike, so that no kind goes
 * untested unseen. The names are those of docs/RELIABILITY.md.
 */
export const FAULT_ROWS = [
  "F1 killed",
  "F2 dies at an effect",
  "F3 a thread throws",
  "F4 SIGTERM",
  "F4 a second SIGTERM",
  "F5 power lost",
  "F6 unsynced sectors lost or torn",
  "F7 disk full",
  "F8 write, sync or create fails",
  "F8 slow disk",
  "F8 commits of the store fail",
  "F9 connection cut or closed",
  "F10 answers nothing",
  "F11 slow answers",
  "F12 half-open",
  "F13 garbage",
  "F14 answers reordered",
  "F14 answers lost",
  "F14 answers late",
  "F14 answers twice",
  "F14 answers of a wrong kind",
  "F16 throttle storm",
  "F17 sequence_number wraps",
  "F18 refuses or hangs connections",
  "F18 refuses binds",
  "F18 answers binds late",
  "F19 floods and does not read",
  "F19 does not read",
  "F24 clock jumps",
  "F24 the machine sleeps",
  "F25 a thread stalls",
  "refuses much",
  "slow or splitting network",
  "bytes one by one",
] as const;
export type FaultRow = (typeof FAULT_ROWS)[number];

/** Strikes of each kind in a run. */
export class FaultCounts {
  readonly #counts = new Map<FaultRow, number>();

  add(row: FaultRow, count = 1): void {
    this.#counts.set(row, (this.#counts.get(row) ?? 0) + count);
  }

  get(row: FaultRow): number {
    return this.#counts.get(row) ?? 0;
  }

  byRow(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
