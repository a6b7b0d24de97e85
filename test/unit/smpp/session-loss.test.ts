import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS } from "../../../src/codec/index.ts";
import { AmbiguousCause, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { RecordType } from "../../../src/records/types.ts";
import { LinkWord } from "../../../src/tables/link-table.ts";
import { deliverSm } from "./deliver-pdus.ts";
import { decodeSubmit } from "./fake-smsc.ts";
import { World } from "./world.ts";

const TWO_LINKS = {
  links: [{ sessions: 1 }, { sessions: 1 }],
  pools: [
    {
      members: [
        { linkIndex: 0, weight: 1 },
        { linkIndex: 1, weight: 1 },
      ],
    },
  ],
};
const threeParts = ["a", "b", "c"].map((text) => Buffer.from(text));

test("what was written and not answered is ambiguous, once, when the session is lost", () => {
  const world = new World({ links: [{ responseTimeoutMs: 1000 }] });
  world.bindAll();
  const timedOut = world.submit().sequence;
  world.run(1100);
  const answered = world.submit().sequence;
  const lost = [world.submit().sequence, world.submit().sequence];
  world.runUntil(() => world.smsc.submits().length === 4);
  const socket = world.smsc.last();
  socket.answer(world.smsc.submits()[1]!, "ok");
  socket.send(Uint8Array.from([0, 0, 0, 20, 0x80, 0]));
  world.step();
  socket.cut("ECONNRESET");
  world.runUntil(() => world.ambiguous().length === 3);
  world.run(50);
  assert.deepEqual(
    world.ambiguous().map(({ sequence, outcome }) => [sequence, outcome]),
    [
      [timedOut, AmbiguousCause.RESPONSE_TIMEOUT],
      ...lost.map((sequence) => [sequence, AmbiguousCause.SESSION_LOST]),
    ],
  );
  assert.equal(world.answers(answered)[0]?.outcome, Outcome.ACCEPTED);
  assert.equal(world.counter("sessionsLost"), 1);
  assert.equal(world.counter("segmentsAmbiguous"), 3);
});

test("the next connection starts with an empty window, and old answers find nothing", () => {
  const world = new World();
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  const [old] = world.smsc.submits();
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => world.smsc.sockets.length === 2 && world.boundCount() === 1);
  world.smsc.last().answer(old!, "stale");
  world.run(20);
  assert.equal(world.answers().length, 0);
  assert.equal(world.counter("answersUnmatched"), 1);
});

test("what has a SENDING and was not written ends as kept, and goes to another link", () => {
  const world = new World(TWO_LINKS);
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  world.isJournalHeld = true;
  const sequences = [world.submit().sequence, world.submit().sequence];
  world.run(20);
  assert.equal(world.smsc.submits().length, 0);
  world.smsc.last(2775).cut("ECONNRESET");
  world.smsc.greeting = "refuse";
  world.run(20);
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().length === 3);
  const kept = world.answers().filter(({ outcome }) => outcome === Outcome.KEPT);
  assert.equal(kept.length, 1);
  assert.equal(kept[0]!.status, NOT_WRITTEN);
  assert.equal(kept[0]!.linkId, 100);
  const again = world.attempts(kept[0]!.sequence).filter(({ type }) => type === "SENDING");
  assert.deepEqual(
    again.map(({ attempt, linkId }) => [attempt, linkId]),
    [
      [1, 100],
      [2, 101],
    ],
  );
  assert.equal(world.ambiguous().length, 0);
  for (const sequence of sequences) assert.ok(world.answers(sequence).length > 0);
  assert.equal(world.linkWord(0, LinkWord.PREPARED), 0);
  assert.equal(world.linkWord(1, LinkWord.PREPARED), 0);
  world.run(10);
  assert.equal(world.worker.messageCount, 0);
});

test("a return rests on the commit of what the message rests on", () => {
  const world = new World();
  world.bindAll();
  world.isJournalHeld = true;
  const { logOffset } = world.submit({ appIndex: 5 });
  world.run(20);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(20);
  world.journal.commit(); // SENDING
  world.run(20);
  assert.deepEqual(world.takeReturns(), [], "its ANSWER is not committed");
  world.isJournalHeld = false;
  world.run(20);
  assert.equal(world.answers()[0]?.outcome, Outcome.KEPT);
  assert.deepEqual(world.takeReturns(), [
    {
      logOffset,
      poolIndex: 0,
      priority: 1,
      attempt: 2,
      parts: 1,
      flags: 0,
      linkId: 0,
      concatReference: 0,
      appIndex: 5,
    },
  ]);
  assert.equal(world.worker.messageCount, 0);
});

test("the rest of a message follows on another session of the same link", () => {
  // A window of one: part 0 is written, the rest waits.
  const world = new World({
    links: [{ sessions: 2, windowMax: 1 }, {}],
    pools: [
      {
        members: [
          { linkIndex: 0, weight: 1000 },
          { linkIndex: 1, weight: 1 },
        ],
      },
    ],
  });
  world.bindAll();
  const { sequence } = world.submit({ parts: threeParts });
  world.runUntil(() => world.smsc.submits().length === 1);
  const first = world.smsc.sockets.find((socket) => socket.submits().length === 1)!;
  world.smsc.onSubmit = () => "ok";
  world.smsc.greeting = "refuse";
  first.cut("ECONNRESET");
  world.runUntil(() => world.answers().length === 2);
  const other = world.smsc.sockets.find((socket) => socket !== first && socket.port === 2775)!;
  const texts = other.submits().map((pdu) => decodeSubmit(pdu).shortMessage);
  assert.deepEqual(
    texts.map((text) => [text[5], text[6]]),
    [
      [2, 0x62],
      [3, 0x63],
    ],
  );
  assert.deepEqual(
    world.ambiguous(sequence).map(({ part }) => part),
    [0],
  );
  assert.equal(world.worker.messageCount, 0);
});

test("without another session of its link here, the rest goes back bound to the link", () => {
  const world = new World({
    ...TWO_LINKS,
    links: [{ windowMax: 1 }, { windowMax: 1 }],
  });
  world.bindAll();
  const { logOffset } = world.submit({ parts: threeParts, flags: 1, attempt: 2 });
  world.runUntil(() => world.smsc.submits().length === 1);
  const first = world.smsc.sockets.find((socket) => socket.submits().length === 1)!;
  world.smsc.greeting = "refuse";
  first.cut("ECONNRESET");
  world.run(50);
  const [back] = world.takeReturns();
  assert.equal(back?.logOffset, logOffset);
  assert.equal(back?.parts, 0b110);
  assert.equal(back?.linkId, first.port === 2775 ? 100 : 101);
  assert.equal(back?.flags, 1);
  assert.equal(back?.attempt, 2);
});

test("parts prepared but not written come back with those not prepared, in one piece", () => {
  const world = new World({ links: [{ windowMax: 2 }] });
  world.bindAll();
  world.isJournalHeld = true;
  world.submit({ parts: threeParts });
  world.run(20);
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(20);
  assert.deepEqual(world.takeReturns(), []);
  world.isJournalHeld = false;
  world.run(50);
  const back = world.takeReturns();
  assert.equal(back.length, 1);
  assert.equal(back[0]!.parts, 0b111);
  assert.equal(back[0]!.attempt, 2);
  assert.equal(back[0]!.linkId, 0, "nothing of it was written: any link may have it");
  assert.equal(world.worker.messageCount, 0);
});

test("a message bound to another worker's link goes back; a link its pool lacks binds not", () => {
  const world = new World({ ...TWO_LINKS, workers: 2 });
  world.bindAll();
  world.submit({ worker: 0, linkId: 999 });
  world.submit({ worker: 0, linkId: 101 });
  world.submit({ worker: 1, linkId: 101 });
  world.runUntil(() => world.smsc.submits().length === 2);
  assert.equal(world.smsc.last(2776).submits().length, 1);
  assert.deepEqual(
    world.takeReturns().map(({ linkId }) => linkId),
    [101],
  );
});

test("with no room in the staging ring, a lost window and the next dial wait", () => {
  const world = new World({ stagingBytes: 16_384, links: [{ windowMax: 150 }] });
  world.bindAll();
  for (let i = 0; i < 100; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 100);
  const socket = world.smsc.last();
  world.isJournalHeld = true;
  // Receipts that fill the ring.
  for (let i = 0; i < 1000; i++) socket.send(deliverSm(i, 4, `id:${i} stat:DELIVRD`));
  world.run(50);
  assert.ok(socket.isPaused);
  socket.cut("ECONNRESET");
  world.run(5000);
  assert.equal(world.smsc.sockets.length, 1, "no new connection before all is recorded");
  world.isJournalHeld = false;
  world.runUntil(() => world.ambiguous().length === 100);
  world.runUntil(() => world.smsc.sockets.length === 2);
  assert.equal(new Set(world.ambiguous().map(({ sequence }) => sequence)).size, 100);
});

test("throttled parts are kept in order, without their bodies", () => {
  const world = new World({ links: [{ rateTps: 1000 }] });
  const refused = new Set<string>();
  world.smsc.onSubmit = (pdu) => {
    const text = Buffer.from(decodeSubmit(pdu).shortMessage).toString("latin1");
    if (refused.has(text)) return "ok";
    refused.add(text);
    return COMMAND_STATUS.ESME_RTHROTTLED;
  };
  world.bindAll();
  const { sequence } = world.submit({ parts: threeParts });
  world.runUntil(() => world.answers(sequence).length === 6, 30_000);
  const sendings = world.attempts(sequence).filter(({ type }) => type === "SENDING");
  assert.deepEqual(
    sendings.map(({ part, attempt }) => [part, attempt]),
    [
      [0, 1],
      [1, 1],
      [2, 1],
      [0, 2],
      [1, 2],
      [2, 2],
    ],
  );
  assert.equal(world.recordsOf(RecordType.CONCLUDED).length, 0);
  assert.equal(world.worker.messageCount, 0);
});

test("what is ready and waits for a token when its session goes is never written", () => {
  const world = new World({ links: [{ rateTps: 1000 }] });
  world.bindAll();
  for (let i = 0; i < 60; i++) world.submit();
  world.run(8);
  const written = world.smsc.submits().length;
  world.smsc.greeting = "refuse";
  world.smsc.last().cut("ECONNRESET");
  world.run(50);
  const sendings = world.attempts().filter(({ type }) => type === "SENDING").length;
  assert.ok(sendings > written, "some were ahead of their tokens");
  assert.equal(world.ambiguous().length, written);
  assert.equal(world.answers().length, sendings - written);
  assert.ok(world.answers().every(({ status }) => status === NOT_WRITTEN));
  assert.equal(world.takeReturns().length, 60 - written);
  assert.equal(world.linkWord(0, LinkWord.PREPARED), 0);
});

test("a SENDING of an earlier connection is not written on the next one", () => {
  const world = new World({ links: [{ windowMax: 3 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  world.isJournalHeld = true;
  const sequences = [world.submit().sequence, world.submit().sequence];
  world.run(20);
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => world.boundCount() === 0);
  world.runUntil(() => world.boundCount() === 1);
  sequences.push(world.submit().sequence);
  world.run(20);
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().length === 5);
  const ends = (index: number): number[][] =>
    world.answers(sequences[index]).map(({ attempt, outcome }) => [attempt, outcome]);
  for (const index of [0, 1]) {
    assert.deepEqual(ends(index), [
      [1, Outcome.KEPT],
      [2, Outcome.ACCEPTED],
    ]);
  }
  assert.deepEqual(ends(2), [[1, Outcome.ACCEPTED]]);
  assert.equal(world.smsc.submits().length, 3);
});

test("messages that were not written go before those that wait", () => {
  const world = new World({ links: [{ windowMax: 3 }] });
  world.bindAll();
  world.isJournalHeld = true;
  const texts = Array.from({ length: 8 }, (_, i) => `message ${i}`);
  for (const text of texts.slice(0, 3)) world.submit({ text });
  world.run(20);
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => world.boundCount() === 0);
  world.runUntil(() => world.boundCount() === 1);
  // These wait behind a window that the first ones, uncommitted, do not occupy any more.
  world.submit({ text: texts[3]!, parts: [3, 4, 5].map((i) => Buffer.from(texts[i]!)) });
  for (const text of texts.slice(6)) world.submit({ text });
  world.run(20);
  world.smsc.onSubmit = () => "ok";
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().filter((a) => a.outcome === 0).length === 8);
  const order = world.smsc.submits().map((pdu) => {
    const bytes = Buffer.from(decodeSubmit(pdu).shortMessage).toString("latin1");
    return Number(bytes.at(-1));
  });
  assert.deepEqual(order, [3, 4, 5, 0, 1, 2, 6, 7]);
});

test("tombstones of a lost session leave no trace in the next one's window", () => {
  const world = new World({ links: [{ windowMax: 10, responseTimeoutMs: 500 }] });
  world.bindAll();
  for (let i = 0; i < 4; i++) world.submit();
  world.run(1000);
  assert.equal(world.ambiguous().length, 4);
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => world.boundCount() === 0);
  world.runUntil(() => world.boundCount() === 1);
  for (let i = 0; i < 10; i++) world.submit();
  world.run(50);
  assert.equal(world.smsc.last().submits().length, 10);
});
