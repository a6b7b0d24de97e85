/**
 * What the ledger relies on in its store: the same for LMDB and for the simulated one, and LMDB
 * under kill -9.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { DataDirError } from "../../../src/journal/errors.ts";
import { bodyKey } from "../../../src/ledger/body-moves.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { type LmdbLedgerStore, openLmdbStore } from "../../../src/ledger/store/lmdb-store.ts";
import {
  encodeMeta,
  LedgerMeta,
  META_KEY,
  readMeta,
  readPosition,
} from "../../../src/ledger/store/meta.ts";
import { LedgerTable, type LedgerStore } from "../../../src/ledger/store/store.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { Harness } from "./harness.ts";
import { KEPT, META, rowKey, ROWS } from "./lmdb-writer.ts";
import { accept, answer, key, receipt, sending } from "./records.ts";

const WRITER = fileURLToPath(new URL("./lmdb-writer.js", import.meta.url));

function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

function entries(store: LedgerStore, from: string, count = 1e9): string[] {
  const all: string[] = [];
  store.range(LedgerTable.ROWS, bytes(from), (found, value) => {
    all.push(`${Buffer.from(found).toString()}=${Buffer.from(value).toString()}`);
    return all.length < count;
  });
  const keys: string[] = [];
  store.keys(LedgerTable.ROWS, bytes(from), (found) => {
    keys.push(Buffer.from(found).toString());
    return keys.length < count;
  });
  assert.deepEqual(
    keys,
    all.map((entry) => entry.slice(0, entry.indexOf("="))),
  );
  return all;
}

async function isFlushed(store: LedgerStore, commit: number): Promise<void> {
  while (store.flushedCommit < commit) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function checkContract(store: LedgerStore): Promise<void> {
  const value = Buffer.from("1");
  store.put(LedgerTable.ROWS, bytes("b"), value);
  value.write("x");
  store.put(LedgerTable.ROWS, bytes("a"), bytes("0"));
  store.put(LedgerTable.ROWS, bytes("c\0d"), bytes(""));
  store.put(LedgerTable.OPEN, bytes("a"), bytes("other table"));
  assert.equal(store.get(LedgerTable.ROWS, bytes("a")), undefined);
  const first = store.commit();
  await isFlushed(store, first);
  assert.ok(store.visibleCommit >= first);
  assert.deepEqual(entries(store, ""), ["a=0", "b=1", "c\0d="]);
  assert.deepEqual(entries(store, "aa", 1), ["b=1"]);
  store.remove(LedgerTable.ROWS, bytes("b"));
  store.remove(LedgerTable.ROWS, bytes("never there"));
  store.put(LedgerTable.ROWS, bytes("a"), bytes("2"));
  store.put(LedgerTable.ROWS, bytes("a"), bytes("3"));
  assert.deepEqual(entries(store, "", 1), ["a=0"]);
  await isFlushed(store, store.commit());
  assert.deepEqual(entries(store, ""), ["a=3", "c\0d="]);
  assert.ok(store.usedBytes() > 0);
}

async function inDirectory(run: (path: string) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), "ledger-store-"));
  try {
    await run(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

test("the store's contract: memory", () => checkContract(new MemoryStore()));

test("the store's contract: LMDB, and after reopening", () =>
  inDirectory(async (path) => {
    const store = openLmdbStore(path, 1e9);
    await checkContract(store);
    await store.close();
    const again = openLmdbStore(path, 1e9);
    assert.deepEqual(entries(again, ""), ["a=3", "c\0d="]);
    await again.close();
  }));

test("a store that was made durable numbers its commits from 1 all the same", () =>
  inDirectory(async (path) => {
    const unsynced = openLmdbStore(path, 1e9, false);
    unsynced.put(LedgerTable.META, META_KEY, Buffer.from("meta"));
    unsynced.commit();
    await unsynced.close();
    const store = openLmdbStore(path, 1e9);
    await store.makeDurable();
    // CDR rows take the first commit of a run for number 1: a cut is told once it is flushed.
    assert.deepEqual([store.visibleCommit, store.flushedCommit], [0, 0]);
    store.put(LedgerTable.META, META_KEY, Buffer.from("later"));
    assert.equal(store.commit(), 1);
    assert.equal(store.flushedCommit, 0);
    await store.close();
    assert.equal(store.flushedCommit, 1);
  }));

test("the simulated store loses whole commits, in order, that were not flushed or seen", () => {
  const store = new MemoryStore(false);
  for (const n of [1, 2, 3]) {
    store.put(LedgerTable.ROWS, bytes(`k${n}`), bytes(String(n)));
    store.commit();
  }
  store.makeVisible(2);
  store.flush(1);
  assert.deepEqual(entries(store, ""), ["k1=1", "k2=2"]);
  assert.deepEqual(entries(store.crash(false), ""), ["k1=1", "k2=2"]);
  assert.deepEqual(entries(store.crash(true), ""), ["k1=1"]);
});

/** Checks that the store holds exactly one commit's content; returns its number. */
function checkWhole(store: LmdbLedgerStore): number {
  const meta = store.get(LedgerTable.META, META);
  const commit = meta === undefined ? 0 : Buffer.from(meta).readUInt32BE(0);
  const expected: string[] = [];
  for (let n = Math.max(1, commit - KEPT + 1); n <= commit; n++) {
    for (let i = 0; i < ROWS; i++) expected.push(Buffer.from(rowKey(n, i)).toString("hex"));
  }
  const found: string[] = [];
  store.range(LedgerTable.ROWS, new Uint8Array(0), (each, value) => {
    found.push(Buffer.from(each).toString("hex"));
    assert.equal(Buffer.from(value).readUInt32BE(0), Buffer.from(each).readUInt32BE(0));
    return true;
  });
  assert.deepEqual(found, expected);
  return commit;
}

test("LMDB keeps whole commits, and every one that was seen, under kill -9", () =>
  inDirectory(async (path) => {
    let last = 0;
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, [WRITER, path], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      let seen = 0;
      let commits = 0;
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        const numbers = text.trim().split("\n");
        seen = Number(numbers.at(-1));
        commits += numbers.length;
        // A little later, so that it dies somewhere inside a commit.
        if (commits > 20) setTimeout(() => child.kill("SIGKILL"), 2 + round * 3);
      });
      await once(child, "close");
      const store = openLmdbStore(path, 1e9);
      const commit = checkWhole(store);
      assert.ok(commit >= seen, `saw ${seen}, found ${commit}`);
      assert.ok(commit > last);
      last = commit;
      await store.close();
    }
  }));

test("a ledger on LMDB flushes, restarts and goes on", () =>
  inDirectory(async (path) => {
    let store = openLmdbStore(path, 1e9);
    const first = new Harness({ store });
    const settle = async (harness: Harness): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        harness.ledger.requestFlush();
        harness.work();
        // Commits are in order: with one of ours, what the ledger committed before is flushed.
        await isFlushed(harness.store, harness.store.commit());
      }
    };
    await settle(first);
    for (let i = 1; i <= 200; i++) {
      first.feed(accept(key(i)), sending(key(i)), answer(key(i), { id: `m${i}` }));
    }
    first.feed(
      accept(key(1000)),
      ...Array.from({ length: 100 }, (_, i) => receipt(`m${i + 1}`, 2)),
    );
    await settle(first);
    await store.close();
    store = openLmdbStore(path, 1e9);
    const second = first.restart({ store });
    await settle(second);
    assert.equal(second.submitted.length, 1);
    for (let i = 101; i <= 200; i++) second.feed(receipt(`m${i}`, 2));
    assert.equal(second.ledger.status().books.final["delivered"], 200);
    await settle(second);
    assert.deepEqual(verifyBooks(store).mismatches, []);
    await store.close();
  }));

test("another thread reads what was moved, from the next look after the commit on", async () => {
  const path = mkdtempSync(join(tmpdir(), "smsgw-moved-"));
  const store = openLmdbStore(path, 1e9);
  const reader = new Worker(new URL("./moved-body-reader.js", import.meta.url), {
    workerData: path,
  });
  const ask = async (logOffset: number): Promise<string | null> => {
    reader.postMessage(logOffset);
    const [answer] = (await once(reader, "message")) as [string | null];
    return answer;
  };
  const put = async (logOffset: number, body: string | null): Promise<void> => {
    if (body === null) store.remove(LedgerTable.BODIES, bodyKey(logOffset));
    else store.put(LedgerTable.BODIES, bodyKey(logOffset), bytes(body));
    await isFlushed(store, store.commit());
  };
  try {
    await put(64, "first");
    assert.equal(await ask(64), "first");
    assert.equal(await ask(2 ** 40), null);
    for (let i = 0; i < 200; i++) {
      await put(2 ** 40 + 8 * i, `body ${i}`);
      assert.equal(await ask(2 ** 40 + 8 * i), `body ${i}`);
    }
    await put(64, null);
    assert.equal(await ask(64), null);
  } finally {
    await reader.terminate();
    await store.close();
    rmSync(path, { recursive: true });
  }
});

test("a store of another version is refused as a data directory", () => {
  const store = new MemoryStore();
  const meta = encodeMeta(new LedgerMeta(), { count: 0, parts: 0 });
  const current = meta[0] as number;
  for (const [version, isRead] of [
    [current - 3, false],
    [current - 2, true],
    [current - 1, true],
    [current + 1, false],
  ] as const) {
    meta[0] = version;
    store.put(LedgerTable.META, META_KEY, meta);
    store.commit();
    if (isRead) assert.equal(readMeta(store).cursor, 0);
    else {
      assert.throws(
        () => readMeta(store),
        (error) => error instanceof DataDirError && /version/.test(error.message),
      );
    }
  }
});

test("a store in which every open message has a row is read on from its cursor", () => {
  const store = new MemoryStore();
  const meta = new LedgerMeta();
  meta.cursor = 4711;
  meta.replayFrom = 4000;
  meta.noteStart({ epoch: 3, at: 1_700_000_000_000 });
  meta.holds.hold(4096, 200);
  const current = encodeMeta(meta, { count: 0, parts: 0 });
  store.put(LedgerTable.META, META_KEY, current);
  store.commit();
  assert.deepEqual(readPosition(store), { cursor: 4711, replayFrom: 4000 });
  const before = current.slice(0, -6);
  before[0] = 7;
  store.put(LedgerTable.META, META_KEY, before);
  store.commit();
  assert.deepEqual(readPosition(store), { cursor: 4711, replayFrom: 4711 });
  assert.deepEqual(readMeta(store).starts, meta.starts);
});

test("a commit writes no page beyond what the file had room for before it began", () =>
  inDirectory(async (path) => {
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const store = openLmdbStore(path, 0);
    const keys: Buffer[] = [];
    for (let commit = 1; commit <= 60; commit++) {
      // Small changes all over the table, then long values, then a table that loses most of it.
      const isWide = commit % 3 !== 0;
      for (let i = integerIn(random, 1, isWide ? 2000 : 200); i > 0; i--) {
        const isOld = keys.length > 0 && random() < (commit > 45 ? 0.95 : 0.5);
        const found = Math.floor(random() * keys.length);
        const key = isOld ? (keys[found] as Buffer) : Buffer.alloc(16, String(random()));
        if (!isOld) keys.push(key);
        if (commit > 45 && isOld) store.remove(LedgerTable.ROWS, key);
        else
          store.put(LedgerTable.ROWS, key, Buffer.alloc(isWide ? 40 : integerIn(random, 1, 9000)));
      }
      const number = store.commit();
      const { size } = statSync(join(path, "data.mdb"));
      await isFlushed(store, number);
      assert.equal(statSync(join(path, "data.mdb")).size, size, `commit ${commit}, seed ${seed}`);
    }
    await store.close();
  }));
