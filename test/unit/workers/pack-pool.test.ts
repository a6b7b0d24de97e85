/** The pool for CDR files: when it has a thread, and when that may go. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CdrCut } from "../../../src/ledger/cdr/cdr-format.ts";
import { systemIdIndex } from "../../../src/tables/thread-table.ts";
import { PackPool } from "../../../src/workers/pack-pool.ts";

const THREAD_START_MS = 500;
const INDEX = 0;
const bells = new Int32Array(new SharedArrayBuffer(4096));

test("the pool has no thread before its first cut", async () => {
  const threads = (): number => readdirSync("/proc/self/task").length;
  const before = threads();
  assert.ok(new PackPool(bells, INDEX));
  await sleep(THREAD_START_MS);
  assert.equal(threads(), before);
});

test("it tells when its thread may be ended, also after a cut that failed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-pack-"));
  const pool = new PackPool(bells, INDEX);
  const rows = { series: 1, epoch: 1, from: 0, until: 1, at: 0, itemBytes: 9 };
  const cut: CdrCut = { ...rows, format: "ndjson" };
  const store = join(folder, "ledger");
  const ends = { node: "gw", region: "r", folder, store, bytesMax: 1 << 26, syncs: true };
  const request = { ...ends, cut };
  await assert.rejects(pool.pack(request), "there is nothing to make a file of");
  await pool.settle();
  assert.notEqual(Atomics.load(bells, systemIdIndex(INDEX)), 0);
  rmSync(folder, { recursive: true, force: true });
});
