import assert from "node:assert/strict";
import { test } from "node:test";
import { Block, BLOCK_FLAG_UNSYNCED } from "../../../src/journal/block.ts";
import { JournalFailedError } from "../../../src/journal/errors.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { recordMemory } from "../../../src/records/memory.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { checkFiller } from "../../support/filler-record.ts";
import { assertComplete, CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

const SEGMENT = 65536;

/** Stages records of random sizes, committing now and then. */
function traffic(rig: JournalRig, records: number, seed: number, bytesMax = 2000): void {
  const random = seededRandom(seed);
  for (let i = 0; i < records; i++) {
    const appender = integerIn(random, 0, rig.appenders.length - 1);
    while (!rig.stage(appender, integerIn(random, 24, bytesMax))) {
      rig.journal.doWork();
      rig.poll();
    }
    if (random() < 0.2) rig.journal.doWork();
    if (random() < 0.2) rig.poll();
  }
  rig.settle();
}

/** The record at a log offset, read from the file that holds it. */
function recordAt(
  directory: MemoryDirectory,
  logOffset: number,
): { appender: number; sequence: number } {
  const start = listSegments(directory).findLast((candidate) => candidate <= logOffset) as number;
  const memory = recordMemory(directory.bytesOf(segmentName(start)));
  const at = logOffset - start;
  return checkFiller(memory, at, memory.view.getUint32(at, true));
}

test("notices name the place of every record, over wraps and segment switches", () => {
  for (const startPosition of [0, 0x7fffff00, -4096]) {
    const directory = new MemoryDirectory();
    const rig = new JournalRig({ directory, startPosition });
    traffic(rig, 1500, startPosition + 7);
    assertComplete(rig.committed, rig.staged);
    assert.ok(listSegments(directory).length > 10, "many segments");
    for (const { appender, sequence, logOffset } of rig.committed) {
      assert.deepEqual(recordAt(directory, logOffset), { appender, sequence });
    }
  }
});

test("the tailer shows every record once, at the place its notice named", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  const tailer = new BlockTailer(directory, rig.table, 0, 4096);
  const visitor = new CollectingVisitor();
  for (let round = 0; round < 20; round++) {
    traffic(rig, 60, round);
    tailer.poll(visitor, 20_000);
  }
  while (tailer.poll(visitor, 20_000) > 0);
  assert.equal(tailer.position, rig.table.load(LogWord.COMMITTED));
  const byPlace = rig.committed.toSorted((a, b) => a.logOffset - b.logOffset);
  assert.deepEqual(visitor.records, byPlace);
});

test("a commit is synced before it is published, and changes no file's size", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  traffic(rig, 300, 5);
  const sizes = new Map(directory.list().map((name) => [name, directory.bytesOf(name).length]));
  rig.stage(1, 500);
  const syncsBefore = directory.dataSyncs;
  const committedBefore = rig.table.load(LogWord.COMMITTED);
  assert.equal(rig.journal.doWork(), 1);
  assert.ok(directory.dataSyncs > syncsBefore);
  assert.ok(rig.table.load(LogWord.COMMITTED) > committedBefore);
  assert.equal(rig.table.load(LogWord.SYNCED), rig.table.load(LogWord.COMMITTED));
  const active = segmentName(
    listSegments(directory).findLast((start) => start <= committedBefore) as number,
  );
  assert.equal(directory.bytesOf(active).length, sizes.get(active));
  assert.ok(rig.rings > 0);
  assert.ok(rig.ledgerRings > 0);
});

test("the ledger is rung every 2 ms while blocks come fast, and for the last of them", () => {
  const rig = new JournalRig({ directory: new MemoryDirectory() });
  for (let block = 0; block < 8; block++) {
    assert.ok(rig.stage(0, 200));
    assert.equal(rig.journal.doWork(), 1);
    rig.poll();
    rig.clock.nowMs += 0.5;
  }
  assert.equal(rig.ledgerRings, 2);
  assert.equal(rig.journal.doWork(), 0);
  assert.equal(rig.ledgerRings, 3);
  assert.equal(rig.journal.doWork(), 0);
  assert.equal(rig.ledgerRings, 3);
});

test("a flood of one appender leaves the others their share of each block", () => {
  const rig = new JournalRig({
    directory: new MemoryDirectory(),
    stagingBytes: 131072,
    segmentBytes: 1 << 20,
    blockBytesMax: 32768,
  });
  while (rig.stage(0, 1000));
  rig.stage(1, 100);
  rig.stage(2, 3000);
  rig.journal.doWork();
  rig.poll();
  const seen = new Set(rig.committed.map(({ appender }) => appender));
  assert.deepEqual(seen, new Set([0, 1, 2]));
  assert.ok(rig.committed.filter(({ appender }) => appender === 0).length > 20, "all that fits");
  rig.settle();
  assertComplete(rig.committed, rig.staged);
});

test("an appender that does not look at its notices holds up itself only", () => {
  const rig = new JournalRig({
    directory: new MemoryDirectory(),
    noticeBytes: 16384,
    stagingBytes: 1 << 20,
  });
  const lazy = rig.appenders[0];
  const visitor = { onCommitted: () => assert.fail("not polled") };
  for (let i = 0; i < 1000; i++) {
    rig.stage(0, 100);
    rig.stage(1, 100);
    rig.journal.doWork();
    rig.appenders[1]?.pollCommitted({ onCommitted: () => {} });
  }
  assert.equal(rig.appenders[1]?.pendingBytes(), 0);
  assert.ok(lazy !== undefined && lazy.pendingBytes() > 0);
  assert.equal(rig.appenders[2]?.pollCommitted(visitor), 0);
  assert.ok(rig.poll() < 1000, "notices filled their ring");
  rig.settle();
  assert.equal(rig.committed.filter(({ appender }) => appender === 0).length, 1000);
});

test("a failed sync publishes nothing and is never tried again", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  traffic(rig, 100, 1);
  const committed = rig.table.load(LogWord.COMMITTED);
  rig.stage(0, 100);
  directory.failDataSync = "EIO";
  const syncs = directory.dataSyncs;
  assert.throws(
    () => rig.journal.doWork(),
    (error) => error instanceof JournalFailedError && error.code === "EIO",
  );
  assert.equal(directory.dataSyncs, syncs + 1);
  directory.failDataSync = null;
  assert.throws(() => rig.journal.doWork(), JournalFailedError);
  assert.equal(directory.dataSyncs, syncs + 1, "no second sync");
  assert.equal(rig.table.load(LogWord.COMMITTED), committed);
  assert.equal(rig.table.load(LogWord.SYNCED), committed);
  assert.equal(rig.poll(), 0);
});

test("a failed write publishes nothing and ends the journal", () => {
  for (const code of ["EIO", "ENOSPC"]) {
    const directory = new MemoryDirectory();
    const rig = new JournalRig({ directory });
    rig.stage(0, 100);
    directory.failWrite = { code, only: /./ };
    const { writes } = directory;
    assert.throws(() => rig.journal.doWork(), JournalFailedError);
    directory.failWrite = null;
    assert.throws(() => rig.journal.doWork(), JournalFailedError);
    assert.equal(directory.writes, writes + 1);
    assert.equal(rig.table.load(LogWord.COMMITTED), 0);
    assert.equal(rig.poll(), 0);
  }
});

test("a full disk is waited out: nothing is lost, nothing published twice", () => {
  const directory = new MemoryDirectory();
  directory.capacityBytes = 2 * SEGMENT;
  const rig = new JournalRig({ directory });
  for (let i = 0; rig.table.load(LogWord.SHORT_OF_SPACE) === 0; i++) {
    assert.ok(i < 1000, "space runs out");
    rig.stage(i % 3, 700);
    rig.journal.doWork();
    rig.poll();
  }
  assert.equal(rig.journal.spaceTrouble, "ENOSPC");
  const before = rig.committed.length;
  let worked = 1;
  for (let i = 0; worked > 0 || i < 10; i++) {
    rig.stage(i % 3, 700);
    worked = rig.journal.doWork();
    rig.poll();
  }
  assert.ok(rig.committed.length > before, "the rest of the active segment is used");
  const stuck = rig.committed.length;
  assert.equal(rig.journal.doWork(), 0);
  directory.capacityBytes = 100 * SEGMENT;
  assert.equal(rig.journal.doWork(), 0, "not tried again at once");
  rig.clock.nowMs += 100;
  assert.ok(rig.journal.doWork() > 0);
  assert.equal(rig.table.load(LogWord.SHORT_OF_SPACE), 0);
  assert.equal(rig.journal.spaceTrouble, null);
  rig.settle();
  assert.ok(rig.committed.length > stuck);
  assertComplete(rig.committed, rig.staged);
});

test("room made by a removal ends the shortage", () => {
  const directory = new MemoryDirectory();
  directory.capacityBytes = 3 * SEGMENT;
  const rig = new JournalRig({ directory });
  while (rig.table.load(LogWord.SHORT_OF_SPACE) === 0) {
    rig.stage(0, 900);
    rig.journal.doWork();
    rig.poll();
  }
  rig.table.store(LogWord.RELEASABLE, rig.table.load(LogWord.COMMITTED));
  for (let i = 0; i < 4 && rig.table.load(LogWord.SHORT_OF_SPACE) === 1; i++) {
    rig.work();
    rig.clock.nowMs += 100;
  }
  assert.equal(rig.table.load(LogWord.SHORT_OF_SPACE), 0);
  traffic(rig, 50, 3);
  assertComplete(rig.committed, rig.staged);
});

test("a fill that cannot be synced for want of room starts anew with another file", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  directory.failDataSync = "ENOSPC";
  assert.equal(rig.journal.doWork(), 0);
  assert.equal(rig.journal.spaceTrouble, "ENOSPC");
  assert.deepEqual(listSegments(directory), [0]);
  directory.failDataSync = null;
  rig.clock.nowMs += 100;
  rig.journal.doWork();
  assert.equal(rig.journal.spaceTrouble, null);
  traffic(rig, 300, 8);
  assertComplete(rig.committed, rig.staged);
});

test("mode process publishes without syncing, and says so in its blocks", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, durability: "process" });
  traffic(rig, 400, 2);
  assertComplete(rig.committed, rig.staged);
  assert.equal(directory.dataSyncs, 0);
  assert.equal(rig.table.load(LogWord.SYNCED), 0);
  const { view } = recordMemory(directory.bytesOf(segmentName(0)));
  assert.equal(view.getUint16(Block.FLAGS, true), BLOCK_FLAG_UNSYNCED);
  assert.equal(view.getFloat64(Block.SYNCED, true), 0);
});

test("segments go oldest first, each durably, and never the active one", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  traffic(rig, 600, 4);
  const before = listSegments(directory);
  const third = before[3] as number;
  rig.table.store(LogWord.RELEASABLE, third + 10);
  directory.calls.length = 0;
  for (let i = 0; i < 10; i++) rig.work();
  assert.equal(rig.table.load(LogWord.OLDEST), third);
  assert.deepEqual(listSegments(directory)[0], third);
  const removals = directory.calls.filter((call) => /^remove|directory/.test(call));
  assert.deepEqual(
    removals.slice(0, 6),
    before.slice(0, 3).flatMap((start) => [`remove ${segmentName(start)}`, "sync directory"]),
  );
  rig.table.store(LogWord.RELEASABLE, Number.MAX_SAFE_INTEGER);
  for (let i = 0; i < 50; i++) rig.work();
  const left = listSegments(directory);
  assert.ok(left.length <= 2, "the active and the next one");
  assert.ok((left[0] as number) <= rig.table.load(LogWord.COMMITTED));
  traffic(rig, 200, 9);
  assertComplete(rig.committed, rig.staged);
});

test("under load segments are removed, too", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  let most = 0;
  for (let i = 0; i < 3000; i++) {
    rig.stage(i % 3, 1500);
    assert.ok(rig.work() > 0, "never idle");
    rig.poll();
    rig.table.store(LogWord.RELEASABLE, rig.table.load(LogWord.COMMITTED));
    most = Math.max(most, listSegments(directory).length);
  }
  assert.ok(most <= 6, `${most} segments`);
});

test("headers count blocks on and name the epoch", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, epoch: 77, nextNumber: 1000 });
  for (let i = 0; i < 3; i++) {
    rig.stage(0, 100);
    rig.journal.doWork();
  }
  const { view } = recordMemory(directory.bytesOf(segmentName(0)));
  let at = 0;
  for (let number = 1000; number < 1003; number++) {
    assert.equal(view.getFloat64(at + Block.NUMBER, true), number);
    assert.equal(view.getUint32(at + Block.EPOCH, true), 77);
    assert.equal(view.getFloat64(at + Block.OFFSET, true), at);
    assert.equal(view.getFloat64(at + Block.SYNCED, true), at);
    at += view.getUint32(at + Block.LENGTH, true);
  }
});

test("sizes that cannot work are refused, and so is a log that was not recovered", () => {
  const directory = new MemoryDirectory();
  assert.throws(() => new JournalRig({ directory, segmentBytes: 8192 }), RangeError);
  assert.throws(() => new JournalRig({ directory, blockBytesMax: 4096 }), RangeError);
  assert.throws(() => new JournalRig({ directory, nextOffset: 12 }), RangeError);
  const rig = new JournalRig({ directory });
  traffic(rig, 200, 1);
  assert.throws(() => new JournalRig({ directory, nextOffset: 64 }), RangeError);
});

test("a closed journal accepts nothing", () => {
  const rig = new JournalRig({ directory: new MemoryDirectory() });
  rig.journal.close();
  assert.throws(() => rig.journal.doWork(), JournalFailedError);
});
