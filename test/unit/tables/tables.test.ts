import assert from "node:assert/strict";
import { test } from "node:test";
import { PRIORITY_COUNT } from "../../../src/records/types.ts";
import { allocateCreditTable, CreditTable } from "../../../src/tables/credit-table.ts";
import {
  allocateRows,
  LinkWord,
  rowWord,
  SESSION_STATE_NAMES,
  SessionState,
  SessionWord,
  WORDS_PER_ROW,
} from "../../../src/tables/link-table.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import {
  appenderCount,
  journalThreadIndex,
  ledgerIndex,
  producerCount,
  packThreadIndex,
  relayThreadIndex,
  sinkThreadIndex,
  threadCount,
  workerAppenderIndex,
  type SharedPlan,
} from "../../../src/tables/plan.ts";
import { allocateSessions, SessionNotes } from "../../../src/tables/session-notes.ts";
import {
  allocateBells,
  allocateInHand,
  bellIndex,
  ticksIndex,
} from "../../../src/tables/thread-table.ts";

const PLAN: SharedPlan = {
  ingressCount: 2,
  workerCount: 3,
  poolCount: 4,
  linkCount: 5,
  sessionCount: 6,
  appCount: 7,
};

test("indices of appenders and threads are all different and fill their range", () => {
  const workers = [0, 1, 2].map((worker) => workerAppenderIndex(PLAN, worker));
  const appenders = [0, 1, ledgerIndex(PLAN), ...workers];
  assert.deepEqual(appenders, [0, 1, 2, 3, 4, 5]);
  assert.equal(producerCount(PLAN), 3);
  assert.equal(appenderCount(PLAN), 6);
  assert.equal(journalThreadIndex(PLAN), 6);
  assert.equal(sinkThreadIndex(PLAN), 7);
  assert.equal(relayThreadIndex(PLAN), 8);
  assert.equal(packThreadIndex(PLAN), 9);
  assert.equal(threadCount(PLAN), 10);
});

test("every cell of credit and every weight is a word of its own", () => {
  const table = new CreditTable(allocateCreditTable(PLAN), PLAN);
  const told = new Map<string, number>();
  let next = 1;
  for (let producer = 0; producer < producerCount(PLAN); producer++) {
    for (let worker = 0; worker < PLAN.workerCount; worker++) {
      for (let pool = 0; pool < PLAN.poolCount; pool++) {
        for (let priority = 0; priority < PRIORITY_COUNT; priority++) {
          const cell = table.cell(worker, pool, priority);
          assert.ok(cell >= 0 && cell < table.cellCountPerProducer);
          told.set(`${producer} ${cell}`, next);
          table.grant(producer, cell, next++);
        }
        table.setWeight(worker, pool, -(worker * PLAN.poolCount + pool + 1));
      }
    }
  }
  assert.equal(told.size, 3 * 3 * 4 * PRIORITY_COUNT);
  for (const [key, value] of told) {
    const [producer, cell] = key.split(" ").map(Number) as [number, number];
    assert.equal(table.granted(producer, cell), value);
  }
  for (let worker = 0; worker < PLAN.workerCount; worker++) {
    for (let pool = 0; pool < PLAN.poolCount; pool++) {
      assert.equal(table.weight(worker, pool), -(worker * PLAN.poolCount + pool + 1));
    }
  }
});

test("words of the log keep offsets of 53 bits, apart from each other", () => {
  const producers = 3;
  const table = new LogTable(allocateLogTable(producers));
  const words = Object.values(LogWord).filter((word) => word !== LogWord.APPLIED_SEQUENCE);
  for (const word of words) table.store(word, Number.MAX_SAFE_INTEGER - word);
  for (let i = 0; i < producers; i++) table.storeAppliedSequence(i, i + 1);
  for (const word of words) assert.equal(table.load(word), Number.MAX_SAFE_INTEGER - word);
  for (let i = 0; i < producers; i++) assert.equal(table.appliedSequence(i), i + 1);
  assert.equal(new Set(Object.values(LogWord)).size, Object.values(LogWord).length);
});

test("rows of links and sessions do not overlap, and every state has its name", () => {
  const rows = new Int32Array(allocateRows(3));
  const indices = [0, 1, 2].flatMap((row) => [0, 1, 2, 3].map((word) => rowWord(row, word)));
  assert.equal(new Set(indices).size, indices.length);
  assert.ok(Math.max(...indices) < rows.length);
  for (const words of [LinkWord, SessionWord]) {
    const values = Object.values<number>(words);
    assert.deepEqual(
      values,
      values.map((_, i) => i),
    );
    assert.ok(values.length <= WORDS_PER_ROW);
  }
  for (const [name, state] of Object.entries(SessionState)) {
    assert.equal(SESSION_STATE_NAMES[state], name.toLowerCase());
  }
});

test("bells and ticks of threads are words of their own, and no record is in hand at first", () => {
  const bells = new Int32Array(allocateBells(4));
  const indices = [0, 1, 2, 3].flatMap((thread) => [bellIndex(thread), ticksIndex(thread)]);
  assert.equal(new Set(indices).size, 8);
  assert.ok(Math.max(...indices) < bells.length);
  assert.deepEqual([...new Float64Array(allocateInHand(3))], [-1, -1, -1]);
});

test("a session's note is read as it was written last", () => {
  const rows = 3;
  const words = new Int32Array(allocateSessions(rows));
  words.fill(-1, 0, rowWord(rows, 0));
  const notes = new SessionNotes(words);
  for (let row = 0; row < rows; row++) {
    assert.deepEqual(notes.read(row), { error: "", errorAt: 0, boundSince: 0 });
  }
  notes.setBoundSince(1, 1_764_000_000_000.5);
  notes.setError(1, "x".repeat(500), 5);
  notes.setError(2, "no answer to the bind", 7);
  assert.deepEqual(notes.read(0), { error: "", errorAt: 0, boundSince: 0 });
  const { error, ...rest } = notes.read(1);
  assert.match(error, /^x{200,}$/);
  assert.deepEqual(rest, { errorAt: 5, boundSince: 1_764_000_000_000.5 });
  assert.deepEqual(notes.read(2), { error: "no answer to the bind", errorAt: 7, boundSince: 0 });
  assert.ok(
    words.subarray(0, rowWord(rows, 0)).every((word) => word === -1),
    "rows are untouched",
  );
});

test("depths add up over producers and workers, apart for pools and links", () => {
  const plan = {
    ingressCount: 1,
    workerCount: 2,
    poolCount: 2,
    linkCount: 3,
    sessionCount: 3,
    appCount: 1,
  };
  const table = new CreditTable(allocateCreditTable(plan), plan);
  table.showWaiting(0, 1, 5);
  table.showWaiting(1, 1, 6);
  table.showQueued(0, 1, 7);
  table.showQueued(1, table.poolCount + 2, 8);
  assert.deepEqual(
    [0, 1].map((pool) => table.depthOfPool(pool)),
    [0, 18],
  );
  assert.deepEqual(
    [0, 1, 2].map((link) => table.depthOfLink(link)),
    [0, 0, 8],
  );
  table.setWeight(1, 1, 3);
  table.setOpenSessions(1, 2, 4);
  assert.deepEqual([table.depthOfPool(1), table.depthOfLink(2)], [18, 8]);
});
