import assert from "node:assert/strict";
import { test } from "node:test";
import { LogCorruptionError } from "../../../src/journal/errors.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { ChunkedRecordLoader } from "../../../src/journal/record-loader.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { Accept, ACCEPT_TYPE } from "../../../src/records/accept.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { sampleLength, shortSample, writeAcceptFields } from "../../support/accept-record.ts";
import { CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

/** Commits `count` ACCEPTs among filler records; returns the log offset of each by sequence. */
function commitAccepts(rig: JournalRig, count: number): number[] {
  const offsets: number[] = [];
  const appender = rig.appenders[0];
  assert.ok(appender !== undefined);
  for (let sequence = 0; sequence < count; sequence++) {
    const sample = shortSample(sequence);
    const at = appender.claim(sampleLength(sample), ACCEPT_TYPE);
    assert.ok(at >= 0);
    writeAcceptFields(appender.memory, at, sample);
    appender.publish();
    rig.stage(1, 100 + (sequence % 900));
    rig.journal.doWork();
    appender.pollCommitted({
      onCommitted: (_type, _offset, _length, logOffset) => offsets.push(logOffset),
    });
    rig.appenders[1]?.pollCommitted({ onCommitted: () => {} });
  }
  assert.equal(offsets.length, count);
  return offsets;
}

function loadedSequence(loader: ChunkedRecordLoader, logOffset: number): number {
  const at = loader.load(logOffset);
  if (at < 0) return -1;
  return loader.memory.view.getFloat64(at + Accept.SEQUENCE, true);
}

test("the loader finds every ACCEPT, in any order", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  const offsets = commitAccepts(rig, 700);
  assert.ok(listSegments(directory).length > 5);
  const loader = new ChunkedRecordLoader(directory, rig.table, null, 16384);
  for (const [sequence, offset] of offsets.entries()) {
    assert.equal(loadedSequence(loader, offset), sequence);
  }
  const random = seededRandom(3);
  for (let i = 0; i < 2000; i++) {
    const sequence = integerIn(random, 0, offsets.length - 1);
    assert.equal(loadedSequence(loader, offsets[sequence] as number), sequence);
  }
});

test("a chunk read before a record was committed does not hide it", () => {
  const rig = new JournalRig({ directory: new MemoryDirectory(), segmentBytes: 1 << 20 });
  const loader = new ChunkedRecordLoader(rig.directory, rig.table, null);
  const offsets = commitAccepts(rig, 3);
  assert.equal(loadedSequence(loader, offsets[0] as number), 0);
  const later = commitAccepts(rig, 50);
  for (const [sequence, offset] of later.entries()) {
    assert.equal(loadedSequence(loader, offset), sequence);
  }
});

test("what is no ACCEPT, not committed, or removed is refused with -1", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  const offsets = commitAccepts(rig, 300);
  const loader = new ChunkedRecordLoader(directory, rig.table, null, 16384);
  const [first, second] = offsets as [number, number];
  assert.equal(loader.load(rig.table.load(LogWord.COMMITTED)), -1);
  assert.equal(loader.load(1e15), -1);
  assert.equal(loader.load(-8), -1);
  assert.equal(loader.load(Number.NaN), -1);
  assert.equal(loader.load(0), -1, "a block's header");
  for (let offset = first + 8; offset < second; offset += 8) {
    assert.equal(loader.load(offset), -1);
  }
  assert.equal(loadedSequence(loader, first), 0);
  rig.table.store(LogWord.RELEASABLE, rig.table.load(LogWord.COMMITTED));
  for (let i = 0; i < 100; i++) rig.work();
  assert.equal(new ChunkedRecordLoader(directory, rig.table, null).load(first), -1);
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    const expected = offset >= rig.table.load(LogWord.OLDEST) ? i : -1;
    const fresh = new ChunkedRecordLoader(directory, rig.table, null, 16384);
    assert.equal(loadedSequence(fresh, offset), expected);
  }
});

test("the loader never believes an inconsistent record", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, segmentBytes: 1 << 20 });
  const [offset] = commitAccepts(rig, 1) as [number];
  const bytes = directory.bytesOf(segmentName(0));
  for (const field of [0, 1, 2, 3, 4, Accept.TO_LENGTH, Accept.BODY_LENGTH]) {
    const was = bytes[offset + field] as number;
    bytes[offset + field] = was ^ 0x81;
    assert.equal(
      new ChunkedRecordLoader(directory, rig.table, null).load(offset),
      -1,
      `byte ${field}`,
    );
    bytes[offset + field] = was;
  }
  assert.equal(loadedSequence(new ChunkedRecordLoader(directory, rig.table, null), offset), 0);
});

test("the tailer stops at the committed offset and goes on from any of its positions", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  for (let i = 0; i < 400; i++) {
    rig.stage(i % 3, 24 + ((i * 97) % 1500));
    if (i % 3 === 0) rig.journal.doWork();
    rig.poll();
  }
  rig.settle();
  const whole = new CollectingVisitor();
  new BlockTailer(directory, rig.table, 0).poll(whole, 1e9);
  assert.equal(whole.records.length, 400);
  const parts = new CollectingVisitor();
  const committed = rig.table.load(LogWord.COMMITTED);
  let position = 0;
  for (let turns = 0; position < committed; turns++) {
    assert.ok(turns < 2000);
    const tailer = new BlockTailer(directory, rig.table, position, 2048);
    tailer.poll(parts, 1);
    position = tailer.position;
    tailer.close();
  }
  assert.deepEqual(parts.records, whole.records);
  assert.equal(new BlockTailer(directory, rig.table, committed).poll(parts, 1e9), 0);
});

test("segments that are full to the last byte follow each other, read during each commit", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({
    directory,
    appenders: 1,
    stagingBytes: 1 << 20,
    blockBytesMax: 65536,
  });
  const tailer = new BlockTailer(directory, rig.table, 0);
  const visitor = new CollectingVisitor();
  rig.onLedgerRing = () => tailer.poll(visitor, 1e9);
  const shortBlock = [928];
  const longBlock = [8192, 8192, 8192, 8192, 8192, 8192, 8192, 65536 - 2 * 72 - 7 * 8192 - 928];
  for (let segment = 1; segment <= 6; segment++) {
    for (const block of [shortBlock, longBlock]) {
      for (const length of block) assert.ok(rig.stage(0, length));
      // Slow enough for the ledger to be rung for each of them.
      rig.clock.nowMs += 2;
      rig.journal.doWork();
      rig.poll();
    }
    assert.equal(rig.table.load(LogWord.COMMITTED), segment * 65536);
  }
  assert.equal(visitor.records.length, 6 * 9);
  assert.equal(tailer.position, 6 * 65536);
});

test("one poll reads about as much as it is asked for", () => {
  const rig = new JournalRig({ directory: new MemoryDirectory() });
  for (let i = 0; i < 50; i++) {
    rig.stage(0, 1000);
    rig.journal.doWork();
    rig.poll();
  }
  const visitor = new CollectingVisitor();
  const tailer = new BlockTailer(rig.directory, rig.table, 0);
  assert.equal(tailer.poll(visitor, 3000), 3);
  assert.equal(tailer.poll(visitor, 1), 1);
});

test("any change below the committed offset stops the tailer, and none is shown", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  for (let i = 0; i < 300; i++) {
    rig.stage(i % 3, 24 + (i % 700));
    rig.journal.doWork();
    rig.poll();
  }
  const committed = rig.table.load(LogWord.COMMITTED);
  const random = seededRandom(11);
  const starts = listSegments(directory).filter((start) => start < committed);
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const offset = integerIn(random, 0, committed - 1);
    const start = starts.findLast((candidate) => candidate <= offset) as number;
    const bytes = directory.bytesOf(segmentName(start));
    const bit = 1 << integerIn(random, 0, 7);
    (bytes[offset - start] as number) ^= bit;
    const visitor = new CollectingVisitor();
    try {
      new BlockTailer(directory, rig.table, 0).poll(visitor, 1e9);
      // Bytes that no block covers: what is left of a segment.
      assert.equal(visitor.records.length, 300);
    } catch (error) {
      assert.ok(error instanceof LogCorruptionError);
      refused++;
    }
    for (const [n, record] of visitor.records.entries()) {
      assert.equal(record.sequence, rig.committed[n]?.sequence);
    }
    (bytes[offset - start] as number) ^= bit;
  }
  assert.ok(refused > 250, `${refused} refused`);
});

test("a block wiped to zeros is missed, not passed by", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  for (let i = 0; i < 200; i++) {
    rig.stage(0, 1000);
    rig.journal.doWork();
    rig.poll();
  }
  const blockBytes = 64 + 8 + 1000;
  const bytes = directory.bytesOf(segmentName(0));
  for (const wiped of [1, 5, 30]) {
    const saved = bytes.slice();
    bytes.fill(0, wiped * blockBytes);
    const visitor = new CollectingVisitor();
    const tailer = new BlockTailer(directory, rig.table, 0);
    assert.throws(() => tailer.poll(visitor, 1e9), LogCorruptionError);
    assert.equal(visitor.records.length, wiped);
    bytes.set(saved);
  }
});

test("a removed segment that is still wanted is corruption, not silence", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  for (let i = 0; i < 200; i++) {
    rig.stage(0, 1000);
    rig.journal.doWork();
    rig.poll();
  }
  directory.remove(segmentName(listSegments(directory)[1] as number));
  const tailer = new BlockTailer(directory, rig.table, 0);
  assert.throws(() => tailer.poll(new CollectingVisitor(), 1e9), LogCorruptionError);
});
