/** The pool for CDR files: when it has a thread. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PackPool } from "../../../src/workers/pack-pool.ts";

const THREAD_START_MS = 500;

test("the pool has no thread before its first cut", async () => {
  const threads = (): number => readdirSync("/proc/self/task").length;
  const before = threads();
  assert.ok(new PackPool({ bells: new Int32Array(64), index: 0 }));
  await sleep(THREAD_START_MS);
  assert.equal(threads(), before);
});
