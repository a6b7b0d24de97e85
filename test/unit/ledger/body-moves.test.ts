/**
 * Segments go although some message waits for very long: a real journal on a directory in memory,
 * the ledger reading it, and other readers of the bodies.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { JournalAppender } from "../../../src/journal/appender.ts";
import { BlockTailer } from "../../../src/journal/log-tailer.ts";
import { ChunkedRecordLoader } from "../../../src/journal/record-loader.ts";
import { listSegments } from "../../../src/journal/segments.ts";
import { movedBodiesIn } from "../../../src/ledger/body-moves.ts";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { Ledger } from "../../../src/ledger/ledger.ts";
import { readMeta } from "../../../src/ledger/store/meta.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { allocateMetrics, MetricBlock } from "../../../src/metrics/block.ts";
import { Accept } from "../../../src/records/accept.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { JournalRig } from "../../support/journal-rig.ts";
import { MemoryDirectory } from "../../support/memory-directory.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { POLICY } from "./harness.ts";
import { accept, answer, key, receipt, sending, T0 } from "./records.ts";

const SEGMENT_BYTES = 1024 * 1024;
const DELIVERED = 2;
const MONTH_S = 30 * 86_400;

class World {
  readonly directory = new MemoryDirectory();
  readonly rig = new JournalRig({
    directory: this.directory,
    appenders: 2,
    stagingBytes: 1 << 18,
    segmentBytes: SEGMENT_BYTES,
  });
  readonly store = new MemoryStore();
  readonly ledger: Ledger;
  readonly loader = this.newLoader();
  now = T0;

  constructor() {
    this.ledger = new Ledger({
      node: "gw-1",
      epoch: 1,
      tailer: new BlockTailer(this.directory, this.rig.table, 0),
      loader: this.newLoader(),
      appender: this.rig.appenders[1] as JournalAppender,
      store: this.store,
      submitterOf: () => ({
        submit: () => true,
        doWork: () => 0,
        cancel: () => undefined,
        waitingCount: 0,
        isFull: () => false,
      }),
      logTable: this.rig.table,
      clock: { wallMs: () => this.now, monotonicMs: () => this.now },
      random: () => 0.5,
      log: {
        write: (_level, operation, fields) => assert.fail(JSON.stringify([operation, fields])),
      },
      metrics: new MetricBlock(allocateMetrics(1), 0),
      inHand: Float64Array.of(-1),
      inHandIndex: 0,
      quarantined: new Set(),
      policy: { ...POLICY, segmentBytes: SEGMENT_BYTES },
    });
  }

  newLoader(): ChunkedRecordLoader {
    return new ChunkedRecordLoader(
      this.directory,
      this.rig.table,
      movedBodiesIn(this.store),
      16384,
    );
  }

  /** Commits records; returns their log offsets. */
  commit(records: readonly Buffer[]): number[] {
    const [appender] = this.rig.appenders as [JournalAppender];
    const offsets: number[] = [];
    for (const record of records) {
      const at = appender.claim(record.length, record[4] as number);
      assert.ok(at >= 0);
      appender.memory.bytes.set(record.subarray(8), at + 8);
    }
    appender.publish();
    this.rig.work();
    appender.pollCommitted({
      onCommitted: (_type, _offset, _length, logOffset) => offsets.push(logOffset),
    });
    return offsets;
  }

  /** Lets the ledger and the journal come to rest over a second. */
  rest(): void {
    for (let i = 0; i < 100; i++) {
      this.now += 50;
      this.rig.clock.nowMs += 50;
      this.ledger.doWork();
      this.rig.work();
    }
  }

  get onDiskBytes(): number {
    const { table } = this.rig;
    return table.load(LogWord.COMMITTED) - table.load(LogWord.OLDEST);
  }

  get logFileBytes(): number {
    return listSegments(this.directory).length * SEGMENT_BYTES;
  }
}

/** A message that runs through, as the records of its whole life. */
function wholeLife(number: number): Buffer[] {
  const k = key(number);
  const id = `id-${number}`;
  return [accept(k), sending(k), answer(k, { id }), receipt(id, DELIVERED)];
}

test("disk stays within twice what waits and two segments over 100 working sets", () => {
  const world = new World();
  const waiting: { number: number; offset: number }[] = [];
  let number = 0;
  const wait = (fields: { delayS?: number }): void => {
    const k = key(++number);
    const [offset] = world.commit([accept(k, { ...fields, ttlMs: MONTH_S * 2000 })]);
    waiting.push({ number, offset: offset as number });
  };
  wait({ delayS: MONTH_S });
  world.rest();
  const written: number[] = [];
  for (let wave = 0; wave < 100; wave++) {
    // One for a dead link in each wave; everything else runs through.
    wait({});
    for (let i = 0; i < 40; i++) {
      world.commit(Array.from({ length: 10 }, () => wholeLife(++number)).flat());
    }
    world.rest();
    const { holds } = readMeta(world.store);
    const disk = world.onDiskBytes + holds.movedBytes;
    const bound = 2 * holds.bytes + 2 * SEGMENT_BYTES;
    assert.ok(disk <= bound, `wave ${wave}: ${disk} bytes`);
    // Besides, one segment is being prepared.
    assert.ok(world.logFileBytes + holds.movedBytes <= bound + SEGMENT_BYTES, `wave ${wave}`);
    written.push(world.rig.table.load(LogWord.COMMITTED));
  }
  assert.ok((written.at(-1) as number) > 9 * SEGMENT_BYTES);
  assert.ok(world.rig.table.load(LogWord.OLDEST) > 7 * SEGMENT_BYTES);
  const books = verifyBooks(world.store);
  assert.deepEqual(books.mismatches, []);
  assert.equal(books.books.open, waiting.length);
  // Every body can still be read, by a reader that knew the log before as by a new one.
  const fresh = world.newLoader();
  for (const { number: known, offset } of waiting) {
    for (const loader of [world.loader, fresh]) {
      const at = loader.load(offset);
      assert.ok(at >= 0, `message ${known}`);
      const { view } = loader.memory;
      assert.equal(view.getFloat64(at + Accept.SEQUENCE, true), key(known).sequence);
    }
  }
});

test("a moved body goes with its message, and a reader never misses it in between", () => {
  const world = new World();
  const [offset] = world.commit([accept(key(1), { ttlMs: MONTH_S * 1000 })]) as [number];
  let number = 1;
  while (world.rig.table.load(LogWord.OLDEST) === 0) {
    assert.ok(number < 40_000, "the segment never goes");
    world.commit(wholeLife(++number));
    if (number % 50 === 0) {
      world.now += 50;
      world.rig.clock.nowMs += 50;
      world.ledger.doWork();
    }
    if (number % 500 === 0) assert.ok(world.newLoader().load(offset) >= 0);
  }
  assert.ok(world.newLoader().load(offset) >= 0);
  assert.equal(world.store.dump(LedgerTable.BODIES).length, 1);
  world.commit([sending(key(1)), answer(key(1), { id: "late" })]);
  world.rest();
  assert.equal(world.store.dump(LedgerTable.BODIES).length, 0);
  assert.deepEqual(verifyBooks(world.store).mismatches, []);
  assert.equal(readMeta(world.store).holds.movedBytes, 0);
});
