/** CDR rows: numbered without a gap, cut once, over crashes; the disk's level. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CdrCut } from "../../../src/ledger/cdr/cdr-format.ts";
import { chunkKey, chunkRowCount, isChunkKey, keyRow } from "../../../src/ledger/cdr/cdr-format.ts";
import { CdrRows, type CdrRowsOptions } from "../../../src/ledger/cdr/cdr-rows.ts";
import { type LedgerStore, LedgerTable } from "../../../src/ledger/store/store.ts";
import { CdrField, type CdrValue } from "../../../src/sink/cdr-columns.ts";
import { CdrDecoder } from "../../../src/sink/cdr-decode.ts";
import { CdrLevel, LogTable, LogWord, allocateLogTable } from "../../../src/tables/log-table.ts";
import { FLAG_MAYBE_DUP } from "../../../src/records/attempt.ts";
import { DlrMode } from "../../../src/records/types.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { Harness } from "./harness.ts";
import { accept, ambiguous, answer, key, receipt, refused, sending, T0 } from "./records.ts";

const DELIVERED = 2;
const ROLL_MS = 1000;

/** A gateway's rows and everything announced so far. */
class Rig {
  readonly cuts: CdrCut[] = [];
  readonly logTable = new LogTable(allocateLogTable(4));
  rows: CdrRows | null = null;
  readonly options: Partial<CdrRowsOptions>;
  random = 0.5;

  constructor(options: Partial<CdrRowsOptions> = {}) {
    this.options = options;
  }

  readonly observersOf = (store: LedgerStore): readonly CdrRows[] => {
    this.rows = new CdrRows({
      store,
      logTable: this.logTable,
      epoch: 1,
      clock: { wallMs: () => T0, monotonicMs: () => 0 },
      random: () => this.random,
      log: { write: () => undefined },
      format: "ndjson",
      rollIntervalMs: ROLL_MS,
      rollBytesMax: 1 << 20,
      diskBytesMax: 1 << 30,
      onCut: (cut) => this.cuts.push(cut),
      ...this.options,
    });
    return [this.rows];
  };

  start(store: LedgerStore = new MemoryStore()): Harness {
    const harness = new Harness({ store, observersOf: this.observersOf });
    harness.work();
    harness.pass(500);
    return harness;
  }
}

/** Rows of a cut as the store has them; throws if they are not complete. */
function rowsOf(store: LedgerStore, cut: CdrCut): CdrValue[][] {
  const found: CdrValue[][] = [];
  const decoder = new CdrDecoder("gw-1", (row) => found.push([...row]));
  let next = cut.from;
  store.range(LedgerTable.CDR, chunkKey(cut.from), (chunk, bytes) => {
    if (!isChunkKey(chunk) || keyRow(chunk) >= cut.until) return false;
    assert.equal(keyRow(chunk), next);
    next = decoder.decode(bytes, next);
    return true;
  });
  assert.equal(next, cut.until);
  return found;
}

function chunksIn(store: LedgerStore): number {
  let rows = 0;
  store.range(LedgerTable.CDR, chunkKey(0), (chunk, bytes) => {
    if (isChunkKey(chunk)) rows += chunkRowCount(bytes);
    return true;
  });
  return rows;
}

test("a final message leaves a row of each part and one of the message, side by side", () => {
  const rig = new Rig();
  const harness = rig.start();
  const k = key(1);
  harness.feed(accept(k, { parts: 2 }), sending(k), answer(k, { id: "a" }));
  harness.feed(sending(k, { part: 1 }), answer(k, { id: "b", part: 1 }), receipt("b", 5));
  harness.pass(2 * ROLL_MS);
  assert.deepEqual(rig.cuts, [], "nothing is final yet");
  harness.feed(receipt("a", DELIVERED));
  harness.pass(2 * ROLL_MS);
  assert.equal(rig.cuts.length, 1);
  const rows = rowsOf(harness.store, (rig.cuts as CdrCut[])[0] as CdrCut);
  const brief = rows.map((row) =>
    (["row", "record", "part", "segments", "status", "reason_code", "smsc_id"] as const).map(
      (name) => row[CdrField[name]],
    ),
  );
  assert.deepEqual(brief, [
    [0, "part", 0, 1, "delivered", "delivered", "a"],
    [1, "part", 1, 1, "undelivered", "undeliverable", "b"],
    [2, "message", null, 2, "undelivered", "undeliverable", null],
  ]);
  assert.equal(rows[2]?.[CdrField.reference], "order-17");
  assert.equal(rows[2]?.[CdrField.to], "998901234567");
});

test("refusals and late duplicates have rows of their own", () => {
  const rig = new Rig();
  const harness = rig.start();
  const k = key(1);
  harness.feed(refused(403), accept(k), sending(k), ambiguous(k));
  harness.feed(answer(k, { id: "a" }), receipt("a", DELIVERED));
  harness.feed(sending(k, { attempt: 2, flags: FLAG_MAYBE_DUP }));
  harness.pass(2 * ROLL_MS);
  const rows = rig.cuts.flatMap((cut) => rowsOf(harness.store, cut));
  const records = rows.map((row) => row[CdrField.record]);
  assert.deepEqual(records, ["refusal", "part", "message", "duplicate"]);
  assert.equal(rows[0]?.[CdrField.http_status], 403);
  assert.equal(rows[3]?.[CdrField.message_id], rows[2]?.[CdrField.message_id]);
});

test("a cut is announced when it is flushed, not before", () => {
  const store = new MemoryStore();
  const rig = new Rig();
  const harness = rig.start(store);
  store.auto = false;
  harness.feed(accept(key(1), { dlr: DlrMode.NONE }), sending(key(1)), answer(key(1)));
  harness.pass(3 * ROLL_MS);
  store.makeVisible();
  harness.pass(3 * ROLL_MS);
  store.makeVisible();
  harness.pass(ROLL_MS);
  assert.deepEqual(rig.cuts, []);
  store.flush();
  harness.pass(ROLL_MS);
  assert.equal(rig.cuts.length, 1);
});

test("files are cut by size, and where an hour ends", () => {
  const rig = new Rig({ rollBytesMax: 64 * 1024, rollIntervalMs: 86_400_000 });
  const harness = rig.start();
  const send = (from: number, until: number): void => {
    for (let i = from; i < until; i++) {
      harness.feed(accept(key(i), { dlr: DlrMode.NONE }), sending(key(i)), answer(key(i)));
    }
  };
  send(1, 1000);
  harness.pass(500);
  assert.ok(rig.cuts.length > 0);
  for (const cut of rig.cuts) assert.ok(cut.itemBytes <= 64 * 1024);
  const before = rig.cuts.length;
  harness.now = T0 + 3_600_000;
  harness.pass(1000);
  assert.equal(rig.cuts.length, before + 1);
  send(1000, 1001);
  rig.rows?.requestCut();
  harness.pass(500);
  assert.equal(rig.cuts.at(-1)?.at, T0 + 3_601_000);
  assert.equal(
    rig.cuts.reduce((rows, cut) => rows + rowsOf(harness.store, cut).length, 0),
    2000,
  );
});

test("rows go when their file is there, and the level follows what waits", () => {
  const rig = new Rig({ diskBytesMax: 10_000 });
  const harness = rig.start();
  const level = (): number => rig.logTable.load(LogWord.CDR_LEVEL);
  const send = (from: number, until: number): void => {
    for (let i = from; i < until; i++) {
      harness.feed(accept(key(i), { dlr: DlrMode.NONE }), sending(key(i)), answer(key(i)));
    }
    harness.pass(2 * ROLL_MS);
  };
  send(1, 50);
  assert.equal(level(), CdrLevel.ALARM);
  send(50, 70);
  assert.equal(level(), CdrLevel.FULL);
  for (const _ of rig.cuts) rig.rows?.noteFiled();
  harness.pass(2 * ROLL_MS);
  assert.equal(level(), CdrLevel.FINE);
  assert.equal(chunksIn(harness.store), 0);
  assert.equal(rig.logTable.load(LogWord.CDR_STORE_BYTES), 0);
  rig.logTable.store(LogWord.CDR_FILE_BYTES, 9_700);
  harness.pass(500);
  assert.equal(level(), CdrLevel.FULL);
});

test("over crashes at any point each message has its rows once, in files without a gap", () => {
  for (let seed = 1; seed <= 40; seed++) crashAgainAndAgain(seed);
});

/** Sends messages, files some cuts, crashes now and then, and judges what the files hold. */
function crashAgainAndAgain(seed: number): void {
  const random = seededRandom(seed);
  const files = new Map<number, { cut: CdrCut; rows: CdrValue[][] }>();
  let store = new MemoryStore();
  let rig = new Rig({ rollBytesMax: 2000 });
  let harness = rig.start(store);
  let filed = 0;
  const file = (isHeard: boolean): void => {
    const cut = rig.cuts[filed];
    if (cut === undefined) return;
    const rows = rowsOf(store, cut);
    const known = files.get(cut.from);
    if (known !== undefined) assert.deepEqual({ cut, rows }, known, `seed ${seed}: another file`);
    files.set(cut.from, { cut, rows });
    filed++;
    if (isHeard) rig.rows?.noteFiled();
    else filed = Number.POSITIVE_INFINITY;
  };
  let sent = 0;
  for (let step = 0; step < 60; step++) {
    store.auto = random() < 0.5;
    const count = Math.floor(random() * 8);
    for (let i = 0; i < count; i++) {
      const k = key(++sent);
      harness.feed(accept(k, { dlr: DlrMode.NONE }), sending(k), answer(k));
    }
    harness.pass(random() * ROLL_MS);
    if (random() < 0.5) store.makeVisible();
    if (random() < 0.3) store.flush();
    // The news may get lost in the crash to come.
    if (random() < 0.4) file(random() < 0.8);
    if (random() > 0.1) continue;
    store = store.crash(random() < 0.5, true);
    rig = new Rig({ rollBytesMax: 2000 });
    filed = 0;
    harness = harness.restart({ store, observersOf: rig.observersOf });
    harness.work();
  }
  store.auto = true;
  store = store.crash(false, true);
  rig = new Rig({ rollBytesMax: 2000 });
  harness = harness.restart({ store, observersOf: rig.observersOf });
  harness.work();
  harness.pass(3 * ROLL_MS);
  for (filed = 0; filed < rig.cuts.length; ) file(true);
  judge(seed, sent, [...files.values()]);
}

function judge(
  seed: number,
  sent: number,
  files: readonly { cut: CdrCut; rows: CdrValue[][] }[],
): void {
  const ordered = files.toSorted((a, b) => a.cut.from - b.cut.from);
  let next = 0;
  const messages = new Set<CdrValue>();
  for (const { cut, rows } of ordered) {
    assert.equal(cut.from, next, `seed ${seed}: a gap or an overlap`);
    next = cut.until;
    for (const row of rows) {
      if (row[CdrField.record] !== "message") continue;
      const id = row[CdrField.message_id] as CdrValue;
      assert.ok(!messages.has(id), `seed ${seed}: ${String(id)} twice`);
      messages.add(id);
    }
  }
  assert.equal(messages.size, sent, `seed ${seed}`);
  assert.equal(next, 2 * sent, `seed ${seed}`);
}
