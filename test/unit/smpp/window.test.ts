import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { NO_SLOT, Window } from "../../../src/smpp/session/window.ts";
import { World } from "./world.ts";

const LAST = 0x7fffffff;

test("numbers wrap from 0x7FFFFFFF to 1 and skip those in flight", () => {
  const window = new Window(4);
  window.reset(LAST - 1);
  const slots = [window.claim(), window.claim(), window.claim()];
  assert.deepEqual(
    slots.map((slot) => window.sequenceNumberOf(slot)),
    [LAST - 1, LAST, 1],
  );
  assert.equal(window.find(LAST), slots[1]);
  assert.equal(window.find(0), NO_SLOT);
  assert.equal(window.find(-1), NO_SLOT);
  assert.equal(window.find(0x80000001), NO_SLOT);
  assert.equal(window.oldestWritten(), slots[0]);
  window.release(slots[0]!);
  window.bury(slots[1]!);
  assert.equal(window.oldestWritten(), slots[2]);
  assert.equal(window.used, 2);
  assert.equal(window.tombstones, 1);
  window.dropTombstones();
  assert.equal(window.used, 1);
  // The slot that stays taken is skipped, however often the numbers come around.
  for (let i = 0; i < 100; i++) {
    const slot = window.claim();
    assert.notEqual(slot, slots[2]);
    window.release(slot);
  }
  assert.equal(window.find(1), slots[2]);
});

test("any order of answers and timeouts leaves the window as a plain map would", () => {
  const step = fc.constantFrom("claim", "answer", "bury", "number");
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      fc.array(fc.tuple(step, fc.nat()), { maxLength: 300 }),
      (limit, nearWrap, steps) => {
        const window = new Window(limit);
        window.reset(nearWrap ? LAST - 7 : 1);
        const open = new Map<number, "written" | "tombstone">();
        for (const [kind, n] of steps) {
          const numbers = [...open.keys()];
          const chosen = numbers[n % Math.max(1, numbers.length)];
          if (kind === "claim" && window.used < limit) {
            const number = window.sequenceNumberOf(window.claim());
            assert.ok(number >= 1 && number <= LAST && !open.has(number));
            open.set(number, "written");
          } else if (kind === "number") {
            assert.ok(!open.has(window.takeSequenceNumber()));
          } else if (kind === "answer" && chosen !== undefined) {
            window.release(window.find(chosen));
            open.delete(chosen);
          } else if (kind === "bury" && open.get(chosen ?? 0) === "written") {
            window.bury(window.find(chosen!));
            open.set(chosen!, "tombstone");
          }
          const written = [...open].filter(([, state]) => state === "written");
          const oldest = window.oldestWritten();
          assert.equal(window.used, open.size);
          assert.equal(window.tombstones, open.size - written.length);
          if (oldest === NO_SLOT) assert.equal(written.length, 0);
          else assert.equal(window.sequenceNumberOf(oldest), written[0]?.[0]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("a session that starts at 0x7FFFFFF0 matches every answer over the wrap", () => {
  const world = new World({ links: [{ windowMax: 100 }], sequenceNumberFirst: 0x7ffffff0 });
  let held: (() => void)[] = [];
  world.smsc.onSubmit = (pdu, socket) => {
    held.push(() => socket.answer(pdu, `id-${pdu.sequenceNumber}`));
    return null;
  };
  world.bindAll();
  for (let i = 0; i < 250; i++) world.submit();
  world.runUntil(() => {
    // One in ten stays unanswered for long.
    const due = held.filter((_, i) => i % 10 !== 0 || held.length < 20);
    held = held.filter((answer) => !due.includes(answer));
    for (const answer of due) answer();
    return world.answers().length === 250;
  }, 20_000);
  const numbers = world.smsc.submits().map((pdu) => pdu.sequenceNumber);
  assert.ok(numbers.every((number) => number >= 1 && number <= LAST));
  assert.ok(numbers.includes(LAST) && numbers.includes(1));
  assert.equal(world.counter("answersUnmatched"), 0);
  assert.equal(new Set(world.answers().map((answer) => answer.smscId)).size, 250);
});
