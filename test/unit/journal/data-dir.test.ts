import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  type LastExit,
  quarantinedRecords,
  readLastExit,
  readLastSent,
  readNodeFile,
  startEpoch,
  STRUCK_MAX,
  writeLastDrain,
  writeLastExit,
} from "../../../src/journal/data-dir.ts";
import { lockDataDir } from "../../../src/journal/data-dir-lock.ts";
import { DataDirError } from "../../../src/journal/errors.ts";
import { makeDirectory, openNodeLogDirectory } from "../../../src/journal/node-log-directory.ts";
import { EPOCH_MAX } from "../../../src/records/message-key.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { seededRandom } from "../../support/seeded-random.ts";

function put(directory: MemoryDirectory, name: string, text: string): void {
  const bytes = Buffer.from(text);
  directory.open(name, true).write(bytes, bytes.length, 0);
}

test("each start has an epoch of its own, above every one the log has seen", () => {
  const directory = new MemoryDirectory();
  assert.equal(readNodeFile(directory), null);
  const a = { node: "a", storeSynced: true, previousNode: null };
  assert.deepEqual(startEpoch(directory, "a", 0), { ...a, epoch: 1 });
  assert.deepEqual(startEpoch(directory, "a", 0), { ...a, epoch: 2 });
  assert.deepEqual(startEpoch(directory, "a", 40), { ...a, epoch: 41 });
  const b = { node: "b", storeSynced: true, epoch: 42 };
  assert.deepEqual(startEpoch(directory, "b", 3), { ...b, previousNode: "a" });
  assert.deepEqual(readNodeFile(directory), b);
});

test("a run that does not sync the store says so before it has written anything else", () => {
  const directory = new MemoryDirectory();
  startEpoch(directory, "a", 0, false);
  assert.equal(readNodeFile(directory)?.storeSynced, false);
  startEpoch(directory, "a", 0, true);
  assert.equal(readNodeFile(directory)?.storeSynced, true);
  const old = new MemoryDirectory();
  put(old, "node.json", '{"node":"a","epoch":7}');
  assert.equal(readNodeFile(old)?.storeSynced, false, "one that does not say so is not trusted");
});

test("an epoch that was returned is never given again, wherever the power fails", () => {
  const random = seededRandom(5);
  for (let trial = 0; trial < 100; trial++) {
    const directory = new MemoryDirectory();
    let last = 0;
    for (let start = 0; start < 6; start++) {
      const { epoch } = startEpoch(directory, "n", 0);
      assert.ok(epoch > last);
      last = epoch;
      directory.cutPower(random);
    }
  }
});

test("epochs end before they overflow an origin", () => {
  const directory = new MemoryDirectory();
  assert.throws(() => startEpoch(directory, "n", EPOCH_MAX), DataDirError);
  assert.equal(startEpoch(directory, "n", EPOCH_MAX - 1).epoch, EPOCH_MAX);
});

test("an unreadable node.json is refused, not replaced", () => {
  for (const text of [
    "",
    "{",
    "null",
    "[]",
    '{"node":"a"}',
    '{"node":1,"epoch":2}',
    '{"epoch":-1}',
  ]) {
    const directory = new MemoryDirectory();
    put(directory, "node.json", text);
    assert.throws(
      () => startEpoch(directory, "a", 0),
      (error) => error instanceof DataDirError && error.reason === "damaged",
      text,
    );
  }
});

const CRASH = { code: 75, reason: "broken", thread: "worker 0", atMs: 5, epoch: 3 } as const;

test("each crash is a strike against the record in hand, also where others come between", () => {
  const directory = new MemoryDirectory();
  const crash = (inHand: number | null): [number, number][] =>
    writeLastExit(directory, { ...CRASH, inHand }).strikes.map((record) => [
      record.log_offset,
      record.count,
    ]);
  assert.equal(readLastExit(directory), null);
  assert.deepEqual(crash(null), []);
  assert.deepEqual(crash(800), [[800, 1]]);
  assert.deepEqual(crash(808), [
    [800, 1],
    [808, 1],
  ]);
  assert.deepEqual(crash(800), [
    [808, 1],
    [800, 2],
  ]);
  assert.deepEqual(crash(null), [
    [808, 1],
    [800, 2],
  ]);
  assert.deepEqual(crash(808), [
    [800, 2],
    [808, 2],
  ]);
  assert.deepEqual(readLastExit(directory), {
    code: 75,
    reason: "broken",
    thread: "worker 0",
    at: 5,
    epoch: 3,
    in_hand: 808,
    strikes: [
      { log_offset: 800, count: 2 },
      { log_offset: 808, count: 2 },
    ],
  });
});

test("two strikes quarantine a record until it is done; then its strikes are forgotten", () => {
  const directory = new MemoryDirectory();
  const none = (): boolean => false;
  assert.deepEqual(quarantinedRecords(directory, none), new Set());
  for (const inHand of [800, 808, 816, 808, 800]) writeLastExit(directory, { ...CRASH, inHand });
  assert.deepEqual(quarantinedRecords(directory, none), new Set([808, 800]));
  assert.deepEqual(
    quarantinedRecords(directory, (logOffset) => logOffset !== 800),
    new Set([800]),
  );
  const last = readLastExit(directory);
  assert.deepEqual(last?.strikes, [{ log_offset: 800, count: 2 }]);
  assert.deepEqual([last.reason, last.in_hand], ["broken", 800], "how it ended is still told");
});

test("strikes are bounded: the record that was struck longest ago goes first", () => {
  const directory = new MemoryDirectory();
  const record = (i: number): number => 2 ** 47 + 8 * i;
  for (let i = 0; i < STRUCK_MAX; i++) writeLastExit(directory, { ...CRASH, inHand: record(i) });
  writeLastExit(directory, { ...CRASH, inHand: record(0) });
  writeLastExit(directory, { ...CRASH, inHand: 800 });
  const { strikes } = readLastExit(directory) as LastExit;
  assert.equal(strikes.length, STRUCK_MAX);
  assert.deepEqual(strikes.at(0), { log_offset: record(2), count: 1 });
  assert.deepEqual(strikes.slice(-2), [
    { log_offset: record(0), count: 2 },
    { log_offset: 800, count: 1 },
  ]);
});

test("an unreadable note of the last exit is no reason not to start", () => {
  const strange = '{"code":"a","strikes":[null,{"log_offset":"8","count":2}],"in_hand":"b"}';
  for (const text of ["", "{]", '"x"', '{"strikes":2}', strange]) {
    const directory = new MemoryDirectory();
    put(directory, "last-exit.json", text);
    const found = readLastExit(directory);
    assert.ok(found === null || (found.in_hand === null && found.strikes.length === 0));
    assert.equal(quarantinedRecords(directory, () => false).size, 0);
  }
});

test("what a drain noted holds until the next epoch, which may have sent since", () => {
  const at = { boot: "b", monotonicMs: 12.5, wallMs: 99 };
  const directory = new MemoryDirectory();
  assert.equal(readLastSent(directory), "never");
  const { epoch } = startEpoch(directory, "n", 0);
  assert.equal(readLastSent(directory), "unknown", "died");
  writeLastDrain(directory, epoch, at);
  assert.deepEqual(readLastSent(directory), at);
  directory.cutPower(seededRandom(1));
  assert.deepEqual(readLastSent(directory), at, "after a power failure");
  startEpoch(directory, "n", 0);
  assert.equal(readLastSent(directory), "unknown");
});

test("a log, or files that cannot be read, are no first run", () => {
  for (const name of ["log-0000000000000000", "node.json"]) {
    const directory = new MemoryDirectory();
    put(directory, name, "x");
    assert.equal(readLastSent(directory), "unknown", name);
  }
  for (const text of ["", "[]", '{"epoch":1}', '{"epoch":1,"boot":null,"monotonic_ms":1}']) {
    const directory = new MemoryDirectory();
    startEpoch(directory, "n", 0);
    put(directory, "last-drain.json", text);
    assert.equal(readLastSent(directory), "unknown", text);
  }
});

test("on a real disk the files are there, whole, and only for their owner", () => {
  const path = mkdtempSync(join(tmpdir(), "smsgw-"));
  try {
    const directory = openNodeLogDirectory(join(path, "deep", "data"));
    assert.equal(startEpoch(directory, "n", 0).epoch, 1);
    assert.equal(startEpoch(directory, "n", 0).epoch, 2);
    assert.deepEqual(directory.list(), ["node.json"]);
    assert.throws(() => directory.open("missing", false), { code: "ENOENT" });
    assert.ok(existsSync(join(path, "deep", "data", "node.json")));
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

test("a directory that cannot be made is refused at once, with the reason", () => {
  const path = mkdtempSync(join(tmpdir(), "smsgw-"));
  try {
    writeFileSync(join(path, "file"), "");
    for (const bad of [join(path, "file"), join(path, "file", "sub"), "/proc/none/data"]) {
      assert.throws(() => makeDirectory(bad), /^Error: cannot use the directory .+: .+/, bad);
    }
    makeDirectory(join(path, "a", "b"));
    makeDirectory(join(path, "a", "b"));
    assert.ok(existsSync(join(path, "a", "b")));
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

test("a held directory is refused in this and another process, and free afterwards", async () => {
  const path = mkdtempSync(join(tmpdir(), "smsgw-"));
  const other = mkdtempSync(join(tmpdir(), "smsgw-"));
  const inUse = (error: unknown): boolean =>
    error instanceof DataDirError && error.reason === "in use" && error.exit === "dataDir";
  try {
    const lock = await lockDataDir(path);
    await assert.rejects(lockDataDir(path), inUse);
    (await lockDataDir(other)).release();
    lock.release();
    const holder = fork(new URL("./lock-holder.js", import.meta.url), [path]);
    const [said] = (await once(holder, "message")) as [string];
    assert.equal(said, "held");
    await assert.rejects(lockDataDir(path), inUse);
    holder.kill("SIGKILL");
    await once(holder, "exit");
    (await lockDataDir(path)).release();
  } finally {
    rmSync(path, { recursive: true, force: true });
    rmSync(other, { recursive: true, force: true });
  }
});
