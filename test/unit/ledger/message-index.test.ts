/** The index of many apps: common blocks, what sorts them, restarts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import type { MemoryStore } from "../../support/memory-store.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { Harness, POLICY } from "./harness.ts";
import { all, ANY, id, page, PER_MS } from "./lists.ts";
import { accept, key, T0 } from "./records.ts";

const APPS = Array.from({ length: 40 }, (_, i) => i + 1);
const MANY_APPS = {
  plan: { ...POLICY.plan, appIndexById: new Map(APPS.map((app, index) => [app, index])) },
};

/** Keys of the index, by app; 0: common blocks. */
function blocksOf(harness: Harness): Map<number, number> {
  const counts = new Map<number, number>();
  for (const entry of (harness.store as MemoryStore).dump(LedgerTable.INDEX)) {
    const app = Number.parseInt(entry.slice(0, 8), 16);
    counts.set(app, (counts.get(app) ?? 0) + 1);
  }
  return counts;
}

/** Feeds `count` messages of many apps, one a millisecond from `first` on, with commits between. */
function feed(
  harness: Harness,
  random: () => number,
  first: number,
  count: number,
  known: Map<number, string[]>,
): void {
  for (let ms = first; ms < first + count; ms++) {
    const appId = integerIn(random, 1, APPS.length);
    harness.feed(accept(key(ms * PER_MS), { appId, at: T0 + ms }));
    known.set(appId, [...(known.get(appId) ?? []), id(ms * PER_MS)]);
    if (ms % 60 === 59) harness.flush();
  }
  harness.flush();
}

function assertLists(harness: Harness, known: ReadonlyMap<number, string[]>): void {
  for (const appId of APPS) {
    assert.deepEqual(all(harness, { appId }), known.get(appId) ?? [], `app ${appId}`);
  }
}

test("commits of many apps put one block, and a list has every app's blocks written first", () => {
  const random = seededRandom(3);
  const known = new Map<number, string[]>();
  const harness = new Harness({ policy: MANY_APPS });
  harness.work();
  feed(harness, random, 0, 600, known);
  assert.deepEqual([...blocksOf(harness).keys()], [0], "only common blocks");
  assertLists(harness, known);
  const blocks = blocksOf(harness);
  assert.equal(blocks.get(0), undefined, "sorted: no common block is left");
  for (const appId of APPS) assert.equal(blocks.get(appId), 1, `app ${appId}`);
  feed(harness, random, 600, 120, known);
  assertLists(harness, known);
});

test("a commit of one app beside, or of many messages an app, needs no common block", () => {
  const harness = new Harness({ policy: MANY_APPS });
  harness.work();
  harness.feed(accept(key(PER_MS), { appId: 5, at: T0 }));
  harness.flush();
  assert.deepEqual([...blocksOf(harness)], [[5, 1]]);
  for (let i = 0; i < 16 * APPS.length; i++) {
    const appId = 1 + (i % APPS.length);
    harness.feed(accept(key((2 + i) * PER_MS), { appId, at: T0 + i }));
  }
  harness.flush();
  assert.equal(blocksOf(harness).get(0), undefined);
  assert.equal(all(harness, { appId: 5 }).length, 17);
});

test("what a crash leaves in common blocks is listed, whole and once, and cursors go on", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const known = new Map<number, string[]>();
    let harness = new Harness({ policy: MANY_APPS });
    harness.work();
    let ms = 0;
    for (let run = 0; run < 4; run++) {
      const count = integerIn(random, 60, 400);
      feed(harness, random, ms, count, known);
      ms += count;
      const first = page(harness, { appId: 1, ...ANY, limit: 3, after: null });
      feed(harness, random, ms, 90, known);
      ms += 90;
      harness = harness.restart();
      harness.work();
      const after = first?.next ?? null;
      const rest = page(harness, { appId: 1, ...ANY, limit: 500, after });
      const seen = after === null ? [] : (first?.data ?? []);
      const ids = [...seen, ...(rest?.data ?? [])].map((message) => message.id);
      assert.deepEqual(ids, known.get(1), `seed ${seed}`);
    }
    assertLists(harness, known);
  }
});

test("a block spans no more time than lists begin before what they are asked for", () => {
  const harness = new Harness({ policy: MANY_APPS });
  harness.work();
  const sent: number[] = [];
  for (let s = 0; s < 200; s += 5) {
    for (const appId of APPS) {
      const number = (s * 1000 + appId) * PER_MS;
      harness.feed(accept(key(number), { appId, at: T0 + s * 1000, ttlMs: 3_600_000 }));
      if (appId === 9) sent.push(number);
    }
    harness.flush();
  }
  for (const since of [100, 150, 195]) {
    const wanted = sent.filter((number) => number / PER_MS >= since * 1000);
    assert.ok(wanted.length > 0);
    assert.deepEqual(
      all(harness, { appId: 9, since: T0 + since * 1000 }),
      wanted.map((number) => id(number)),
    );
  }
});

test("many small commits of many apps are sorted before they are too many blocks", () => {
  const harness = new Harness({ policy: MANY_APPS });
  harness.work();
  for (let commit = 0; commit < 300; commit++) {
    for (let i = 0; i < 20; i++) {
      const number = (commit * 20 + i) * PER_MS;
      harness.feed(accept(key(number), { appId: APPS[i] as number, at: T0 + commit }));
    }
    harness.flush();
  }
  const blocks = blocksOf(harness);
  assert.ok((blocks.get(0) ?? 0) < 300 && (blocks.get(1) ?? 0) > 0, [...blocks].join(" "));
  for (const appId of APPS.slice(0, 20)) assert.equal(all(harness, { appId }).length, 300);
});
