/**
 * Crash and replay: however a reader of a log is interrupted, and whatever its store has lost of
 * what was not flushed, it ends in the state of one that was never interrupted.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { verifyBooks } from "../../../src/ledger/books.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { FLAG_MAYBE_DUP, Outcome } from "../../../src/records/attempt.ts";
import { Verdict } from "../../../src/records/concluded.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness, MemoryLog } from "./harness.ts";
import {
  accept,
  ambiguous,
  answer,
  concluded,
  key,
  receipt,
  sending,
  started,
  T0,
} from "./records.ts";

const MESSAGES = 120;
const EPOCHS = 3;

/** Small seeded generator (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * A log of several runs: random histories of messages, some parts in two attempts, receipts early
 * and twice.
 */
function randomLog(random: () => number): MemoryLog {
  const log = new MemoryLog();
  const pick = (count: number): number => Math.floor(random() * count);
  const ids: string[] = [];
  let at = 0;
  for (let epoch = 1; epoch <= EPOCHS; epoch++) {
    const records: Uint8Array[] = [started(epoch, (at += 1000))];
    for (let i = 0; i < MESSAGES; i++) {
      const k = key(epoch * 100_000 + i, epoch, pick(2));
      const parts = 1 + pick(3);
      const link = 100 + pick(5);
      const ttlMs = random() < 0.1 ? 500 : 3_600_000;
      const fields = { parts, at: T0 + at, ttlMs, dlr: pick(3), messageClass: pick(3) };
      const history: Uint8Array[] = [accept(k, fields)];
      for (let part = 0; part < parts && random() < 0.9; part++) {
        const id = `${random() < 0.3 ? "0" : ""}${(epoch * 1e6 + i * 10 + part).toString(16)}`;
        const base = { part, link, at: (at += 3) };
        history.push(sending(k, base));
        const outcome = pick(8);
        if (outcome === 0) continue;
        if (outcome === 1) history.push(ambiguous(k, { ...base, at: (at += 3) }));
        else if (outcome === 2) {
          const refused = { ...base, outcome: Outcome.RETRY, status: 8, retryAfterMs: 5000 };
          history.push(answer(k, { ...refused, at: (at += 3) }));
        } else if (outcome === 3) {
          history.push(answer(k, { ...base, outcome: 1 + pick(3), at: (at += 3) }));
        } else {
          if (random() < 0.2) history.push(receipt(id, 2, (at += 3), link));
          history.push(answer(k, { ...base, id, at: (at += 3) }));
          ids.push(`${link}|${id}`);
        }
        if (outcome < 3 && random() < 0.5) {
          const again = { part, link, attempt: 2, flags: FLAG_MAYBE_DUP };
          history.push(sending(k, { ...again, at: (at += 3) }));
          if (random() < 0.7) history.push(answer(k, { ...again, id: `${id}b`, at: (at += 3) }));
        }
      }
      if (random() < 0.1) history.push(concluded(k, random() < 0.7 ? Verdict.EXPIRED : 1, at));
      records.push(...history);
      while (ids.length > 0 && random() < 0.6) {
        const [to, id] = (ids.splice(pick(ids.length), 1)[0] as string).split("|");
        const state = random() < 0.8 ? 2 : 1 + pick(8);
        records.push(receipt(id as string, state, (at += 3), Number(to)));
        if (random() < 0.1) records.push(receipt(id as string, 5, (at += 3), Number(to)));
      }
    }
    log.append(records);
  }
  return log;
}

/**
 * What the ledger knows, free of what may differ: keys of parked receipts and chunks, rows not
 * written since.
 */
function knowledge(harness: Harness): unknown {
  const documents: unknown[] = [];
  const seen = new Set<string>();
  for (const entry of harness.log.entries) {
    if (entry.type !== 2) continue;
    const sequence = entry.memory.view.getFloat64(24, true);
    const origin = entry.memory.view.getUint32(32, true);
    if (seen.has(`${sequence}.${origin}`)) continue;
    seen.add(`${sequence}.${origin}`);
    documents.push(harness.ledger.getMessage({ sequence, origin }, 7));
  }
  settleStore(harness);
  const store = harness.store as MemoryStore;
  const { books, links, parked } = harness.ledger.status();
  return {
    documents,
    books,
    links,
    parked,
    // Where the body is wanted depends on when the row was written first.
    open: store.dump(LedgerTable.OPEN).map((row) => row.slice(0, -12)),
    waits: store.dump(LedgerTable.WAITS),
    parkedRows: store.dump(LedgerTable.PARKED).map((row) => row.split("=")[1]),
  };
}

function settleStore(harness: Harness): void {
  const store = harness.store as MemoryStore;
  for (let i = 0; i < 3; i++) {
    harness.ledger.requestFlush();
    harness.ledger.doWork();
    store.flush();
    harness.ledger.doWork();
  }
  assert.equal(harness.table.load(LogWord.LEDGER_FLUSHED), harness.log.end);
  assert.deepEqual(verifyBooks(store).mismatches, []);
}

const common = { isJournalOff: true, epoch: 9, now: T0 + 1 } as const;

function readWhole(log: MemoryLog): unknown {
  const harness = new Harness({ ...common, log, store: new MemoryStore(false) });
  harness.table.store(LogWord.COMMITTED, log.end);
  for (let i = 0; i < 100; i++) harness.ledger.doWork();
  return knowledge(harness);
}

function readWithCrashes(
  log: MemoryLog,
  random: () => number,
): { state: unknown; crashes: number } {
  let store = new MemoryStore(false);
  let crashes = 0;
  for (;;) {
    const limits = {
      pollBytes: 100 + Math.floor(random() * 4000),
      cacheMax: 16,
      dirtyMax: 1 + Math.floor(random() * 60),
      upkeepIntervalMs: 0,
    };
    const harness = new Harness({ ...common, log, store, limits });
    harness.table.store(LogWord.COMMITTED, log.end);
    const rounds = 1 + Math.floor(random() * 25);
    for (let i = 0; i < rounds; i++) {
      harness.ledger.doWork();
      if (random() < 0.3) harness.ledger.requestFlush();
      if (random() < 0.5) store.makeVisible();
      if (random() < 0.3) store.flush();
    }
    if (harness.table.load(LogWord.LEDGER_APPLIED) === log.end) {
      return { state: knowledge(harness), crashes };
    }
    crashes++;
    assert.ok(crashes < 2000, "no progress");
    store = store.crash(random() < 0.5, false);
  }
}

test("a reader that crashes anywhere comes to the same state", () => {
  let crashes = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const log = randomLog(generator(seed));
    const whole = readWhole(log);
    const interrupted = readWithCrashes(log, generator(1000 + seed));
    assert.deepEqual(interrupted.state, whole, `seed ${seed}`);
    crashes += interrupted.crashes;
  }
  assert.ok(crashes > 100, `only ${crashes} crashes`);
});
