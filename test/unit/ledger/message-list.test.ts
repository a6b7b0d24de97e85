/** Pages of an app's messages: against a plain filter, over restarts and removals. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  MessageListPage,
  MessageListQuestion,
  MessageListScan,
} from "../../../src/ledger/messages/message-list.ts";
import { ListJobs } from "../../../src/ledger/messages/list-jobs.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import type { MemoryStore } from "../../support/memory-store.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { Harness, POLICY } from "./harness.ts";
import { all, ANY, id, page, PER_MS } from "./lists.ts";
import { accept, answer, key, receipt, sending, T0 } from "./records.ts";

const HOUR = 3_600_000;

test("every filter finds exactly its messages, page by page, in order of acceptance", () => {
  const random = seededRandom(11);
  const harness = new Harness({
    policy: {
      plan: {
        ...POLICY.plan,
        appIndexById: new Map([
          [7, 0],
          [8, 1],
        ]),
      },
    },
  });
  harness.work();
  const known: { number: number; app: number; reference: string; to: string; done: boolean }[] = [];
  for (let i = 0; i < 400; i++) {
    const number = i * 50 * PER_MS;
    const app = random() < 0.6 ? 7 : 8;
    const reference = `order-${integerIn(random, 0, 9)}-ü`;
    const to = `99890${integerIn(random, 1_000_000, 1_000_009)}`;
    const done = random() < 0.5;
    known.push({ number, app, reference, to, done });
    const k = key(number);
    harness.feed(accept(k, { appId: app, reference, to, at: T0 + i * 50 }));
    if (done) harness.feed(sending(k), answer(k, { id: `x${i}` }), receipt(`x${i}`, 2, i * 50));
    if (random() < 0.1) harness.flush();
  }
  harness.flush();
  const expect = (asked: Partial<MessageListQuestion>, fits: (m: (typeof known)[0]) => boolean) => {
    const wanted = known.filter((m) => m.app === (asked.appId ?? 7) && fits(m));
    assert.deepEqual(
      all(harness, asked),
      wanted.map(({ number }) => id(number)),
    );
    assert.ok(wanted.length > 0);
  };
  expect({}, () => true);
  expect({ appId: 8 }, () => true);
  expect({ reference: "order-3-ü" }, ({ reference }) => reference === "order-3-ü");
  expect({ to: "998901000004" }, ({ to }) => to === "998901000004");
  expect({ status: "delivered" }, ({ done }) => done);
  expect({ status: "accepted" }, ({ done }) => !done);
  const since = T0 + 5000;
  const until = T0 + 12_000;
  const at = ({ number }: { number: number }): number => T0 + number / PER_MS;
  expect({ since, until }, (m) => at(m) >= since && at(m) < until);
  const both = { status: "delivered", reference: "order-1-ü", since };
  expect(both, (m) => m.done && m.reference === "order-1-ü" && at(m) >= since);
  assert.deepEqual(all(harness, { reference: "never" }), []);
  assert.deepEqual(all(harness, { appId: 99 }), []);
});

test("a cursor goes on after a restart and after removals, and is no other app's", () => {
  const harness = new Harness({ policy: { retentionMs: HOUR } });
  harness.work();
  for (let i = 0; i < 60; i++) {
    const k = key(i * PER_MS);
    harness.feed(accept(k, { ttlMs: 100 * HOUR }));
    if (i < 30) harness.feed(sending(k), answer(k, { id: `x${i}` }), receipt(`x${i}`, 2, i));
    if (i % 7 === 0) harness.flush();
  }
  harness.flush();
  const first = page(harness, { appId: 7, ...ANY, limit: 20, after: null });
  assert.equal(first?.data.length, 20);
  assert.equal(page(harness, { appId: 8, ...ANY, limit: 20, after: first?.next ?? "" }), null);
  assert.equal(page(harness, { appId: 7, ...ANY, limit: 20, after: "nonsense" }), null);
  const next = harness.restart();
  next.work();
  next.pass(2 * HOUR, 60_000);
  next.pass(5000);
  const rest = page(next, { appId: 7, ...ANY, limit: 100, after: first?.next ?? "" });
  assert.deepEqual(
    rest?.data.map((message) => message.id),
    Array.from({ length: 30 }, (_, i) => id((30 + i) * PER_MS)),
  );
  // Blocks without rows are gone.
  const blocks = (next.store as MemoryStore).dump(LedgerTable.INDEX).length;
  assert.ok(blocks <= 5, `${blocks} blocks`);
});

test("a page that takes its time is cut short, and pages go on to the last message", () => {
  let ms = 0;
  let perLook = 0;
  const harness = new Harness({ monotonicMs: () => (ms += perLook) });
  harness.work();
  const count = 3000;
  for (let i = 0; i < count; i++) {
    const k = key(i * PER_MS);
    harness.feed(accept(k, { appId: 7, at: T0 }));
    if (i === count - 1) harness.feed(sending(k), answer(k, { id: "x" }), receipt("x", 2, 50));
  }
  harness.flush();
  // Each look at the clock is half a second after the one before: a step takes that long.
  perLook = 500;
  const found: string[] = [];
  let after: string | null = null;
  let pages = 0;
  do {
    const asked = { appId: 7, ...ANY, status: "delivered", limit: 500, after };
    const one: MessageListPage | null = page(harness, asked);
    assert.ok(one !== null);
    found.push(...one.data.map((message) => message.id));
    after = one.next;
    pages++;
    assert.ok(pages <= count / 256 + 1, "each page gets on by a step at least");
  } while (after !== null);
  assert.ok(pages > 3, "the first page was not all of it");
  assert.deepEqual(found, [id((count - 1) * PER_MS)]);
});

test("while the log waits to be read, lists take a quarter of the thread", () => {
  let ms = 0;
  const jobs = new ListJobs({ wallMs: () => ms, monotonicMs: () => ms });
  let stepped = 0;
  const scan = {
    page: { data: [], next: null },
    isReady: true,
    step: (): boolean => {
      stepped++;
      ms += 4;
      return false;
    },
    cut: (): void => undefined,
  };
  jobs.add(scan as unknown as MessageListScan, () => undefined);
  for (let round = 0; round < 100; round++) {
    jobs.doWork(true);
    // What else the thread does in a round.
    ms += 1;
  }
  const busy = stepped;
  assert.ok(busy * 4 <= ms / 4 + 4, `${busy} steps of 4 ms in ${ms} ms`);
  assert.ok(busy >= 5, "and no list starves");
  const before = ms;
  stepped = 0;
  for (let round = 0; round < 50; round++) jobs.doWork(false);
  assert.equal(stepped, 50, `with nothing else to do, every round is theirs (${ms - before} ms)`);
});

test("a list that is not to begin yet lets others by, and begins when its time is over", () => {
  let ms = 0;
  const jobs = new ListJobs({ wallMs: () => ms, monotonicMs: () => ms });
  const scanOf = (isReady: boolean): MessageListScan => {
    const scan = {
      page: { data: [], next: null },
      isReady,
      step: () => true,
      cut: () => undefined,
    };
    return scan as unknown as MessageListScan;
  };
  const told: string[] = [];
  jobs.add(scanOf(false), () => told.push("waiting"));
  jobs.add(scanOf(true), () => told.push("ready"));
  assert.equal(jobs.doWork(false), 1);
  assert.equal(jobs.doWork(false), 0, "nothing to do meanwhile");
  assert.deepEqual(told, ["ready"]);
  ms += 1000;
  assert.equal(jobs.doWork(false), 1);
  assert.deepEqual(told, ["ready", "waiting"]);
});
