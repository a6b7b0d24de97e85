import assert from "node:assert/strict";
import { test } from "node:test";
import { Block, BLOCK_HEADER_BYTES, RUN_HEADER_BYTES } from "../../../src/journal/block.ts";
import { LogCorruptionError } from "../../../src/journal/errors.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { recoverLog, type RecoveredLog } from "../../../src/journal/recovery.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { recordMemory } from "../../../src/records/memory.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import {
  assertComplete,
  CollectingVisitor,
  JournalRig,
  type RigOptions,
} from "../../support/journal-rig.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

const SEGMENT = 65536;
/** Divides the staging rings, so that no run is padded. */
const RECORD = 256;
const BLOCK_BYTES = BLOCK_HEADER_BYTES + RUN_HEADER_BYTES + RECORD;

type Written = { directory: MemoryDirectory; rig: JournalRig; end: number };

/** A log of `count` blocks with one record of RECORD bytes each. */
function written(count: number, options: Partial<RigOptions> = {}): Written {
  const directory = options.directory ?? new MemoryDirectory();
  const rig = new JournalRig({ ...options, directory });
  for (let i = 0; i < count; i++) {
    rig.stage(i % 3, RECORD);
    assert.ok(rig.journal.doWork() > 0);
    rig.poll();
  }
  assert.ok(directory instanceof MemoryDirectory);
  return { directory, rig, end: rig.table.load(LogWord.COMMITTED) };
}

function recover(directory: MemoryDirectory, from: number | null = null): RecoveredLog {
  return recoverLog(directory, { segmentBytes: SEGMENT, from });
}

/** Starts a journal on a recovered log and shows all of it to a tailer. */
function reopened(directory: MemoryDirectory, found: RecoveredLog): CollectingVisitor {
  const rig = new JournalRig({ ...found, directory });
  const visitor = new CollectingVisitor();
  new BlockTailer(directory, rig.table, found.firstOffset).poll(visitor, 1e12);
  return visitor;
}

/** All bytes of all files, to see whether anything was changed. */
function snapshot(directory: MemoryDirectory): Map<string, Uint8Array> {
  return new Map(directory.list().map((name) => [name, directory.bytesOf(name).slice()]));
}

test("an empty directory is an empty log", () => {
  const nothing = {
    nextOffset: 0,
    nextNumber: 1,
    epochSeen: 0,
    cut: 0,
    firstOffset: 0,
    tailFrom: 0,
  };
  assert.deepEqual(recover(new MemoryDirectory()), nothing);
  assert.deepEqual(recover(new MemoryDirectory(), 0), nothing);
  assert.throws(() => recover(new MemoryDirectory(), 800), LogCorruptionError);
});

test("a log that ended well goes on where it ended, from whichever block it is checked", () => {
  const { directory, end } = written(700, { epoch: 6 });
  const starts = listSegments(directory);
  assert.ok(starts.length > 3);
  const expected = {
    nextOffset: end,
    nextNumber: 701,
    epochSeen: 6,
    cut: 0,
    firstOffset: 0,
    tailFrom: 0,
  };
  assert.deepEqual(recover(directory.copy()), expected);
  const { view } = recordMemory(directory.bytesOf(segmentName(starts[2] as number)));
  const second = (starts[2] as number) + view.getUint32(Block.LENGTH, true);
  for (const from of [0, BLOCK_BYTES, starts[1] as number, second, end]) {
    const copy = directory.copy();
    assert.deepEqual(recover(copy, from), { ...expected, tailFrom: from });
    assert.equal(reopened(copy, expected).records.length, 700);
  }
  // A start that would read on before the oldest segment has lost what was there.
  const headless = directory.copy();
  for (const start of starts.slice(0, 2)) headless.remove(segmentName(start));
  const [, , oldest] = starts as [number, number, number];
  for (const replayFrom of [0, BLOCK_BYTES, oldest - 8]) {
    for (const from of [oldest, second, end]) {
      const options = { segmentBytes: SEGMENT, from, replayFrom };
      assert.throws(() => recoverLog(headless.copy(), options), LogCorruptionError);
    }
  }
  assert.equal(recover(headless.copy(), oldest).tailFrom, oldest);
  // What is read once more begins at a block, in whatever segment.
  for (const [replayFrom, tailFrom] of [
    [0, 0],
    [1, BLOCK_BYTES],
    [starts[1] as number, starts[1]],
    [second - 8, second],
    [end, end],
  ] as const) {
    const options = { segmentBytes: SEGMENT, from: end, replayFrom };
    assert.deepEqual(recoverLog(directory.copy(), options), { ...expected, tailFrom });
  }
});

test("a segment prepared ahead of need is removed and made again", () => {
  const { directory, rig, end } = written(100);
  while (listSegments(directory).length < 2) rig.journal.doWork();
  const found = recover(directory);
  assert.equal(found.nextOffset, end);
  assert.deepEqual(listSegments(directory), [0]);
});

test("a log that ends with its segment keeps counting", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  while (rig.table.load(LogWord.COMMITTED) < SEGMENT - 8264) {
    rig.stage(0, 1000);
    rig.journal.doWork();
    rig.poll();
  }
  const before = recover(directory.copy());
  while (listSegments(directory).length < 2) rig.journal.doWork();
  const { nextOffset } = before;
  assert.deepEqual(recover(directory, nextOffset), { ...before, tailFrom: nextOffset });
});

test("a tail torn at any byte of the last two blocks is cut, and all before it is kept", () => {
  const { directory, end } = written(12);
  for (let at = end - 2 * BLOCK_BYTES; at < end; at++) {
    const copy = directory.copy();
    copy.bytesOf(segmentName(0)).fill(0, at);
    const blocks = Math.floor(at / BLOCK_BYTES);
    const found = recover(copy);
    assert.equal(found.nextOffset, blocks * BLOCK_BYTES, `cut at ${at}`);
    assert.equal(found.nextNumber, blocks + 1);
    const torn = directory.bytesOf(segmentName(0)).subarray(found.nextOffset, at);
    const used = 1 + torn.findLastIndex((byte) => byte !== 0);
    assert.equal(found.cut, (used + 7) & ~7);
    const bytes = copy.bytesOf(segmentName(0));
    assert.equal(bytes.length, SEGMENT);
    assert.ok(bytes.subarray(found.nextOffset).every((byte) => byte === 0));
    assert.equal(reopened(copy, found).records.length, blocks);
  }
});

test("a changed byte anywhere in the last block costs that block and nothing else", () => {
  const { directory, end } = written(12);
  const last = end - BLOCK_BYTES;
  for (let at = last; at < end; at++) {
    const copy = directory.copy();
    (copy.bytesOf(segmentName(0))[at] as number) ^= 0x5a;
    const found = recover(copy);
    assert.equal(found.nextOffset, last);
    assert.ok(found.cut > BLOCK_BYTES - 16 && found.cut <= BLOCK_BYTES);
    assert.equal(reopened(copy, found).records.length, 11);
  }
});

test("any bit changed in what was synced is refused with its place, and nothing touched", () => {
  const { directory, end } = written(600);
  const random = seededRandom(21);
  const before = snapshot(directory);
  const starts = listSegments(directory);
  for (let i = 0; i < 300; i++) {
    const offset = integerIn(random, 0, end - BLOCK_BYTES - 1);
    const start = starts.findLast((candidate) => candidate <= offset) as number;
    const blocksHere = Math.floor((SEGMENT - 8264) / BLOCK_BYTES) + 1;
    const index = Math.floor((offset - start) / BLOCK_BYTES);
    if (index >= blocksHere) continue;
    const bytes = directory.bytesOf(segmentName(start));
    const bit = 1 << integerIn(random, 0, 7);
    (bytes[offset - start] as number) ^= bit;
    assert.throws(
      () => recover(directory),
      (error) =>
        error instanceof LogCorruptionError &&
        error.exit === "dataDir" &&
        error.segment === segmentName(start) &&
        error.offset === start + index * BLOCK_BYTES,
    );
    (bytes[offset - start] as number) ^= bit;
  }
  assert.deepEqual(snapshot(directory), before);
  assert.equal(recover(directory).nextOffset, end);
});

test("a missing or emptied segment below the synced offset is refused", () => {
  const { directory } = written(700);
  const middle = segmentName(listSegments(directory)[1] as number);
  const emptied = directory.copy();
  emptied.bytesOf(middle).fill(0);
  assert.throws(() => recover(emptied), LogCorruptionError);
  const missing = directory.copy();
  missing.remove(middle);
  assert.throws(() => recover(missing), LogCorruptionError);
});

test("the ledger's cursor proves what was synced", () => {
  const { directory, end } = written(20);
  const last = end - BLOCK_BYTES;
  const cutShort = directory.copy();
  cutShort.bytesOf(segmentName(0)).fill(0, last);
  assert.equal(recover(cutShort.copy(), last).nextOffset, last);
  assert.throws(
    () => recover(cutShort, end),
    (error) => error instanceof LogCorruptionError && error.offset === last,
  );
  assert.throws(() => recover(directory, 2 * BLOCK_BYTES + 8), LogCorruptionError);
});

test("a log that starts behind the ledger's cursor is refused", () => {
  const { directory, rig } = written(700);
  rig.table.store(LogWord.RELEASABLE, rig.table.load(LogWord.COMMITTED));
  for (let i = 0; i < 20; i++) rig.work();
  const [oldest] = listSegments(directory) as [number];
  assert.ok(oldest > 0);
  assert.equal(recover(directory.copy(), oldest).firstOffset, oldest);
  assert.throws(() => recover(directory, oldest - BLOCK_BYTES), LogCorruptionError);
});

test("without syncs damage is always a torn tail, and everything behind it goes", () => {
  const { directory } = written(700, { durability: "process" });
  const starts = listSegments(directory);
  const second = starts[1] as number;
  const hit = second + 10 * BLOCK_BYTES;
  (directory.bytesOf(segmentName(second))[hit - second + 70] as number) ^= 1;
  const found = recover(directory);
  assert.equal(found.nextOffset, hit);
  assert.ok(found.cut > 400 * BLOCK_BYTES);
  assert.deepEqual(listSegments(directory), [0, second]);
  assert.equal(reopened(directory, found).records.length, found.nextNumber - 1);
});

test("without syncs the offsets of what the ledger had read are not used again", () => {
  const { directory, end } = written(450, { durability: "process" });
  const starts = listSegments(directory);
  const second = starts[1] as number;
  assert.ok(end > (starts[2] as number) || end > second);
  directory.bytesOf(segmentName(0)).fill(0, 5 * BLOCK_BYTES);
  directory.bytesOf(segmentName(second)).fill(0);
  if (starts[2] !== undefined) directory.bytesOf(segmentName(starts[2])).fill(0);
  const found = recover(directory, end);
  assert.equal(found.nextOffset, end);
  assert.ok(found.nextNumber > 6);
  assert.deepEqual(recover(directory, end), found, "again the same");
  const anew = { ...found, tailFrom: 0 };
  assert.deepEqual(recover(directory, null), anew, "also without the cursor");
  const rig = new JournalRig({ ...found, directory, firstSequence: 1000, durability: "process" });
  const fromCursor = new CollectingVisitor();
  const tailer = new BlockTailer(directory, rig.table, end);
  assert.equal(tailer.poll(fromCursor, 1e9), 0);
  rig.stage(0, RECORD);
  rig.settle();
  tailer.poll(fromCursor, 1e9);
  const fromStart = new CollectingVisitor();
  new BlockTailer(directory, rig.table, 0).poll(fromStart, 1e9);
  assert.deepEqual(
    [fromCursor, fromStart].map(({ records }) => records.map(({ sequence }) => sequence)),
    [[1000], [0, 0, 0, 1, 1, 1000]],
  );
  assert.equal(recover(directory, tailer.position).nextNumber, found.nextNumber + 1);
});

test("segments of other sizes than before are kept and gone on from", () => {
  const directory = new MemoryDirectory();
  let found = recover(directory);
  let total = 0;
  for (const segmentBytes of [65536, 131072, 32768, 65536]) {
    const rig = new JournalRig({ ...found, directory, segmentBytes, firstSequence: total });
    for (let i = 0; i < 500; i++) {
      rig.stage(0, RECORD);
      rig.journal.doWork();
      rig.poll();
    }
    total += 500;
    found = recoverLog(directory, { segmentBytes, from: null });
  }
  assert.equal(found.nextNumber, total + 1);
  const visitor = reopened(directory, found);
  assertComplete(visitor.records, [total]);
});

test("a full disk does not stop recovery", () => {
  const { directory, end } = written(12);
  const [last] = listSegments(directory).slice(-1) as [number];
  if (last > 0) directory.remove(segmentName(last));
  directory.capacityBytes = SEGMENT;
  const found = recoverLog(directory, { segmentBytes: 4 * SEGMENT, from: null });
  assert.equal(found.nextOffset, end);
  assert.equal(directory.bytesOf(segmentName(0)).length, SEGMENT);
});

test("a first segment that a full disk kept short is no obstacle once there is room", () => {
  for (const size of [0, 24, 9000]) {
    const directory = new MemoryDirectory();
    directory.open(segmentName(0), true).write(new Uint8Array(size), size, 0);
    directory.sync();
    directory.capacityBytes = size;
    const found = recover(directory);
    assert.equal(found.nextOffset, 0);
    assert.throws(() => new JournalRig({ ...found, directory }), { code: "ENOSPC" });
    directory.capacityBytes = 1e9;
    const again = recover(directory);
    const rig = new JournalRig({ ...again, directory });
    rig.stage(0, RECORD);
    rig.settle();
    assert.equal(recover(directory).nextNumber, 2);
  }
});

test("an intact block of a later version, or of an earlier epoch, is refused and not cut", () => {
  const earlier = written(5, { epoch: 9 });
  const found = recover(earlier.directory);
  written(1, { ...found, directory: earlier.directory, epoch: 8 });
  assert.throws(() => recover(earlier.directory), /epoch goes back/);
});

test("recovery may die anywhere, by kill or by power, and comes to the same end", () => {
  const { directory } = written(600, { durability: "process" });
  const second = listSegments(directory)[1] as number;
  (directory.bytesOf(segmentName(second))[20 * BLOCK_BYTES + 90] as number) ^= 4;
  const expected = recover(directory.copy());
  const random = seededRandom(2);
  for (let step = 1; step < 400; step++) {
    const copy = directory.copy();
    copy.crashIn = step;
    let died = false;
    try {
      recover(copy);
    } catch {
      died = true;
    }
    copy.crashIn = Number.POSITIVE_INFINITY;
    if (random() < 0.5) copy.cutPower(random);
    const found = recover(copy);
    assert.equal(found.nextOffset, expected.nextOffset);
    assert.equal(found.nextNumber, expected.nextNumber);
    assert.equal(reopened(copy, found).records.length, expected.nextNumber - 1);
    if (!died) return;
  }
  assert.fail("recovery takes too many steps");
});
