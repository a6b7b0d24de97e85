/**
 * What a row of fault trials comes to: how many there were, what failed, the worst that was seen.
 */

/** The outcome of one row. */
export interface RowReport {
  /** Id of the row, F9 … F19. */
  readonly row: string;
  readonly what: string;
  readonly trials: number;
  /** One line for each broken rule; empty: none. */
  readonly failures: readonly string[];
  /** Worst cases, by name with unit. */
  readonly worst: Readonly<Record<string, number>>;
}

/** Collects the outcome of one row. */
export class RowRecorder {
  trials = 0;
  readonly failures: string[] = [];
  readonly worst: Record<string, number> = {};
  readonly #row: string;
  readonly #what: string;

  constructor(row: string, what: string) {
    this.#row = row;
    this.#what = what;
  }

  /** Notes a failure unless `holds`. */
  check(holds: boolean, failure: () => string): void {
    if (!holds) this.failures.push(`trial ${this.trials}: ${failure()}`);
  }

  /** Keeps the greatest value of `name`. */
  noteWorst(name: string, value: number): void {
    this.worst[name] = Math.max(this.worst[name] ?? Number.NEGATIVE_INFINITY, value);
  }

  report(): RowReport {
    return {
      row: this.#row,
      what: this.#what,
      trials: this.trials,
      failures: this.failures,
      worst: this.worst,
    };
  }
}
