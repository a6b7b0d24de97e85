import assert from "node:assert/strict";
import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LogFile } from "../../../src/journal/log-directory.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { openNodeRemovalDirectory } from "../../../src/journal/node-removal-directory.ts";
import { ChunkedRecordLoader } from "../../../src/journal/record-loader.ts";
import { SegmentRemoval } from "../../../src/journal/segment-removal.ts";
import { listSegments, segmentName } from "../../../src/journal/segments.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { CollectingVisitor, JournalRig } from "../../support/journal-rig.ts";
import { MemoryDirectory, systemError } from "../../support/memory-directory.ts";
import { removalDirectory } from "../../support/removal-directory.ts";

const SEGMENT = 4096;
const STEP = 1024;

/** Five segments, of which a removal takes what OLDEST says; calls and rests go on by hand. */
class World {
  readonly directory = new MemoryDirectory();
  readonly table = new LogTable(allocateLogTable(1));
  readonly warnings: string[] = [];
  /** What is to run next, and how long it rests before that. */
  readonly waiting: { ms: number; run: () => void }[] = [];
  readonly removal: SegmentRemoval;
  readonly files: LogFile[] = [];

  constructor() {
    for (let i = 0; i < 5; i++) {
      const file = this.directory.open(segmentName(i * SEGMENT), true);
      file.write(new Uint8Array(SEGMENT).fill(i + 1), SEGMENT, 0);
      file.dataSync();
      this.files.push(file);
    }
    this.directory.sync();
    this.directory.calls.length = 0;
    this.removal = new SegmentRemoval({
      directory: removalDirectory(this.directory, (run) => this.waiting.push({ ms: 0, run })),
      logTable: this.table,
      log: { write: (_level, operation, fields) => this.warnings.push(says(operation, fields)) },
      after: (ms, run) => this.waiting.push({ ms, run }),
      stepBytes: STEP,
    });
  }

  /** Runs what waits until nothing does; returns the rests on the way, in ms. */
  settle(): number[] {
    const rests: number[] = [];
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
      if (next.ms > 0) rests.push(next.ms);
      next.run();
    }
    return rests;
  }
}

function says(operation: string, fields: object | undefined): string {
  return `${operation}: ${JSON.stringify(fields)}`;
}

test("a segment loses its name, durably, before its first byte, and its bytes in steps", () => {
  const { removal, table, directory, ...world } = new World();
  removal.onTick();
  assert.equal(world.waiting.length, 0, "nothing was released");
  table.store(LogWord.OLDEST, 2 * SEGMENT);
  removal.onTick();
  removal.onTick();
  assert.equal(world.waiting.length, 1, "one call at a time");
  const rests: number[] = [];
  for (let next = world.waiting.shift(); next !== undefined; next = world.waiting.shift()) {
    rests.push(next.ms);
    next.run();
  }
  const [first, second] = [segmentName(0), segmentName(SEGMENT)];
  const steps = (name: string): string[] => [
    `remove ${name}`,
    "sync directory",
    ...Array.from({ length: SEGMENT / STEP }, () => `truncate ${name}`),
  ];
  assert.deepEqual(directory.calls, [...steps(first), ...steps(second)]);
  assert.deepEqual(listSegments(directory), [2 * SEGMENT, 3 * SEGMENT, 4 * SEGMENT]);
  assert.equal(world.files[0]?.sizeBytes(), 0);
  assert.equal(rests.filter((ms) => ms > 0).length, 2 * (SEGMENT / STEP), "a rest behind each");
  removal.onTick();
  assert.equal(world.waiting.length, 0);
});

for (const word of ["SHORT_OF_SPACE", "STORE_FULL"] as const) {
  test(`while the disk is short of room (${word}), a segment goes at once`, () => {
    const world = new World();
    world.table.store(LogWord.OLDEST, SEGMENT);
    world.table.store(LogWord[word], 1);
    world.removal.onTick();
    assert.deepEqual(world.settle(), [], "no rest");
    const name = segmentName(0);
    const calls = [`remove ${name}`, "sync directory", `truncate ${name}`];
    assert.deepEqual(world.directory.calls, calls);
  });
}

test("what fails is logged and tried again, and no later segment goes before it", () => {
  for (const step of ["list", "open", "remove", "sync", "truncate"] as const) {
    const world = new World();
    const { directory, table, removal } = world;
    let left = 1;
    const fail = (): void => {
      if (left-- > 0) throw systemError("EIO");
    };
    if (step === "truncate") {
      const open = directory.open.bind(directory);
      directory.open = (name, create) => {
        const file = open(name, create);
        const truncate = file.truncate.bind(file);
        file.truncate = (length) => {
          fail();
          truncate(length);
        };
        return file;
      };
    } else {
      const call = directory[step].bind(directory) as (...args: unknown[]) => unknown;
      Object.assign(directory, {
        [step]: (...args: unknown[]) => {
          fail();
          return call(...args);
        },
      });
    }
    table.store(LogWord.OLDEST, 2 * SEGMENT);
    removal.onTick();
    const rests = world.settle();
    assert.equal(world.warnings.length, 1, step);
    assert.match(world.warnings[0] ?? "", /remove a released segment.*EIO/);
    if (step !== "truncate") {
      const there = listSegments(directory);
      assert.ok(there.includes(SEGMENT), `${step}: the later one waits`);
      assert.ok(rests.some((ms) => ms >= 1000));
    }
    if (step === "sync") assert.ok(!directory.calls.some((call) => call.startsWith("truncate")));
    directory.calls.length = 0;
    removal.onTick();
    world.settle();
    assert.deepEqual(listSegments(directory), [2 * SEGMENT, 3 * SEGMENT, 4 * SEGMENT], step);
    if (step === "sync") assert.equal(directory.calls[0], "sync directory", "before the next one");
    assert.equal(world.warnings.length, 1, step);
  }
});

test("what cannot be removed counts as log on disk until it is gone", () => {
  for (const step of ["open", "remove"] as const) {
    const world = new World();
    const { directory, table, removal } = world;
    let isStuck = true;
    const call = directory[step].bind(directory) as (...args: unknown[]) => unknown;
    Object.assign(directory, {
      [step]: (name: string, ...args: unknown[]) => {
        if (isStuck && name === segmentName(SEGMENT)) throw systemError("EPERM");
        return call(name, ...args);
      },
    });
    table.store(LogWord.COMMITTED, 5 * SEGMENT);
    const tick = (): number => {
      removal.onTick();
      world.settle();
      removal.onTick();
      return table.onDiskBytes();
    };
    table.store(LogWord.OLDEST, 2 * SEGMENT);
    assert.equal(tick(), 4 * SEGMENT, `${step}: the second and the three that are wanted`);
    table.store(LogWord.OLDEST, 4 * SEGMENT);
    assert.equal(tick(), 4 * SEGMENT, `${step}: nothing goes before it`);
    isStuck = false;
    tick();
    assert.equal(tick(), SEGMENT, step);
    assert.deepEqual(listSegments(directory), [4 * SEGMENT]);
  }
});

test("a power loss anywhere leaves whole segments without a gap", () => {
  for (let crashIn = 1; crashIn < 40; crashIn++) {
    for (const random of [() => 0, () => 0.5, () => 0.999]) {
      const world = new World();
      world.directory.crashIn = crashIn;
      world.table.store(LogWord.OLDEST, 3 * SEGMENT);
      try {
        world.removal.onTick();
        world.settle();
      } catch {
        // It died there.
      }
      world.directory.crashIn = Number.POSITIVE_INFINITY;
      world.directory.cutPower(random);
      const starts = listSegments(world.directory);
      assert.ok(starts.length >= 2);
      for (const [i, start] of starts.entries()) {
        assert.equal(start, (5 - starts.length + i) * SEGMENT);
        const bytes = world.directory.bytesOf(segmentName(start));
        assert.equal(bytes.length, SEGMENT);
        assert.ok(bytes.every((byte) => byte === start / SEGMENT + 1));
      }
    }
  }
});

test("a loader does not believe what it read while the segment was released", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory });
  for (let i = 0; i < 100; i++) {
    rig.stage(0, 900);
    rig.work();
    rig.poll();
  }
  const offset = rig.committed[3]?.logOffset as number;
  const asked: number[] = [];
  const moved = {
    find: (logOffset: number) => {
      asked.push(logOffset);
      return undefined;
    },
  };
  const open = directory.open.bind(directory);
  directory.open = (name, create) => {
    const file = open(name, create);
    const read = file.read.bind(file);
    file.read = (into, at, length, position) => {
      // Between the loader's look at OLDEST and its read the segment goes.
      rig.table.store(LogWord.OLDEST, 65536);
      file.truncate(0);
      into.fill(0, at, at + length);
      return read(into, at, 0, position) + length;
    };
    return file;
  };
  assert.equal(new ChunkedRecordLoader(directory, rig.table, moved).load(offset), -1);
  assert.deepEqual(asked, [offset], "it looks among the moved bodies");
});

test("a tailer at the end of a segment that was full to its last byte goes on behind it", () => {
  const directory = new MemoryDirectory();
  const rig = new JournalRig({ directory, appenders: 1, stagingBytes: 65536 });
  const visitor = new CollectingVisitor();
  const tailer = new BlockTailer(directory, rig.table, 0);
  // A directory as it was before the next segment was made.
  const list = directory.list.bind(directory);
  directory.list = () => [segmentName(0)];
  for (let block = 0; block < 2; block++) {
    for (const length of [8176, 8176, 8176, 8168]) assert.ok(rig.stage(0, length));
    rig.journal.doWork();
    rig.poll();
    tailer.poll(visitor, 1e9);
  }
  directory.list = list;
  assert.equal(rig.table.load(LogWord.COMMITTED), 65536);
  assert.equal(tailer.position, 65536);
  rig.table.store(LogWord.RELEASABLE, 65536);
  for (let i = 0; i < 10; i++) rig.work();
  assert.equal(rig.table.load(LogWord.OLDEST), 65536);
  assert.equal(listSegments(directory)[0], 65536);
  rig.stage(0, 900);
  rig.settle();
  tailer.poll(visitor, 1e9);
  assert.equal(visitor.records.length, 9);
});

test("the real directory: room comes back while a reader has a segment open", async () => {
  const path = mkdtempSync(join(tmpdir(), "segment-removal-"));
  const data = join(path, "data");
  try {
    mkdirSync(data);
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(data, segmentName(i * SEGMENT)), new Uint8Array(SEGMENT));
    }
    const reader = openSync(join(data, segmentName(SEGMENT)), "r");
    const table = new LogTable(allocateLogTable(1));
    const warnings: string[] = [];
    const removal = new SegmentRemoval({
      directory: openNodeRemovalDirectory(data),
      logTable: table,
      log: { write: (_level, operation, fields) => warnings.push(says(operation, fields)) },
      after: (ms, run) => {
        if (ms < 1000) setTimeout(run, ms);
      },
      stepBytes: STEP,
    });
    table.store(LogWord.OLDEST, 2 * SEGMENT);
    await until(() => {
      removal.onTick();
      return readdirSync(data).length === 1;
    });
    await until(() => fstatSync(reader).size === 0);
    closeSync(reader);
    assert.deepEqual(readdirSync(data), [segmentName(2 * SEGMENT)]);
    assert.deepEqual(warnings, []);
    // Another directory under the same path keeps its segments.
    renameSync(data, join(path, "elsewhere"));
    mkdirSync(data);
    writeFileSync(join(data, segmentName(0)), new Uint8Array(SEGMENT));
    table.store(LogWord.OLDEST, 3 * SEGMENT);
    await until(() => {
      removal.onTick();
      return warnings.length > 0;
    });
    assert.match(warnings[0] ?? "", /another directory/);
    assert.equal(statSync(join(data, segmentName(0))).size, SEGMENT);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
});

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 6000 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(done(), "in time");
}
