/**
 * Lives of a journal that end at any of its file operations, by kill -9 or by power failure, one
 * after the other on the same disk in memory. Promised is what an appender saw committed.
 *
 * A power failure keeps what was synced; of the rest any subset of 512-byte sectors, and of names
 * any prefix of the changes since the directory was synced (F5). Every fifth trial also damages the
 * log as it is found by the next start (F6): it is cut or has bits flipped at a random place. What
 * is intact before the damage must be kept, what was synced must never be cut silently, and no
 * damaged record may be delivered: each proves itself by its bytes.
 */
import assert from "node:assert/strict";
import { JournalFailedError, LogCorruptionError } from "../../../src/journal/errors.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { recoverLog } from "../../../src/journal/recovery.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { CrashError, MemoryDirectory } from "../../support/memory-directory.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

const SEGMENT = 32768;
const LIVES = 3;
/** The end of the log at which F6 aims, in bytes. */
const DAMAGE_RANGE = 65536;

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

/** What a trial met. */
export interface PowerLossCounts {
  promised: number;
  powerFailures: number;
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

/**
 * F5: three lives on one disk. `power` is the chance that a life ends by a power failure and not by
 * kill -9. Throws an AssertionError at a loss.
 */
export function cutPowerTrial(
  seed: number,
  durability: "disk" | "process",
  power: number,
): PowerLossCounts {
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
  const counts = { promised: 0, powerFailures: 0 };
  for (let life = 0; life < LIVES; life++) {
    live(world);
    directory.crashIn = Number.POSITIVE_INFINITY;
    counts.promised = world.promised.length;
    if (random() >= power) continue;
    counts.powerFailures += 1;
    directory.cutPower(random);
  }
  return counts;
}

/** A log in memory, and its records with where they end, for `damageTrial`. */
export interface SoundLog {
  readonly directory: MemoryDirectory;
  readonly records: readonly { readonly sequence: number; readonly logOffset: number }[];
  readonly end: number;
}

/** A log of some segments, every byte of it synced. */
export function soundLog(seed: number): SoundLog {
  const random = seededRandom(seed);
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, appenders: 1, segmentBytes: SEGMENT });
  while (rig.table.load(LogWord.COMMITTED) < 2.5 * DAMAGE_RANGE) {
    rig.stage(0, integerIn(random, 24, 900));
    rig.journal.doWork();
    rig.poll();
  }
  return { directory, records: rig.committed, end: rig.table.load(LogWord.COMMITTED) };
}

/** F6: everything from `at` on becomes zeros, or one bit of that byte changes. */
export interface Damage {
  readonly kind: "cut" | "flip";
  /** Log offset. */
  readonly at: number;
  /** Bit of the byte, for `flip`. */
  readonly bit: number;
}

/**
 * F6: recovery of a damaged copy. Throws an AssertionError if a record that ends before the damaged
 * block is gone, or one appears that was not written; returns whether the start was refused.
 */
export function damageTrial(log: SoundLog, damage: Damage): boolean {
  const directory = log.directory.copy();
  const starts = listSegments(directory);
  const home = starts.findLast((start) => start <= damage.at) as number;
  const bytes = directory.bytesOf(segmentName(home));
  const before = bytes[damage.at - home] as number;
  const isFlip = damage.kind === "flip";
  // What is zero anyway is not damaged by a cut.
  const first = isFlip ? 0 : bytes.subarray(damage.at - home).findIndex((byte) => byte !== 0);
  const at = first < 0 ? home + bytes.length : damage.at + first;
  if (isFlip) bytes[damage.at - home] = before ^ (1 << damage.bit);
  else bytes.fill(0, damage.at - home);
  if (damage.kind === "cut") {
    for (const start of starts) if (start > home) directory.remove(segmentName(start));
  }
  let found;
  try {
    found = recoverLog(directory, { segmentBytes: SEGMENT, from: null });
  } catch (error) {
    assert.ok(error instanceof LogCorruptionError, String(error));
    assert.ok(error.offset <= at, "the place that is named is not behind the damage");
    return true;
  }
  const rig = new JournalRig({ ...found, directory, appenders: 1, segmentBytes: SEGMENT });
  const visitor = new CollectingVisitor();
  new BlockTailer(directory, rig.table, found.firstOffset, SEGMENT).poll(visitor, 1e12);
  const kept = visitor.records.map(({ sequence }) => sequence);
  const written = log.records.slice(0, kept.length).map(({ sequence }) => sequence);
  assert.deepEqual(kept, written, "what was written, in order, and nothing else");
  const next = log.records[kept.length];
  // What is gone lies in the damaged block or behind it; a block has one run here.
  assert.ok(next === undefined || found.nextOffset <= at, "kept up to the damage");
  assert.ok(next === undefined || next.logOffset >= found.nextOffset);
  return false;
}
