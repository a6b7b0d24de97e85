/**
 * The ledger's store with commits that become visible and durable late, and are lost in between.
 *
 *   put, remove ─► commit() = n ──later──► visible ──later──► flushed
 *                                  kill may lose n      power may lose n
 *
 * Commits become visible and durable in order and as a whole. After a kill, everything visible is
 * still there and perhaps some commits more; after a power loss, everything flushed and perhaps
 * some visible commits more.
 */
import type { KeyVisitor, LedgerStore, RangeVisitor } from "../../src/ledger/store/store.ts";
import { LEDGER_TABLE_NAMES } from "../../src/ledger/store/store.ts";
import { copyBytes, latin1Bytes, latin1Text, takeBytes } from "./byte-slab.ts";
import type { CrashKind, Effects } from "./effects.ts";
import type { SeededRandom } from "./random.ts";
import { type RecordMemory, recordMemory } from "../../src/records/memory.ts";

/** One ordered table: keys as latin-1 text, so that they sort as their bytes do. */
class OrderedTable {
  readonly #values: Map<string, Uint8Array>;
  /** In order. */
  readonly #keys: string[];

  constructor(values = new Map<string, Uint8Array>(), keys: string[] = []) {
    this.#values = values;
    this.#keys = keys;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key);
  }

  put(key: string, value: Uint8Array): void {
    const keys = this.#keys;
    const before = this.#values.size;
    this.#values.set(key, value);
    if (this.#values.size === before) return;
    if (keys.length === 0 || (keys[keys.length - 1] as string) < key) keys.push(key);
    else keys.splice(lowerBound(keys, key), 0, key);
  }

  remove(key: string): void {
    if (!this.#values.delete(key)) return;
    this.#keys.splice(lowerBound(this.#keys, key), 1);
  }

  range(from: string, visit: (key: string, value: Uint8Array) => boolean): void {
    const keys = this.#keys;
    for (let i = lowerBound(keys, from); i < keys.length; i++) {
      const key = keys[i] as string;
      if (!visit(key, this.#values.get(key) as Uint8Array)) return;
    }
  }

  keysFrom(from: string, visit: (key: string) => boolean): void {
    const keys = this.#keys;
    for (let i = lowerBound(keys, from); i < keys.length; i++) {
      if (!visit(keys[i] as string)) return;
    }
  }

  get entries(): number {
    return this.#keys.length;
  }

  bytes(): number {
    let bytes = 0;
    for (const [key, value] of this.#values) bytes += key.length + value.length;
    return bytes;
  }

  copy(): OrderedTable {
    return new OrderedTable(new Map(this.#values), this.#keys.slice());
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface Change {
  readonly table: number;
  readonly key: string;
  /** null removes. */
  readonly value: Uint8Array | null;
}

function makeTables(): OrderedTable[] {
  return LEDGER_TABLE_NAMES.map(() => new OrderedTable());
}

function apply(tables: readonly OrderedTable[], changes: readonly Change[]): void {
  for (const { table, key, value } of changes) {
    if (value === null) (tables[table] as OrderedTable).remove(key);
    else (tables[table] as OrderedTable).put(key, value);
  }
}

export interface StoreTiming {
  /** What commits fail with now (a code of the system), or null. */
  readonly failure?: () => string | null;
  /** Runs `run` after `ms`, between turns of the ledger, unless its process died. */
  after(ms: number, run: () => void): void;
  visibleMs(): number;
  flushMs(): number;
}

/**
 * What a process leaves behind: what is safe, and what the next one sees beyond it until it is
 * flushed.
 */
export interface StoreRemains {
  readonly safe: readonly OrderedTable[];
  readonly unsafe: readonly Change[];
}

export class SimulatedStore implements LedgerStore {
  readonly #effects: Effects;
  readonly #timing: StoreTiming;
  readonly #visible: OrderedTable[];
  readonly #flushed: OrderedTable[];
  /** Commits behind the flushed one, oldest first. */
  readonly #commits: Change[][] = [];
  claimed: RecordMemory = recordMemory(Buffer.alloc(0));
  #pending: Change[] = [];
  /** Visible since an earlier process, and not flushed yet. */
  #carried: readonly Change[];
  /** A commit failed, and none after it happens. */
  #failure: Error | null = null;
  #visibleCommit = 0;
  #flushedCommit = 0;
  #lastCommit = 0;

  readonly isFull = false;

  constructor(effects: Effects, timing: StoreTiming, remains: StoreRemains | null) {
    this.#effects = effects;
    this.#timing = timing;
    this.#flushed = remains === null ? makeTables() : remains.safe.map((table) => table.copy());
    this.#visible = this.#flushed.map((table) => table.copy());
    this.#carried = remains?.unsafe ?? [];
    apply(this.#visible, this.#carried);
  }

  get visibleCommit(): number {
    this.#checkFailure();
    return this.#visibleCommit;
  }

  get flushedCommit(): number {
    this.#checkFailure();
    return this.#flushedCommit;
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw new Error("ledger store failed", { cause: this.#failure });
  }

  get(table: number, key: Uint8Array): Uint8Array | undefined {
    const value = (this.#visible[table] as OrderedTable).get(latin1Text(key));
    return value === undefined ? undefined : copyBytes(value);
  }

  range(table: number, from: Uint8Array, visitor: RangeVisitor): void {
    (this.#visible[table] as OrderedTable).range(latin1Text(from), (key, value) =>
      visitor(latin1Bytes(key), copyBytes(value)),
    );
  }

  keys(table: number, from: Uint8Array, visitor: KeyVisitor): void {
    (this.#visible[table] as OrderedTable).keysFrom(latin1Text(from), (key) =>
      visitor(latin1Bytes(key)),
    );
  }

  put(table: number, key: Uint8Array, value: Uint8Array, valueBytes = value.length): void {
    const bytes = copyBytes(value.length === valueBytes ? value : value.subarray(0, valueBytes));
    this.#pending.push({ table, key: latin1Text(key), value: bytes });
  }

  claim(table: number, key: Uint8Array, valueBytes: number): number {
    const { buffer, byteOffset } = takeBytes(valueBytes);
    this.claimed = recordMemory(Buffer.from(buffer, byteOffset, valueBytes));
    this.#pending.push({ table, key: latin1Text(key), value: this.claimed.bytes });
    return 0;
  }

  remove(table: number, key: Uint8Array): void {
    this.#pending.push({ table, key: latin1Text(key), value: null });
  }

  retry(): void {}

  commit(): number {
    const changes = this.#pending;
    return this.#effects.run("store.commit", `#${this.#lastCommit + 1} +${changes.length}`, () => {
      this.#pending = [];
      this.#commits.push(changes);
      const commit = ++this.#lastCommit;
      this.#timing.after(this.#timing.visibleMs(), () => this.#makeVisible(commit));
      return commit;
    });
  }

  usedBytes(): number {
    return this.#visible.reduce((sum, table) => sum + table.bytes(), 0);
  }

  /** Entries of a table, for judges. */
  entries(table: number): number {
    return (this.#visible[table] as OrderedTable).entries;
  }

  /** What a new process finds after this one died. */
  remainsAfter(kind: CrashKind, random: SeededRandom): StoreRemains {
    const from = kind === "kill" ? this.#visibleCommit : this.#flushedCommit;
    const to = kind === "kill" ? this.#lastCommit : this.#visibleCommit;
    const kept = random.between(from, to) - this.#flushedCommit;
    const commits = this.#commits.slice(0, kept).flat();
    const carries = kind === "kill" || kept > 0 || random.chance(0.5);
    const unsafe = [...(carries ? this.#carried : []), ...commits];
    if (kind === "kill") return { safe: this.#flushed, unsafe };
    apply(this.#flushed, unsafe);
    return { safe: this.#flushed, unsafe: [] };
  }

  #makeVisible(commit: number): void {
    const code = this.#timing.failure?.() ?? null;
    if (code !== null) {
      this.#failure ??= Object.assign(new Error(`${code}: simulated failure of a commit`), {
        code,
      });
      this.#lastCommit = this.#visibleCommit;
    }
    if (this.#failure !== null) return;
    // In order: a later commit takes the earlier ones with it.
    while (this.#visibleCommit < commit) {
      const changes = this.#commits[this.#visibleCommit - this.#flushedCommit] as Change[];
      apply(this.#visible, changes);
      this.#visibleCommit++;
    }
    this.#timing.after(this.#timing.flushMs(), () => this.#flush(commit));
  }

  #flush(commit: number): void {
    if (this.#flushedCommit >= commit) return;
    this.#effects.run("store.flush", `#${commit}`, () => {
      apply(this.#flushed, this.#carried);
      this.#carried = [];
      while (this.#flushedCommit < commit) {
        apply(this.#flushed, this.#commits.shift() as Change[]);
        this.#flushedCommit++;
      }
    });
  }
}
