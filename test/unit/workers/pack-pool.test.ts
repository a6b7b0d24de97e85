/** The pool for CDR files: when it has threads, and their priorities. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CdrCut } from "../../../src/ledger/cdr-format.ts";
import { systemIdIndex } from "../../../src/tables/thread-table.ts";
import { PackPool } from "../../../src/workers/pack-pool.ts";

const THREAD_START_MS = 500;
const INDICES = { calm: 0, pressing: 1 };
const bells = new Int32Array(new SharedArrayBuffer(4096));

test("the pool has no thread before its first cut", async () => {
  const threads = (): number => readdirSync("/proc/self/task").length;
  const before = threads();
  assert.ok(new PackPool(bells, INDICES));
  await sleep(THREAD_START_MS);
  assert.equal(threads(), before);
});

/** Niceness of a thread of this process. */
function nicenessOf(thread: number): number {
  const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
}

test("a calm thread gives way to all others, a pressing one is as its maker", async () => {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-pack-"));
  const pool = new PackPool(bells, INDICES);
  const rows = { series: 1, epoch: 1, from: 0, until: 1, at: 0, itemBytes: 9 };
  const cut: CdrCut = { ...rows, format: "ndjson" };
  const store = join(folder, "ledger");
  const request = { node: "gw", region: "r", folder, store, bytesMax: 1 << 26, cut };
  for (const isPressing of [false, true]) {
    await assert.rejects(pool.pack(request, isPressing), "there is nothing to make a file of");
  }
  await pool.settle();
  const [calm, pressing] = [INDICES.calm, INDICES.pressing].map((index) =>
    nicenessOf(Atomics.load(bells, systemIdIndex(index))),
  );
  assert.equal(calm, 19);
  assert.equal(pressing, nicenessOf(process.pid));
  rmSync(folder, { recursive: true, force: true });
});
