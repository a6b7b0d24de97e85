/**
 * A process that writes commit after commit into an LMDB store and tells which are visible, until
 * it is killed.
 *
 * Commit n: meta says n, rows (n, 0 … ROWS) appear, those of n - KEPT go. Arguments: the store's
 * path.
 */
import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import { openLmdbStore } from "../../../src/ledger/store/lmdb-store.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";

export const ROWS = 500;
export const KEPT = 3;
export const META = Uint8Array.of(0);

export function rowKey(commit: number, row: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(commit, 0);
  key.writeUInt32BE(row, 4);
  return key;
}

async function writeForEver(path: string): Promise<void> {
  const store = openLmdbStore(path, 1e9);
  const before = store.get(LedgerTable.META, META);
  const first = before === undefined ? 1 : Buffer.from(before).readUInt32BE(0) + 1;
  const value = Buffer.alloc(200);
  for (let n = first; ; n++) {
    value.writeUInt32BE(n, 0);
    for (let i = 0; i < ROWS; i++) store.put(LedgerTable.ROWS, rowKey(n, i), value);
    for (let i = 0; i < ROWS; i++) store.remove(LedgerTable.ROWS, rowKey(Math.max(0, n - KEPT), i));
    store.put(LedgerTable.META, META, value.subarray(0, 4));
    const commit = store.commit();
    while (store.visibleCommit < commit) await new Promise((resolve) => setImmediate(resolve));
    writeSync(1, `${n}\n`);
  }
}

const [, script, path] = process.argv;
if (script?.endsWith("lmdb-writer.js") === true && path !== undefined) await writeForEver(path);
