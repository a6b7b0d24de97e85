/** Damage that a start refuses, given up: everything else is read, and the log goes on. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BLOCK_HEADER_BYTES, RUN_HEADER_BYTES } from "../../../src/journal/block.ts";
import { LogCorruptionError } from "../../../src/journal/errors.ts";
import { examineLog } from "../../../src/journal/log-examination.ts";
import { planHead, restoreHead, skippedLengths } from "../../../src/journal/log-head.ts";
import { planSkip, salvage, skipDamage, SkipRefusedError } from "../../../src/journal/log-skip.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { openNodeLogDirectory } from "../../../src/journal/node-log-directory.ts";
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
function readAll(
  directory: MemoryDirectory,
  cursor: number | null,
  replayFrom: number = cursor ?? 0,
): number[] {
  const found = recoverLog(directory, { segmentBytes: SEGMENT, from: cursor, replayFrom });
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
    const plan = planSkip(directory, cursor, cursor, 8192);
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

test("so are first segments that a start reads once more, before its cursor or with it", () => {
  const random = seededRandom(10);
  for (let seed = 1; seed <= 20; seed++) {
    const { directory, sequences, offsets, end } = written(seed);
    const starts = listSegments(directory);
    const goneCount = 1 + (seed % starts.length);
    const to = starts[goneCount] ?? end;
    const blocks: number[] = [];
    const onBlock = (offset: number): void => void blocks.push(offset);
    examineLog(directory, null, { onBlock, onRecord: () => {} });
    const last = blocks.findLastIndex((offset) => offset < to);
    const first = seed % 5 === 0 ? 0 : integerIn(random, 0, last);
    const later = integerIn(random, Math.max(1, first), blocks.length - 1);
    const cursor = seed % 4 === 0 ? end : (blocks[later] as number);
    // It may stand amid a block, one that took the place of others.
    const amid = seed % 3 === 0 ? 24 : 0;
    const replayFrom = Math.min(cursor, (blocks[first] as number) + amid);
    const options = { segmentBytes: SEGMENT, from: cursor, replayFrom };
    assert.equal(recoverLog(directory.copy(), options).nextOffset, end);
    for (const start of starts.slice(0, goneCount)) directory.remove(segmentName(start));
    assert.throws(
      () => recoverLog(directory.copy(), options),
      (error) => error instanceof LogCorruptionError && error.offset === replayFrom,
    );
    const heldFrom = Math.floor(replayFrom / 2);
    const plan = planSkip(directory, cursor, replayFrom, heldFrom);
    const isBare = starts[goneCount] === undefined;
    const gapEnd = isBare ? cursor : to;
    const noted = Math.min(heldFrom, gapEnd - BLOCK_HEADER_BYTES);
    assert.deepEqual([plan.isHead, plan.from, plan.to], [true, noted, gapEnd]);
    skipDamage(directory, plan);
    const found = recoverLog(directory.copy(), options);
    assert.ok(found.tailFrom <= cursor && found.tailFrom >= replayFrom, `seed ${seed}`);
    const kept = sequences.filter((_, i) => !isBare && (offsets[i] as number) >= to);
    assert.deepEqual(readAll(directory, cursor, replayFrom), kept, `seed ${seed}`);
    const isGone = readSkipped(directory);
    assert.deepEqual([isGone(noted), isGone(gapEnd - 8), isGone(gapEnd)], [true, true, false]);
  }
});

test("what an interrupted skip left is no longer than the gap that is skipped in the end", () => {
  for (let crashIn = 1; crashIn < 12; crashIn++) {
    for (const isHead of [true, false]) {
      const { directory, sequences, offsets } = written(7);
      const starts = listSegments(directory);
      const [first, second, third, fourth] = starts as [number, number, number, number];
      const whole = directory.copy();
      const gone = isHead ? [first, second, third] : [second, third];
      for (const start of gone) directory.remove(segmentName(start));
      const cursor = isHead ? first + 1024 : 0;
      const plan = planSkip(directory, cursor);
      assert.equal(plan.isHead, isHead);
      directory.crashIn = crashIn;
      try {
        skipDamage(directory, plan);
      } catch {
        // It died there.
      }
      directory.crashIn = Number.POSITIVE_INFINITY;
      if (directory.list().includes(segmentName(isHead ? cursor - 64 : second))) continue;
      const bytes = whole.bytesOf(segmentName(third));
      directory.open(segmentName(third), true).write(bytes, bytes.length, 0);
      const again = planSkip(directory, cursor);
      assert.equal(again.to <= third, true);
      skipDamage(directory, again);
      const from = listSegments(directory)[isHead ? 0 : 1] as number;
      assert.equal(from + directory.bytesOf(segmentName(from)).length, third, `died at ${crashIn}`);
      if (isHead) assert.equal(readSkipped(directory)(third), false, `died at ${crashIn}`);
      const kept = sequences.filter((_, i) => {
        const offset = offsets[i] as number;
        return offset >= third || (!isHead && offset < second);
      });
      assert.ok(fourth > third);
      assert.deepEqual(readAll(directory, isHead ? cursor : null), kept, `died at ${crashIn}`);
    }
  }
});

test("a lost head takes no room on the disk, however long it is", () => {
  const path = mkdtempSync(join(tmpdir(), "smsgw-lost-head-"));
  try {
    const directory = openNodeLogDirectory(path);
    const cursor = 8 * SEGMENT;
    const to = cursor + 300 * 2 ** 20 + 40;
    const damage = { segment: "-", offset: cursor, reason: "gone", torn: false } as const;
    const plan = planHead(directory, {
      cursor,
      readFrom: cursor,
      heldFrom: 0,
      damage: { ...damage, lostBytes: 0, nextIntact: -1 },
    });
    restoreHead(directory, { ...plan, to });
    const { size, blocks } = statSync(join(path, segmentName(cursor - BLOCK_HEADER_BYTES)));
    assert.equal(size, to - cursor + BLOCK_HEADER_BYTES);
    // A page for each header.
    assert.ok(blocks * 512 < 2 ** 20, `${blocks * 512} bytes on disk`);
  } finally {
    rmSync(path, { recursive: true });
  }
});

test("skipped blocks fill a gap of any length, none beyond 4 MiB or too short for a header", () => {
  const max = 4 * 2 ** 20;
  for (const bytes of [64, 72, 4096, max, max + 8, max + 56, max + 64, 3 * max + 8, 2 ** 33 + 16]) {
    const lengths = skippedLengths(bytes);
    assert.equal(
      lengths.reduce((sum, length) => sum + length),
      bytes,
    );
    for (const length of lengths) assert.ok(length >= 64 && length < max + 64, `${length}`);
  }
  assert.deepEqual([skippedLengths(0), skippedLengths(56)], [[], []]);
});

test("a long gap amid the log, or before it, is given up, and what is behind it is read", () => {
  for (const isHead of [true, false]) {
    const directory = new MemoryDirectory();
    const before = new JournalRig({ directory, appenders: 1 });
    before.stage(0, 300);
    before.settle();
    const first = listSegments(directory);
    const later = new MemoryDirectory();
    const at = { nextOffset: SEGMENT + 9 * 2 ** 20 + 8, nextNumber: 5000, firstSequence: 50 };
    const behind = new JournalRig({ directory: later, appenders: 1, ...at });
    for (let i = 0; i < 3; i++) {
      behind.stage(0, 300);
      behind.settle();
    }
    for (const name of later.list()) {
      const bytes = later.bytesOf(name);
      directory.open(name, true).write(bytes, bytes.length, 0);
    }
    const cursor = isHead ? SEGMENT : 0;
    if (isHead) for (const start of first) directory.remove(segmentName(start));
    const plan = planSkip(directory, cursor);
    assert.equal(plan.isHead, isHead);
    skipDamage(directory, plan);
    const kept = behind.committed.map(({ sequence }) => sequence);
    const all = isHead ? kept : [...before.committed.map(({ sequence }) => sequence), ...kept];
    assert.deepEqual(readAll(directory, cursor === 0 ? null : cursor), all);
  }
});
