/** The list in which messages of several apps wait for their turn at a worker. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MessageList } from "../../../src/smpp/queue/message-list.ts";
import { MessageTable, NO_ENTRY } from "../../../src/smpp/queue/message-table.ts";

class Lists {
  readonly table = new MessageTable(4096);
  readonly list = new MessageList(this.table);

  append(app: number): number {
    const entry = this.table.take();
    this.table.appIndex[entry] = app;
    this.table.logOffset[entry] = entry * 8;
    this.list.append(entry);
    return entry;
  }

  /** Entries from the head, after a look at both directions. */
  entries(): number[] {
    const { table, list } = this;
    const forth: number[] = [];
    for (let at = list.head; at !== NO_ENTRY; at = table.next[at] as number) forth.push(at);
    const back: number[] = [];
    for (let at = list.tail; at !== NO_ENTRY; at = table.previous[at] as number) back.push(at);
    assert.deepEqual(forth, back.toReversed());
    assert.equal(forth.length, list.count);
    return forth;
  }

  apps(): number[] {
    return this.entries().map((entry) => this.table.appIndex[entry] as number);
  }
}

test("an app does not pay for the turns of messages that were taken back", () => {
  const lists = new Lists();
  const own = Array.from({ length: 100 }, () => lists.append(1));
  for (let i = 0; i < 100; i++) lists.append(2);
  for (const entry of own.slice(1)) lists.list.remove(entry);
  lists.list.closeGaps();
  lists.append(1);
  assert.deepEqual(lists.apps().slice(0, 5), [1, 2, 2, 1, 2], "its second turn, not its 101st");
});

test("what is left of an app moves up when its earlier messages go", () => {
  const lists = new Lists();
  const own = Array.from({ length: 50 }, () => lists.append(1));
  for (let i = 0; i < 50; i++) lists.append(2);
  for (const entry of own.slice(0, 48)) lists.list.remove(entry);
  lists.list.closeGaps();
  assert.equal(lists.apps().lastIndexOf(1) < 4, true, lists.apps().join(" "));
});

test("those that kept their place stay in front when gaps are closed", () => {
  const lists = new Lists();
  const waiting = [1, 1, 2, 3].map((app) => lists.append(app));
  const kept = lists.table.take();
  lists.table.appIndex[kept] = 9;
  lists.list.insertInFront(kept);
  lists.list.remove(waiting[1] as number);
  lists.list.closeGaps();
  assert.deepEqual(lists.apps(), [9, 1, 2, 3]);
  for (const entry of waiting) if (entry !== waiting[1]) lists.list.remove(entry);
  lists.list.closeGaps();
  assert.deepEqual(lists.apps(), [9]);
  lists.list.remove(kept);
  lists.list.closeGaps();
  assert.deepEqual(lists.apps(), []);
  lists.append(1);
  assert.deepEqual(lists.apps(), [1]);
});

test("without gaps each app's turns follow each other, whatever came and went", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("append" as const), app: fc.nat(3) }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("remove" as const), at: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const lists = new Lists();
      const { list, table } = lists;
      const came = new Map<number, number>();
      for (const [i, one] of events.entries()) {
        if (one.kind === "append") {
          came.set(lists.append(one.app), i);
        } else if (list.count > 0) {
          const entries = lists.entries();
          const at = one.kind === "take" ? 0 : one.at % entries.length;
          list.remove(entries[at] as number);
          if (one.kind === "remove") list.closeGaps();
        }
      }
      list.closeGaps();
      const turns = new Map<number, number[]>();
      const order = new Map<number, number[]>();
      let last = 0;
      for (const entry of lists.entries()) {
        const app = table.appIndex[entry] as number;
        const turn = table.turn[entry] as number;
        assert.ok(turn >= last, "in the order of turns");
        last = turn;
        turns.set(app, [...(turns.get(app) ?? []), turn]);
        order.set(app, [...(order.get(app) ?? []), came.get(entry) as number]);
      }
      const firsts = new Set([...turns.values()].map(([first]) => first));
      assert.ok(firsts.size <= 1, "the first of each has the same turn");
      for (const [app, own] of turns) {
        for (let i = 1; i < own.length; i++) {
          assert.equal(own[i], (own[i - 1] as number) + 1);
        }
        const arrived = order.get(app) as number[];
        assert.deepEqual(
          arrived,
          arrived.toSorted((a, b) => a - b),
          "an app's own in order",
        );
      }
    }),
    { seed: 5, numRuns: 300 },
  );
});
