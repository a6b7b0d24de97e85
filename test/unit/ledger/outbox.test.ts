/** Events of each app: complete, in order, bounded by count and age, and nobody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventsPage } from "../../../src/ledger/ledger.ts";
import { DlrMode } from "../../../src/records/types.ts";
import { Harness, POLICY } from "./harness.ts";
import { accept, answer, key, receipt, sending } from "./records.ts";

const HOUR = 3_600_000;
const APPS = {
  plan: {
    ...POLICY.plan,
    appIndexById: new Map([
      [7, 0],
      [8, 1],
    ]),
  },
};

function run(harness: Harness, number: number, appId: number, dlr: number = DlrMode.FINAL): void {
  const k = key(number);
  const id = `i${number}`;
  harness.feed(accept(k, { appId, dlr }), sending(k), answer(k, { id }));
  if (dlr !== DlrMode.NONE) harness.feed(receipt(id, 2));
}

function read(harness: Harness, appId: number, after = 0, limit = 100): EventsPage {
  return harness.ledger.events(appId, after, limit);
}

function events(harness: Harness, appId: number, after = 0) {
  const page = read(harness, appId, after);
  assert.ok(page.kind === "events");
  return page.data;
}

test("dlr says which events there are; each app reads its own", () => {
  const harness = new Harness({ policy: APPS });
  harness.work();
  run(harness, 1, 7);
  run(harness, 2, 7, DlrMode.NONE);
  run(harness, 3, 7, DlrMode.ALL);
  run(harness, 4, 8);
  harness.flush();
  assert.deepEqual(
    events(harness, 7).map(({ type, data, cursor }) => [type, data.status, cursor]),
    [
      ["message.delivered", "delivered", "1"],
      ["message.sent", "sent", "2"],
      ["message.delivered", "delivered", "3"],
    ],
  );
  const [, sent] = events(harness, 7);
  assert.ok(sent !== undefined && "final_at" in sent.data);
  assert.equal(sent.data.final_at, null);
  assert.equal(events(harness, 8).length, 1);
  assert.deepEqual(read(harness, 7, 4), { kind: "unknown" });
});

test("pages follow each other over a restart, without gap or repetition", () => {
  const harness = new Harness({ policy: APPS });
  harness.work();
  for (let i = 0; i < 2500; i++) {
    run(harness, i, 7);
    if (i % 400 === 0) harness.flush();
  }
  harness.flush();
  const next = harness.restart();
  next.work();
  next.pass(1000);
  run(next, 5000, 7);
  next.flush();
  const cursors: number[] = [];
  let after = 0;
  for (;;) {
    const page = read(next, 7, after, 300);
    assert.ok(page.kind === "events");
    cursors.push(...page.data.map(({ cursor }) => Number(cursor)));
    after = cursors.at(-1) as number;
    if (page.next === null) break;
    assert.equal(page.next, String(after));
  }
  assert.deepEqual(
    cursors,
    Array.from({ length: 2501 }, (_, i) => i + 1),
  );
  assert.deepEqual(events(next, 7, after), []);
});

test("beyond its count or age an app's oldest events go, and its cursor has expired", () => {
  const policy = { ...APPS, eventsMax: 50, eventsTtlMs: HOUR, retentionMs: 100 * HOUR };
  const harness = new Harness({ policy });
  harness.work();
  run(harness, 1, 8);
  harness.flush();
  for (let i = 10; i < 210; i++) {
    run(harness, i, 7);
    if (i % 10 === 0) harness.flush();
  }
  harness.flush();
  const left = events(harness, 7);
  assert.ok(left.length > 30 && left.length <= 50, `${left.length} events`);
  assert.equal(left.at(-1)?.cursor, "200");
  assert.deepEqual(read(harness, 7, 5), { kind: "expired" });
  // The other app's backlog is its own.
  assert.equal(events(harness, 8).length, 1);
  harness.pass(HOUR + 10_000, 60_000);
  harness.pass(5000);
  assert.deepEqual(events(harness, 7), []);
  assert.deepEqual(read(harness, 7, 199), { kind: "expired" });
  assert.deepEqual(read(harness, 8, 0), { kind: "events", data: [], next: null });
});

test("an event whose message is gone still names it", () => {
  const harness = new Harness({ policy: { ...APPS, retentionMs: HOUR } });
  harness.work();
  run(harness, 1, 7);
  harness.pass(2 * HOUR, 60_000);
  harness.pass(2000);
  assert.equal(harness.ledger.getMessage(key(1), 7), null);
  const [event] = events(harness, 7);
  assert.deepEqual(Object.keys(event?.data ?? {}), ["id", "status"]);
});
