/**
 * The ledger's store: a few ordered tables of bytes, changed by transactions that become visible
 * and then durable.
 *
 *   put, remove ─► pending ─► commit() = n ─► visibleCommit ≥ n ─► flushedCommit ≥ n
 *                             all or nothing   reads see it         survives power loss
 *
 * Commits become visible and durable in order. Reads see the last visible commit, never pending
 * changes. The real engine (lmdb-store.ts) commits on a thread of its own; test/support has one
 * that forgets what was not flushed. The ledger's thread only.
 */
import type { RecordMemory } from "../../records/memory.ts";

/** Tables, by index into LEDGER_TABLE_NAMES. */
export const LedgerTable = {
  META: 0,
  ROWS: 1,
  OPEN: 2,
  WAITS: 3,
  PARKED: 4,
  RECEIPTS: 5,
  BODIES: 6,
  OUTBOX: 7,
  CDR: 8,
  ENDED: 9,
  INDEX: 10,
  HELD: 11,
  DEAD_LETTERS: 12,
  IDEMPOTENCY: 13,
} as const;
export const LEDGER_TABLE_NAMES = [
  "meta",
  "rows",
  "open",
  "waits",
  "parked",
  "receipts",
  "bodies",
  "outbox",
  "cdr",
  "ended",
  "index",
  "held",
  "dead_letters",
  "idempotency",
] as const;

/**
 * Is given each entry of a range; returns false to stop. Both arrays are valid during the call
 * only.
 */
export type RangeVisitor = (key: Uint8Array, value: Uint8Array) => boolean;

/** The same of keys alone. */
export type KeyVisitor = (key: Uint8Array) => boolean;

export interface LedgerStore {
  /** The value of `key`, valid until the next call of anything here, or undefined. */
  get(table: number, key: Uint8Array): Uint8Array | undefined;
  /**
   * Visits entries with keys ≥ `from`, in key order. No reads or writes of this store inside the
   * visitor.
   */
  range(table: number, from: Uint8Array, visitor: RangeVisitor): void;
  /** The same without reading the values, each of which costs a copy. */
  keys(table: number, from: Uint8Array, visitor: KeyVisitor): void;
  /**
   * Adds a change to the next commit; `key` and the first `valueBytes` of `value` (default: all)
   * are copied.
   */
  put(table: number, key: Uint8Array, value: Uint8Array, valueBytes?: number): void;
  /**
   * Adds a change whose value is `valueBytes` long and is to be written, before anything else is
   * called here, into `claimed` from the offset on that is returned. There it can be read until
   * the commit is visible.
   */
  claim(table: number, key: Uint8Array, valueBytes: number): number;
  readonly claimed: RecordMemory;
  /** Adds the removal of a key that need not exist. */
  remove(table: number, key: Uint8Array): void;
  /**
   * Commits all pending changes at once; returns the commit's number, counting from 1 after
   * opening.
   */
  commit(): number;
  /** Last commit that reads see. Throws if a commit failed: the ledger must not go on. */
  readonly visibleCommit: number;
  /**
   * Whether the last commit has found no room on the disk. None of it is there; `retry` tries it
   * again, and until it is visible there is no other commit.
   */
  readonly isFull: boolean;
  retry(): void;
  /** Last commit that is durable. */
  readonly flushedCommit: number;
  /** Bytes of live data; may walk the trees, so ask seldom. */
  usedBytes(): number;
}
