/**
 * What this worker lets each producer send it, per pool and priority, written to the shared credit
 * table.
 *
 *   granted = received + (allowance - held)     held: taken in and not yet prepared for a session
 *
 * A grant is written when less than half the allowance is left, and rings the producer's bell: it
 * may be waiting for just this. Allowance 0 takes back what was granted; what is on its way then
 * comes back by the return ring. One thread.
 */
import { PRIORITY_COUNT } from "../../records/types.ts";
import type { Doorbell } from "../../ring/doorbell.ts";
import type { CreditTable } from "../../tables/credit-table.ts";
import { IntQueue } from "./int-queue.ts";

export class CreditKeeper {
  readonly #table: CreditTable;
  readonly #worker: number;
  readonly #bells: readonly Doorbell[];
  readonly #poolCount: number;
  readonly #received: Int32Array;
  readonly #granted: Int32Array;
  readonly #held: Int32Array;
  readonly #dirty: Uint8Array;
  readonly #changed = new IntQueue(64);
  readonly #allowances: Int32Array;

  constructor(table: CreditTable, worker: number, bells: readonly Doorbell[], poolCount: number) {
    const cells = bells.length * poolCount * PRIORITY_COUNT;
    this.#table = table;
    this.#worker = worker;
    this.#bells = bells;
    this.#poolCount = poolCount;
    this.#received = new Int32Array(cells);
    this.#granted = new Int32Array(cells);
    this.#held = new Int32Array(cells);
    this.#dirty = new Uint8Array(cells);
    this.#allowances = new Int32Array(poolCount);
  }

  /** A message came in from the producer; it is held until `release`. */
  receive(producer: number, pool: number, priority: number): void {
    const cell = this.#cell(producer, pool, priority);
    this.#received[cell] = ((this.#received[cell] as number) + 1) | 0;
    this.#held[cell] = (this.#held[cell] as number) + 1;
    this.#touch(cell);
  }

  /** A held message was prepared, returned or concluded. */
  release(producer: number, pool: number, priority: number): void {
    const cell = this.#cell(producer, pool, priority);
    this.#held[cell] = (this.#held[cell] as number) - 1;
    this.#touch(cell);
  }

  /** Messages of one producer that wait here. */
  held(producer: number, pool: number, priority: number): number {
    return this.#held[this.#cell(producer, pool, priority)] as number;
  }

  /** Sets how many messages each producer may have waiting here, per priority of this pool. */
  setAllowance(pool: number, allowance: number): void {
    if (this.#allowances[pool] === allowance) return;
    this.#allowances[pool] = allowance;
    for (let producer = 0; producer < this.#bells.length; producer++) {
      for (let priority = 0; priority < PRIORITY_COUNT; priority++) {
        this.#touch(this.#cell(producer, pool, priority));
      }
    }
  }

  /** Writes the grants that have changed; once a turn. */
  flush(): void {
    while (this.#changed.length > 0) {
      const cell = this.#changed.shift();
      this.#dirty[cell] = 0;
      this.#grant(cell);
    }
  }

  #grant(cell: number): void {
    const pool = Math.floor(cell / PRIORITY_COUNT) % this.#poolCount;
    const allowance = this.#allowances[pool] as number;
    const received = this.#received[cell] as number;
    const left = ((this.#granted[cell] as number) - received) | 0;
    if (allowance === 0) {
      if (left !== 0) this.#write(cell, received);
      return;
    }
    const target = allowance - (this.#held[cell] as number);
    if (2 * left >= allowance || target <= left) return;
    const producer = this.#write(cell, (received + target) | 0);
    (this.#bells[producer] as Doorbell).ring();
  }

  #write(cell: number, granted: number): number {
    const perProducer = this.#poolCount * PRIORITY_COUNT;
    const producer = Math.floor(cell / perProducer);
    const pool = Math.floor((cell % perProducer) / PRIORITY_COUNT);
    const shared = this.#table.cell(this.#worker, pool, cell % PRIORITY_COUNT);
    this.#granted[cell] = granted;
    this.#table.grant(producer, shared, granted);
    return producer;
  }

  #cell(producer: number, pool: number, priority: number): number {
    return (producer * this.#poolCount + pool) * PRIORITY_COUNT + priority;
  }

  #touch(cell: number): void {
    if (this.#dirty[cell] !== 0) return;
    this.#dirty[cell] = 1;
    this.#changed.push(cell);
  }
}
