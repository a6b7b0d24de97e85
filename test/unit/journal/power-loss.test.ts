/**
 * Lives of a journal that end at any of its file operations, by kill -9 or by power failure, one
 * after the other on the same disk. Promised is what an appender saw committed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { JournalFailedError } from "../../../src/journal/errors.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { recoverLog } from "../../../src/journal/recovery.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { CrashError, MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

const SEGMENT = 32768;
const LIVES = 3;

interface World {
  readonly directory: MemoryDirectory;
  readonly random: () => number;
  readonly durability: "disk" | "process";
  /** Whether everything promised must survive what this world does. */
  readonly keeps: boolean;
  /** A durable position of the ledger. */
  cursor: number;
  /** Sequences that were promised, in order. */
  promised: number[];
  /** The next sequence that was never used. */
  sequence: number;
  epoch: number;
}

/** One life: recover, check what is there against what was promised, work until the crash. */
function live(world: World): void {
  const { directory, random } = world;
  const found = recoverLog(directory, {
    segmentBytes: SEGMENT,
    from: random() < 0.5 ? world.cursor : null,
  });
  assert.ok(found.epochSeen <= world.epoch);
  world.epoch++;
  const rig = new JournalRig({
    ...found,
    directory,
    appenders: 1,
    segmentBytes: SEGMENT,
    blockBytesMax: 16384,
    durability: world.durability,
    epoch: world.epoch,
    firstSequence: world.sequence,
  });
  const visitor = new CollectingVisitor();
  const tailer = new BlockTailer(directory, rig.table, found.firstOffset, SEGMENT);
  tailer.poll(visitor, 1e12);
  const there = visitor.records.map(({ sequence }) => sequence);
  assertPromised(world, there);
  world.promised = there;
  directory.crashIn = integerIn(random, 1, 120);
  try {
    for (;;) {
      for (let i = integerIn(random, 0, 6); i > 0; i--) {
        rig.stage(0, random() < 0.1 ? 4000 : integerIn(random, 24, 900));
      }
      rig.journal.doWork();
      rig.poll();
      if (random() < 0.2) {
        tailer.poll(visitor, 8192);
        if (tailer.position <= rig.table.load(LogWord.SYNCED)) world.cursor = tailer.position;
      }
    }
  } catch (error) {
    assert.ok(error instanceof JournalFailedError && error.cause instanceof CrashError);
  }
  rig.poll();
  world.promised = [...world.promised, ...rig.committed.map(({ sequence }) => sequence)];
  world.sequence = rig.staged[0] as number;
  directory.crashIn = Number.POSITIVE_INFINITY;
}

/**
 * Everything promised is there, in order; more may be: what was staged and written but not told.
 */
function assertPromised({ promised, keeps }: World, there: readonly number[]): void {
  const kept = there.slice(0, promised.length);
  if (keeps) assert.deepEqual(kept, promised);
  else assert.deepEqual(kept, promised.slice(0, kept.length));
  for (let i = 1; i < there.length; i++) {
    assert.ok((there[i] as number) > (there[i - 1] as number), "once each, in order");
  }
}

/** `power` is the chance that a life ends by a power failure and not by kill -9. */
function trial(seed: number, durability: "disk" | "process", power: number): void {
  const random = seededRandom(seed);
  const directory = new MemoryDirectory();
  const world: World = {
    directory,
    random,
    durability,
    keeps: durability === "disk" || power === 0,
    cursor: 0,
    promised: [],
    sequence: 0,
    epoch: 0,
  };
  for (let life = 0; life < LIVES; life++) {
    live(world);
    directory.crashIn = Number.POSITIVE_INFINITY;
    if (random() < power) directory.cutPower(random);
  }
}

test("mode disk loses nothing promised to a power failure", () => {
  for (let seed = 1; seed <= 500; seed++) trial(seed, "disk", 0.7);
});

test("mode disk loses nothing promised to kill -9", () => {
  for (let seed = 1; seed <= 100; seed++) trial(1000 + seed, "disk", 0);
});

test("mode process loses nothing promised to kill -9", () => {
  for (let seed = 1; seed <= 100; seed++) trial(2000 + seed, "process", 0);
});

test("mode process keeps what a power failure leaves whole, in order, without garbage", () => {
  for (let seed = 1; seed <= 200; seed++) trial(3000 + seed, "process", 0.7);
});
