/** Damage that a start refuses, given up: everything else is read, and the log goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_HEADER_BYTES, RUN_HEADER_BYTES } from "../../../src/journal/block.ts";
import { examineLog } from "../../../src/journal/log-examination.ts";
import { planSkip, salvage, skipDamage, SkipRefusedError } from "../../../src/journal/log-skip.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { recoverLog } from "../../../src/journal/recovery.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { readSkipped } from "../../../src/journal/skipped-stretches.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

const SEGMENT = 65536;

interface Log {
  readonly directory: MemoryDirectory;
  readonly sequences: readonly number[];
  readonly offsets: readonly number[];
  readonly end: number;
}

/** Some segments, one record a block. */
function written(seed: number): Log {
  const random = seededRandom(seed);
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, appenders: 1 });
  while (rig.table.load(LogWord.COMMITTED) < 3.2 * SEGMENT) {
    rig.stage(0, integerIn(random, 24, 3000));
    rig.journal.doWork();
    rig.poll();
  }
  const end = rig.table.load(LogWord.COMMITTED);
  const sequences = rig.committed.map(({ sequence }) => sequence);
  const offsets = rig.committed.map(({ logOffset }) => logOffset);
  return { directory, sequences, offsets, end };
}

/** What a gateway that starts reads, and that it can go on. */
function readAll(directory: MemoryDirectory, cursor: number | null): number[] {
  const found = recoverLog(directory, { segmentBytes: SEGMENT, from: cursor });
  const rig = new JournalRig({ ...found, directory, appenders: 1, firstSequence: 100_000 });
  rig.stage(0, 300);
  rig.settle();
  const visitor = new CollectingVisitor();
  new BlockTailer(directory, rig.table, found.firstOffset).poll(visitor, 1e12);
  const read = visitor.records.map(({ sequence }) => sequence);
  assert.equal(read.pop(), 100_000);
  assert.equal(examineLog(directory, null).damage, null);
  return read;
}

test("a changed bit costs its block only, and the block's records can be named", () => {
  const random = seededRandom(5);
  for (let seed = 1; seed <= 30; seed++) {
    const { directory, sequences, offsets } = written(seed);
    const hit = integerIn(random, 0, sequences.length - 3);
    const offset = offsets[hit] as number;
    const starts = listSegments(directory);
    const start = starts.findLast((candidate) => candidate <= offset) as number;
    const file = directory.bytesOf(segmentName(start));
    (file[offset - start + 20] as number) ^= 1;
    const plan = planSkip(directory, 0);
    assert.equal(plan.blocksLost, 1);
    const named: number[] = [];
    salvage(directory, plan, {
      onRecord: (_type, _memory, _offset, _length, logOffset) => named.push(logOffset),
    });
    assert.deepEqual(named, [offset]);
    const copy = skipDamage(directory, plan);
    assert.equal(directory.bytesOf(copy).length, plan.to - plan.from);
    assert.deepEqual(readAll(directory, null), sequences.toSpliced(hit, 1));
  }
});

test("a segment that is gone, or only zeros, costs what was in it", () => {
  for (const isGone of [true, false]) {
    const { directory, sequences, offsets } = written(3);
    const [, second, third] = listSegments(directory) as [number, number, number];
    if (isGone) directory.remove(segmentName(second));
    else directory.bytesOf(segmentName(second)).fill(0);
    const plan = planSkip(directory, 0);
    assert.ok(plan.blocksLost !== null && plan.blocksLost > 10);
    skipDamage(directory, plan);
    const kept = sequences.filter((_, i) => {
      const offset = offsets[i] as number;
      return offset < second || offset >= third;
    });
    assert.deepEqual(readAll(directory, null), kept);
  }
});

test("what the ledger has read and nothing follows is given up to its cursor", () => {
  const { directory, sequences, offsets, end } = written(4);
  const last = offsets.at(-1) as number;
  const start = listSegments(directory).findLast((candidate) => candidate <= last) as number;
  directory.bytesOf(segmentName(start)).fill(0, last - start - 72);
  assert.throws(() => recoverLog(directory.copy(), { segmentBytes: SEGMENT, from: end }));
  skipDamage(directory, planSkip(directory, end));
  assert.deepEqual(readAll(directory, end), sequences.slice(0, -1));
});

test("the ledger's cursor amid the stretch stays one where a start can go on", () => {
  const random = seededRandom(8);
  for (let seed = 1; seed <= 20; seed++) {
    const { directory, sequences, offsets } = written(seed);
    const first = integerIn(random, 3, sequences.length - 12);
    const starts = listSegments(directory);
    for (let hit = first; hit < first + 6; hit++) {
      const offset = offsets[hit] as number;
      const start = starts.findLast((candidate) => candidate <= offset) as number;
      (directory.bytesOf(segmentName(start))[offset - start + 20] as number) ^= 1;
    }
    const amid = offsets[first + integerIn(random, 1, 5)] as number;
    const cursor = amid - BLOCK_HEADER_BYTES - RUN_HEADER_BYTES;
    skipDamage(directory, planSkip(directory, cursor));
    assert.equal(examineLog(directory, cursor).damage, null, `seed ${seed}`);
    assert.deepEqual(readAll(directory, cursor), sequences.toSpliced(first, 6));
  }
});

test("an interrupted skip can be done again", () => {
  for (let crashIn = 1; crashIn < 14; crashIn++) {
    const { directory, sequences, offsets } = written(3);
    const [, second, third] = listSegments(directory) as [number, number, number];
    directory.remove(segmentName(second));
    const plan = planSkip(directory, 0);
    directory.crashIn = crashIn;
    try {
      skipDamage(directory, plan);
    } catch {
      // It died there.
    }
    directory.crashIn = Number.POSITIVE_INFINITY;
    try {
      skipDamage(directory, planSkip(directory, 0));
    } catch (error) {
      assert.ok(error instanceof SkipRefusedError, String(error));
    }
    const kept = sequences.filter((_, i) => {
      const offset = offsets[i] as number;
      return offset < second || offset >= third;
    });
    assert.deepEqual(readAll(directory, null), kept, `died at ${crashIn}`);
  }
});

test("there is nothing to skip in an intact log, nor in a torn tail", () => {
  const { directory, end } = written(6);
  assert.throws(() => planSkip(directory, end), SkipRefusedError);
  const start = listSegments(directory).findLast((candidate) => candidate < end) as number;
  directory.bytesOf(segmentName(start)).fill(0, end - start - 8);
  assert.throws(() => planSkip(directory, 0), SkipRefusedError);
});

test("first segments that are gone with the ledger's cursor are given up to the oldest one", () => {
  const random = seededRandom(9);
  for (let seed = 1; seed <= 20; seed++) {
    const { directory, sequences, offsets, end } = written(seed);
    const starts = listSegments(directory);
    const goneCount = 1 + (seed % starts.length);
    const to = starts[goneCount] ?? end;
    const unread = offsets.findLastIndex((offset) => offset < to);
    const hit = integerIn(random, Math.max(1, unread - 40), unread);
    const cursor =
      to === end ? end : (offsets[hit] as number) - BLOCK_HEADER_BYTES - RUN_HEADER_BYTES;
    for (const start of starts.slice(0, goneCount)) directory.remove(segmentName(start));
    assert.throws(() => recoverLog(directory.copy(), { segmentBytes: SEGMENT, from: cursor }));
    const plan = planSkip(directory, cursor, 8192);
    assert.deepEqual([plan.from, plan.to], [Math.min(8192, cursor, to - BLOCK_HEADER_BYTES), to]);
    const copy = skipDamage(directory, plan);
    assert.equal(directory.bytesOf(copy).length, plan.to - plan.from);
    assert.equal(examineLog(directory, cursor).damage, null, `seed ${seed}`);
    const isGone = readSkipped(directory);
    assert.deepEqual([isGone(plan.from - 8), isGone(plan.from), isGone(to)], [false, true, false]);
    const kept = sequences.filter((_, i) => (offsets[i] as number) >= to);
    assert.deepEqual(readAll(directory, cursor), kept, `seed ${seed}`);
  }
});
