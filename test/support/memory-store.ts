/**
 * The ledger's store in memory, for tests and the simulation: it models when a commit is seen and
 * when it is durable.
 *
 *   commit() = n ─► makeVisible() ─► flush()            with `auto` both happen at once
 *
 * `crash` gives the store that the next start finds: after a kill what was visible, after power
 * loss what was flushed; either way whole commits, in order.
 */
import {
  type KeyVisitor,
  LEDGER_TABLE_NAMES,
  type LedgerStore,
  type RangeVisitor,
} from "../../src/ledger/store/store.ts";
import { type RecordMemory, recordMemory } from "../../src/records/memory.ts";

interface Change {
  readonly table: number;
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A sorted table: keys as strings of one character a byte, so that string order is byte order. */
class SortedTable {
  readonly values = new Map<string, Uint8Array>();
  #sorted: string[] | null = [];

  apply(key: string, value: Uint8Array | null): void {
    if (value === null) {
      if (this.values.delete(key)) this.#sorted = null;
      return;
    }
    if (!this.values.has(key)) {
      const last = this.#sorted?.at(-1);
      if (this.#sorted !== null && (last === undefined || last < key)) this.#sorted.push(key);
      else this.#sorted = null;
    }
    this.values.set(key, value);
  }

  keys(): readonly string[] {
    this.#sorted ??= [...this.values.keys()].sort();
    return this.#sorted;
  }
}

export class MemoryStore implements LedgerStore {
  /** Whether commits become visible and durable at once. */
  auto: boolean;
  readonly #tables = LEDGER_TABLE_NAMES.map(() => new SortedTable());
  /** What is durable, by table. */
  readonly #durable: Map<string, Uint8Array>[];
  claimed: RecordMemory = recordMemory(Buffer.alloc(0));
  #pending: Change[] = [];
  readonly #commits: Change[][] = [];
  #visible = 0;
  #flushed = 0;

  isFull = false;
  retries = 0;

  constructor(auto = true, content: readonly Map<string, Uint8Array>[] = []) {
    this.auto = auto;
    this.#durable = LEDGER_TABLE_NAMES.map((_, i) => new Map(content[i]));
    for (const [i, table] of this.#durable.entries()) {
      for (const [key, value] of table) this.#tables[i]?.apply(key, value);
    }
  }

  get visibleCommit(): number {
    return this.#visible;
  }

  get flushedCommit(): number {
    return this.#flushed;
  }

  get(table: number, key: Uint8Array): Uint8Array | undefined {
    return this.#tables[table]?.values.get(text(key));
  }

  range(table: number, from: Uint8Array, visitor: RangeVisitor): void {
    const sorted = this.#tables[table] as SortedTable;
    const keys = sorted.keys();
    const start = text(from);
    let low = 0;
    for (let high = keys.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] as string) < start) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < keys.length; i++) {
      const key = keys[i] as string;
      if (!visitor(bytesOf(key), sorted.values.get(key) as Uint8Array)) return;
    }
  }

  keys(table: number, from: Uint8Array, visitor: KeyVisitor): void {
    this.range(table, from, (key) => visitor(key));
  }

  put(table: number, key: Uint8Array, value: Uint8Array, valueBytes = value.length): void {
    const bytes = Uint8Array.from(value.subarray(0, valueBytes));
    this.#pending.push({ table, key: text(key), value: bytes });
  }

  claim(table: number, key: Uint8Array, valueBytes: number): number {
    this.claimed = recordMemory(Buffer.alloc(valueBytes));
    this.#pending.push({ table, key: text(key), value: this.claimed.bytes });
    return 0;
  }

  remove(table: number, key: Uint8Array): void {
    this.#pending.push({ table, key: text(key), value: null });
  }

  retry(): void {
    this.retries++;
  }

  commit(): number {
    this.#commits.push(this.#pending);
    this.#pending = [];
    const number = this.#commits.length;
    if (this.auto) this.flush();
    return number;
  }

  /** Lets reads see all commits up to `number`. */
  makeVisible(number = this.#commits.length): void {
    for (; this.#visible < number; this.#visible++) {
      for (const change of this.#commits[this.#visible] as Change[]) {
        this.#tables[change.table]?.apply(change.key, change.value);
      }
    }
  }

  /** Makes all commits up to `number` durable. */
  flush(number = this.#commits.length): void {
    this.makeVisible(number);
    for (; this.#flushed < number; this.#flushed++) {
      for (const change of this.#commits[this.#flushed] as Change[]) {
        const table = this.#durable[change.table] as Map<string, Uint8Array>;
        if (change.value === null) table.delete(change.key);
        else table.set(change.key, change.value);
      }
      this.#commits[this.#flushed] = [];
    }
  }

  /** The store after a crash: of the process, or with `isPowerLoss` of the machine. */
  crash(isPowerLoss: boolean, auto = this.auto): MemoryStore {
    const content = isPowerLoss ? this.#durable : this.#tables.map((table) => table.values);
    return new MemoryStore(auto, content as Map<string, Uint8Array>[]);
  }

  usedBytes(): number {
    let bytes = 0;
    for (const table of this.#tables) {
      for (const [key, value] of table.values) bytes += key.length + value.length;
    }
    return bytes;
  }

  /** Every visible entry of a table as text, to compare stores. */
  dump(table: number): string[] {
    const sorted = this.#tables[table] as SortedTable;
    return sorted
      .keys()
      .map((key) => `${hex(bytesOf(key))}=${hex(sorted.values.get(key) as Uint8Array)}`);
  }
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key, (character) => character.charCodeAt(0));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
