import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FRESH_CREDITS, type LinkDirectory } from "../../../src/dispatch/dispatcher.ts";
import { FLAG_MAYBE_DUP } from "../../../src/records/attempt.ts";
import {
  HAND_OVER_BYTES,
  PARTS_ALL,
  SUBMIT_REFERENCE_TYPE,
  SUBMIT_TYPE,
} from "../../../src/records/hand-over.ts";
import { recordMemory } from "../../../src/records/memory.ts";
import { Fixture, type Seen } from "./fixture.ts";

const offsets = (seen: readonly Seen[]): number[] => seen.map((one) => one.logOffset);

test("a message with credits goes out at once, with its body", () => {
  const fixture = new Fixture();
  fixture.grant(0, 0, 2, 1);
  const memory = recordMemory(Uint8Array.from({ length: 64 }, (_, i) => i));
  const entry = fixture.entry({ logOffset: 4096, priority: 2, appIndex: 0 });
  assert.equal(fixture.dispatcher.submit(entry, memory, 8, 21), true);
  assert.equal(fixture.drain().length, 0, "invisible until doWork");
  fixture.dispatcher.doWork(0);
  const [seen, ...rest] = fixture.drain();
  assert.equal(rest.length, 0);
  assert.ok(seen);
  assert.equal(seen.type, SUBMIT_TYPE);
  assert.equal(seen.lengthBytes, HAND_OVER_BYTES + 21);
  assert.deepEqual([...seen.body], [...memory.bytes.subarray(8, 29)]);
  assert.equal(seen.logOffset, 4096);
  assert.equal(seen.parts, PARTS_ALL);
  assert.equal(seen.attempt, 1);
  assert.equal(fixture.dispatcher.waitingCount, 0);
  assert.equal(fixture.dispatcher.creditsLeft(0, 0, 2), 0);
});

test("without credits it waits, and goes out by reference with its attributes", () => {
  const fixture = new Fixture({ apps: 3 });
  const unusual = { attempt: 4, parts: 0b101, flags: FLAG_MAYBE_DUP };
  fixture.submit({ logOffset: 8, priority: 1, appIndex: 2 });
  fixture.submit({ logOffset: 16, priority: 1, appIndex: 2, ...unusual });
  fixture.dispatcher.doWork(0);
  assert.equal(fixture.drain().length, 0);
  assert.equal(fixture.dispatcher.waitingCount, 2);
  fixture.grant(0, 0, 1, 5);
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.deepEqual(offsets(seen), [8, 16]);
  assert.ok(seen.every((one) => one.type === SUBMIT_REFERENCE_TYPE && one.appIndex === 2));
  assert.ok(seen.every((one) => one.lengthBytes === HAND_OVER_BYTES && one.priority === 1));
  assert.deepEqual([seen[0]?.attempt, seen[0]?.parts, seen[0]?.flags], [1, PARTS_ALL, 0]);
  assert.deepEqual([seen[1]?.attempt, seen[1]?.parts, seen[1]?.flags], [4, 0b101, FLAG_MAYBE_DUP]);
  assert.equal(fixture.dispatcher.waitingCount, 0);
});

test("nobody overtakes those who wait in the same pool and priority", () => {
  const fixture = new Fixture();
  fixture.submit({ logOffset: 8 });
  fixture.grant(0, 0, 0, 2);
  fixture.submit({ logOffset: 16 });
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [8, 16]);
});

test("apps share a lane in turns, however many messages one of them has", () => {
  const fixture = new Fixture({ apps: 5 });
  for (let i = 0; i < 10_000; i++) fixture.submit({ logOffset: 8 * i, appIndex: 1 });
  for (let i = 0; i < 40; i++) fixture.submit({ logOffset: 1e6 + 8 * i, appIndex: 3 });
  for (let i = 0; i < 40; i++) fixture.submit({ logOffset: 2e6 + 8 * i, appIndex: 4 });
  fixture.grant(0, 0, 0, FRESH_CREDITS + 120);
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.equal(seen.length, 120);
  for (const app of [1, 3, 4]) {
    const own = seen.filter((one) => one.appIndex === app);
    assert.equal(own.length, 40);
    assert.deepEqual(
      offsets(own),
      offsets(own).toSorted((a, b) => a - b),
    );
  }
});

test("an app that comes late waits for no backlog", () => {
  const apps = 12;
  const fixture = new Fixture({ apps });
  for (let i = 0; i < 1000; i++) {
    for (let app = 0; app < 10; app++) {
      fixture.submit({ logOffset: 8 * (10 * i + app), appIndex: app });
    }
  }
  // Everybody is in the round, and app 0 amid its turn.
  fixture.grant(0, 0, 0, FRESH_CREDITS + 80 + 3);
  fixture.dispatcher.doWork(0);
  fixture.drain();
  for (let i = 0; i < 3; i++) fixture.submit({ logOffset: 1e6 + 8 * i, appIndex: 10 });
  fixture.submit({ logOffset: 2e6, appIndex: 11 });
  fixture.grant(0, 0, 0, 4 + 5 + 8);
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.deepEqual(
    offsets(seen).slice(0, 4),
    [1e6, 2e6, 1e6 + 8, 1e6 + 16],
    "those who are new first, a message a turn",
  );
  const rest = seen.slice(4).map(({ appIndex }) => appIndex);
  assert.deepEqual(rest, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], "turns go on where they were");
});

test("a backlog leaves some credits to apps that come anew", () => {
  const fixture = new Fixture({ apps: 3 });
  for (let i = 0; i < 100; i++) fixture.submit({ logOffset: 8 * i, appIndex: 1 });
  // It is new itself, for a turn.
  fixture.grant(0, 0, 0, 8 + FRESH_CREDITS + 10);
  fixture.dispatcher.doWork(0);
  assert.equal(fixture.drain().length, 8 + 10);
  assert.equal(fixture.dispatcher.creditsLeft(0, 0, 0), FRESH_CREDITS);
  for (let i = 0; i <= FRESH_CREDITS; i++) fixture.submit({ logOffset: 1e6 + 8 * i, appIndex: 2 });
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.ok(seen.every(({ appIndex }) => appIndex === 2));
  assert.equal(seen.length, FRESH_CREDITS);
  assert.equal(fixture.dispatcher.creditsLeft(0, 0, 0), 0);
  assert.equal(fixture.dispatcher.waitingCount, 100 - 18 + 1);
});

test("an app is new once a round: coming again and again with one message gains nothing", () => {
  const fixture = new Fixture({ apps: 5 });
  for (let i = 0; i < 1000; i++) {
    for (let app = 0; app < 4; app++) {
      fixture.submit({ logOffset: 8 * (4 * i + app), appIndex: app });
    }
  }
  fixture.grant(0, 0, 0, 4 * 8);
  fixture.dispatcher.doWork(0);
  fixture.drain();
  const taken = new Int32Array(5);
  let own = 0;
  for (let i = 0; i < 1000; i++) {
    // It has one message waiting at any time, never two.
    if (taken[4] === own) fixture.submit({ logOffset: 1e6 + 8 * own++, appIndex: 4 });
    fixture.grant(0, 0, 0, 1);
    fixture.dispatcher.doWork(0);
    for (const { appIndex } of fixture.drain()) taken[appIndex] = (taken[appIndex] as number) + 1;
  }
  const others = [...taken.subarray(0, 4)];
  const told = taken.join(", ");
  assert.ok(Math.max(...others) - Math.min(...others) <= 8, `fair among the others: ${told}`);
  const share = taken[4] as number;
  assert.ok(share >= 1000 / 33, `once a round at least: ${told}`);
  assert.ok(share <= Math.min(...others), `no more than one with a backlog: ${told}`);
});

test("when nobody waits any more, everybody is new again", () => {
  const fixture = new Fixture({ apps: 3 });
  fixture.submit({ logOffset: 8, appIndex: 1 });
  fixture.submit({ logOffset: 16, appIndex: 2 });
  fixture.grant(0, 0, 0, 2);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [8, 16]);
  for (let i = 0; i < 100; i++) fixture.submit({ logOffset: 1000 + 8 * i, appIndex: 0 });
  fixture.grant(0, 0, 0, 20);
  fixture.dispatcher.doWork(0);
  fixture.drain();
  fixture.submit({ logOffset: 8000, appIndex: 1 });
  fixture.grant(0, 0, 0, 1);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [8000]);
});

test("higher priorities go first, and every 16th pick is for the lowest", () => {
  const fixture = new Fixture();
  for (let i = 0; i < 200; i++) {
    for (let priority = 0; priority < 4; priority++) {
      fixture.submit({ logOffset: 8 * i, priority });
    }
  }
  for (let priority = 0; priority < 4; priority++) fixture.grant(0, 0, priority, 1000);
  fixture.dispatcher.doWork(0);
  const order = fixture.drain().map((one) => one.priority);
  assert.equal(order.length, 800);
  const first = order.slice(0, 160);
  assert.equal(first.filter((priority) => priority === 0).length, 10);
  assert.equal(first.filter((priority) => priority === 3).length, 150);
});

test("a priority without credits does not stop the others", () => {
  const fixture = new Fixture();
  fixture.submit({ logOffset: 8, priority: 3 });
  fixture.submit({ logOffset: 16, priority: 1 });
  fixture.grant(0, 0, 1, 1);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [16]);
});

test("workers are chosen by weight among those with credits", () => {
  const fixture = new Fixture({ workers: 3 });
  for (let worker = 0; worker < 3; worker++) fixture.grant(worker, 0, 0, 700);
  fixture.credits.setWeight(0, 0, 5);
  fixture.credits.setWeight(1, 0, 2);
  fixture.credits.setWeight(2, 0, 0);
  for (let i = 0; i < 700; i++) fixture.submit({ logOffset: 8 * i });
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.equal(seen.filter((one) => one.worker === 0).length, 500);
  assert.equal(seen.filter((one) => one.worker === 1).length, 200);
  assert.deepEqual(fixture.rings, [1, 1, 0], "one ring a worker and call");
});

test("credits are never exceeded, nothing is lost or doubled, over any course of events", () => {
  const event = fc.oneof(
    fc.record({ kind: fc.constant("submit" as const), lane: fc.nat(7), app: fc.nat(2) }),
    fc.record({ kind: fc.constant("grant" as const), lane: fc.nat(7), count: fc.nat(5) }),
    fc.record({ kind: fc.constant("return" as const), count: fc.nat(4) }),
    fc.record({ kind: fc.constant("work" as const) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 200 }), fc.boolean(), (events, pinned) => {
      const fixture = new Fixture({ workers: 2, pools: 2, apps: 3 });
      const granted = new Map<string, number>();
      const published = new Map<string, number>();
      const atWorker: Seen[] = [];
      let nextOffset = 0;
      let now = 0;
      const settle = (): void => {
        fixture.dispatcher.doWork(now);
        for (const seen of fixture.drain()) {
          const cell = `${seen.worker} ${seen.poolIndex} ${seen.priority}`;
          published.set(cell, (published.get(cell) ?? 0) + 1);
          assert.ok((published.get(cell) ?? 0) <= (granted.get(cell) ?? 0), "over its credits");
          atWorker.push(seen);
        }
      };
      for (const step of events) {
        now += 40;
        if (step.kind === "submit") {
          const lane = { poolIndex: step.lane & 1, priority: step.lane >> 1 };
          const linkId = pinned && nextOffset % 3 === 0 ? 7 : 0;
          fixture.submit({ logOffset: nextOffset, appIndex: step.app, linkId, ...lane });
          nextOffset += 8;
        } else if (step.kind === "grant") {
          const worker = step.count & 1;
          const [pool, priority] = [step.lane & 1, step.lane >> 1];
          const cell = `${worker} ${pool} ${priority}`;
          granted.set(cell, (granted.get(cell) ?? 0) + step.count);
          fixture.grant(worker, pool, priority, step.count);
        } else if (step.kind === "return") {
          for (const seen of atWorker.splice(0, step.count)) fixture.giveBack(seen.worker, seen);
        } else settle();
      }
      settle();
      assert.equal(fixture.dispatcher.waitingCount + atWorker.length, nextOffset / 8);
      for (let worker = 0; worker < 2; worker++) {
        for (let lane = 0; lane < 8; lane++) fixture.grant(worker, lane & 1, lane >> 1, 1000);
      }
      granted.clear();
      now += 1000;
      fixture.dispatcher.doWork(now);
      const all = [...atWorker, ...fixture.drain()];
      assert.equal(new Set(offsets(all)).size, nextOffset / 8);
      assert.equal(all.length, nextOffset / 8);
      assert.equal(fixture.dispatcher.waitingCount, 0);
    }),
    { numRuns: 300 },
  );
});

test("returned messages keep their place and order", () => {
  const fixture = new Fixture();
  fixture.grant(0, 0, 0, 3);
  for (let i = 0; i < 5; i++) fixture.submit({ logOffset: 8 * i });
  fixture.dispatcher.doWork(0);
  const seen = fixture.drain();
  assert.deepEqual(offsets(seen), [0, 8, 16]);
  for (const one of seen) fixture.giveBack(0, one);
  fixture.dispatcher.doWork(0);
  assert.equal(fixture.dispatcher.waitingCount, 5);
  fixture.grant(0, 0, 0, 10);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [0, 8, 16, 24, 32]);
  assert.equal(fixture.dispatcher.returnedCount, 3);
});

/** Pool 0 has link 7 (index 1). */
const LINK_7: LinkDirectory = {
  linkIndexOf: (poolIndex, linkId) => (poolIndex === 0 && linkId === 7 ? 1 : -1),
};

test("a message of one link waits until that link is open somewhere, and does not circle", () => {
  const fixture = new Fixture({ workers: 2, links: LINK_7 });
  fixture.grant(0, 0, 0, 100);
  fixture.grant(1, 0, 0, 100);
  fixture.submit({ logOffset: 8, linkId: 7, parts: 2 });
  for (let now = 0; now < 10_000; now += 50) {
    fixture.dispatcher.doWork(now);
    assert.equal(fixture.drain().length, 0);
    assert.equal(fixture.dispatcher.waitingCount, 1);
  }
  fixture.submit({ logOffset: 16 });
  fixture.dispatcher.doWork(10_000);
  assert.deepEqual(offsets(fixture.drain()), [16], "the pool lives on");
  fixture.credits.setOpenSessions(1, 1, 2);
  fixture.dispatcher.doWork(10_001);
  const [seen] = fixture.drain();
  assert.deepEqual([seen?.worker, seen?.linkId, seen?.parts], [1, 7, 2]);
  fixture.credits.setOpenSessions(1, 1, 0);
  fixture.giveBack(1, seen as Seen);
  for (let now = 10_002; now < 20_000; now += 50) {
    fixture.dispatcher.doWork(now);
    assert.equal(fixture.drain().length, 0);
  }
  assert.equal(fixture.dispatcher.returnedCount, 1);
  fixture.credits.setOpenSessions(0, 1, 1);
  fixture.dispatcher.doWork(20_000);
  assert.equal(fixture.drain()[0]?.worker, 0);
});

test("what waits for a dead link ends with its validity", () => {
  const ended: number[] = [];
  const owner = {
    waitsSince: () => 0,
    isWanted: () => true,
    expire: (logOffset: number, wallMs: number) => {
      if (wallMs < 5000) return 5000;
      ended.push(logOffset);
      return 0;
    },
  };
  const fixture = new Fixture({ links: LINK_7, owner });
  for (let i = 0; i < 100; i++) {
    fixture.submit({ logOffset: 8 * i, linkId: 7, attempt: 2, expiresAtMs: 5000 });
  }
  for (let now = 0; now < 10_000; now += 100) fixture.dispatcher.doWork(now);
  assert.equal(ended.length, 100);
  assert.equal(fixture.dispatcher.waitingCount, 0);
});

test("a link that its pool no longer has binds no more: the message goes first, by any", () => {
  const fixture = new Fixture({ links: LINK_7 });
  fixture.submit({ logOffset: 800 });
  fixture.submit({ logOffset: 8, linkId: 7, parts: 2, attempt: 3 });
  fixture.submit({ logOffset: 16, linkId: 7, parts: 4 });
  fixture.dispatcher.reload({ linkIndexOf: () => -1 });
  fixture.grant(0, 0, 0, 100);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(
    fixture
      .drain()
      .map(({ logOffset, linkId, parts, attempt }) => [logOffset, linkId, parts, attempt]),
    [
      [8, 0, 2, 3],
      [16, 0, 4, 1],
      [800, 0, PARTS_ALL, 1],
    ],
  );
});

test("parts of a message that wait for two links keep what each was told", () => {
  const linkIds = [6, 7];
  const fixture = new Fixture({ links: { linkIndexOf: (_, linkId) => linkIds.indexOf(linkId) } });
  fixture.grant(0, 0, 0, 100);
  fixture.submit({ logOffset: 8, linkId: 7, parts: 2, attempt: 2 });
  fixture.submit({ logOffset: 8, linkId: 6, parts: 1, attempt: 3 });
  const next = (linkIndex: number): unknown => {
    fixture.credits.setOpenSessions(0, linkIndex, 1);
    fixture.dispatcher.doWork(0);
    return fixture.drain().map(({ linkId, parts, attempt }) => [linkId, parts, attempt]);
  };
  assert.deepEqual(next(0), [[6, 1, 3]]);
  assert.deepEqual(next(1), [[7, 2, 2]]);
});

test("waiting is bounded, and returns are always taken back", () => {
  const fixture = new Fixture({ waitingMax: 10 });
  fixture.grant(0, 0, 1, 1);
  fixture.submit({ logOffset: 1e6, priority: 1 });
  for (let i = 0; i < 10; i++) assert.equal(fixture.submit({ logOffset: 8 * i }), true);
  assert.equal(fixture.dispatcher.isFull(), true);
  assert.equal(fixture.submit({ logOffset: 800 }), false);
  assert.equal(fixture.dispatcher.waitingCount, 10);
  fixture.dispatcher.doWork(0);
  fixture.giveBack(0, fixture.drain()[0] as Seen);
  fixture.dispatcher.doWork(0);
  assert.equal(fixture.dispatcher.waitingCount, 11);
});

test("a full submit ring leaves messages waiting, and they go when there is room", () => {
  const fixture = new Fixture({ ringBytes: 16_384 });
  fixture.grant(0, 0, 0, 10_000);
  for (let i = 0; i < 2000; i++) fixture.submit({ logOffset: 8 * i });
  const seen: number[] = [];
  for (let i = 0; i < 10; i++) {
    fixture.dispatcher.doWork(0);
    seen.push(...offsets(fixture.drain()));
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 2000 }, (_, i) => 8 * i),
  );
});

test("unwanted messages are dropped when their turn comes", () => {
  const unwanted = new Set([8, 24]);
  const owner = {
    waitsSince: () => 0,
    isWanted: (logOffset: number) => !unwanted.has(logOffset),
    expire: () => Number.MAX_SAFE_INTEGER,
  };
  const fixture = new Fixture({ owner });
  for (let i = 0; i < 5; i++) fixture.submit({ logOffset: 8 * i, attempt: 2 });
  fixture.grant(0, 0, 0, 100);
  fixture.dispatcher.doWork(0);
  assert.deepEqual(offsets(fixture.drain()), [0, 16, 32]);
  assert.equal(fixture.dispatcher.waitingCount, 0);
});

test("expired messages are asked about and dropped, in bounded steps", () => {
  const expiries = new Map<number, number>();
  let asked = 0;
  const owner = {
    waitsSince: () => 0,
    isWanted: () => true,
    expire(logOffset: number, wallMs: number): number {
      asked++;
      const expiresAtMs = expiries.get(logOffset) as number;
      return expiresAtMs <= wallMs ? 0 : expiresAtMs;
    },
  };
  const fixture = new Fixture({ owner, apps: 2 });
  for (let i = 0; i < 3000; i++) {
    const expiresAtMs = i % 3 === 0 ? 5000 : 1e9;
    expiries.set(8 * i, expiresAtMs);
    fixture.submit({ logOffset: 8 * i, appIndex: i & 1, expiresAtMs, attempt: 1 + (i & 1) });
  }
  for (let now = 0; now < 5000; now += 500) fixture.dispatcher.doWork(now);
  assert.equal(asked, 0);
  let calls = 0;
  for (let now = 5000; fixture.dispatcher.waitingCount > 2000; now += 20, calls++) {
    const before = asked;
    fixture.dispatcher.doWork(now);
    assert.ok(asked - before <= 2048, "one call asks about a bounded number");
    assert.ok(calls < 100);
  }
  assert.equal(fixture.dispatcher.waitingCount, 2000);
  const before = asked;
  for (let now = 8000; now < 20_000; now += 100) fixture.dispatcher.doWork(now);
  assert.equal(asked, before, "chunks know their lowest expiry again");
  fixture.grant(0, 0, 0, 5000);
  for (let i = 0; i < 5; i++) fixture.dispatcher.doWork(20_000);
  const seen = offsets(fixture.drain());
  assert.equal(seen.length, 2000);
  assert.ok(seen.every((offset) => (offset / 8) % 3 !== 0));
});

test("a returned message, whose validity is not known, is asked about", () => {
  const owner = {
    waitsSince: () => 0,
    isWanted: () => true,
    expire: (_: number, now: number) => (now > 5000 ? 0 : 9e9),
  };
  const fixture = new Fixture({ owner });
  fixture.grant(0, 0, 0, 1);
  fixture.submit({ logOffset: 8, expiresAtMs: 5000 });
  fixture.dispatcher.doWork(0);
  fixture.giveBack(0, fixture.drain()[0] as Seen);
  fixture.dispatcher.doWork(6000);
  assert.equal(fixture.dispatcher.waitingCount, 0);
});

test("a million waiting messages cost 8 bytes each, many apps with few not much more", () => {
  const fixture = new Fixture({ apps: 1000, waitingMax: 2_000_000 });
  const before = process.memoryUsage().arrayBuffers;
  const one = fixture.entry({});
  for (let i = 0; i < 1_000_000; i++) {
    one.logOffset = 8 * i;
    one.priority = i % 4;
    one.appIndex = i % 7;
    fixture.dispatcher.submit(one, null, 0, 0);
  }
  const afterMillion = process.memoryUsage().arrayBuffers;
  assert.ok(afterMillion - before < 9e6, `${afterMillion - before} bytes for a million`);
  for (let i = 0; i < 4000; i++) {
    one.logOffset = 1e9 + 8 * i;
    one.priority = i % 4;
    one.appIndex = i >> 2;
    fixture.dispatcher.submit(one, null, 0, 0);
  }
  const grown = process.memoryUsage().arrayBuffers - afterMillion;
  assert.ok(grown < 3e6, `${grown} bytes for 4,000 FIFOs with one message`);
  assert.equal(fixture.dispatcher.waitingCount, 1_004_000);
});

test("depth and age are shown by pool and priority, the age of the oldest of all apps", () => {
  const asked: number[] = [];
  const rig = new Fixture({
    apps: 2,
    owner: {
      isWanted: () => true,
      expire: () => Number.MAX_SAFE_INTEGER,
      waitsSince: (logOffset) => {
        asked.push(logOffset);
        return 1000 * logOffset;
      },
    },
  });
  rig.submit({ logOffset: 80, priority: 1, appIndex: 0 });
  rig.submit({ logOffset: 16, priority: 1, appIndex: 1 });
  rig.submit({ logOffset: 24, priority: 1, appIndex: 1 });
  rig.submit({ logOffset: 8, priority: 3, appIndex: 0 });
  rig.dispatcher.doWork(5000);
  assert.deepEqual([rig.queues.depth(0, 1), rig.queues.sinceMs(0, 1)], [3, 16_000]);
  assert.deepEqual([rig.queues.depth(0, 3), rig.queues.sinceMs(0, 3)], [1, 8000]);
  rig.dispatcher.doWork(6100);
  assert.deepEqual([rig.queues.depth(0, 1), rig.queues.sinceMs(0, 1)], [3, 16_000]);
  assert.deepEqual(asked, [16, 8], "what stays the oldest is read once");
  rig.grant(0, 0, 1, 3);
  rig.grant(0, 0, 3, 3);
  rig.dispatcher.doWork(6140);
  rig.dispatcher.doWork(6200);
  assert.deepEqual([rig.queues.depth(0, 1), rig.queues.sinceMs(0, 1)], [0, 0]);
  assert.equal(asked.length, 2, "read once a second at most");
});
