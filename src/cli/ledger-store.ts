/**
 * The ledger's store of a data directory, as offline commands read it. The caller holds the lock of
 * the data directory.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openLmdbStore } from "../ledger/store/lmdb-store.ts";
import { readMeta } from "../ledger/store/meta.ts";
import type { LedgerStore } from "../ledger/store/store.ts";

export interface LedgerPosition {
  /** Where the ledger stands durably, 0 without a store. */
  readonly cursor: number;
  /** At most the cursor: from where on messages may be that its store does not have. */
  readonly replayFrom: number;
  /** From where on it wants texts. */
  readonly heldFrom: number;
}

/** What `read` returns of the store in `dataDir`, which is null where there is none. */
export async function withLedgerStore<T>(
  dataDir: string,
  read: (store: LedgerStore | null) => T,
): Promise<T> {
  const path = join(dataDir, "ledger");
  const store = existsSync(path) ? openLmdbStore(path, 0) : null;
  try {
    return read(store);
  } finally {
    await store?.close();
  }
}

/** From where on a start reads the log. */
export function positionOf(store: LedgerStore | null): LedgerPosition {
  if (store === null) return { cursor: 0, replayFrom: 0, heldFrom: 0 };
  const { cursor, replayFrom, holds } = readMeta(store);
  return { cursor, replayFrom, heldFrom: Math.min(replayFrom, holds.lowest()) };
}
