import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { Concluded, Verdict } from "../../../src/records/concluded.ts";
import { DlrMode, RecordType } from "../../../src/records/types.ts";
import { LinkWord, SessionWord } from "../../../src/tables/link-table.ts";
import { decodeSubmit } from "./fake-smsc.ts";
import { World } from "./world.ts";

test("a message goes out after its SENDING is committed, and its answer is recorded", () => {
  const world = new World();
  world.smsc.onSubmit = () => "smsc-1";
  world.bindAll();
  world.isJournalHeld = true;
  const { sequence } = world.submit({ text: "hello", appIndex: 3 });
  world.run(50);
  assert.equal(world.smsc.submits().length, 0, "nothing is written before the commit");
  assert.equal(world.linkWord(0, LinkWord.PREPARED), 1);
  world.isJournalHeld = false;
  world.runUntil(() => world.answers().length === 1);
  const [submit] = world.smsc.submits();
  assert.ok(submit);
  assert.deepEqual(decodeSubmit(submit), {
    to: "447700900123",
    from: "ACME",
    sourceTon: 5,
    sourceNpi: 0,
    destTon: 1,
    destNpi: 1,
    esmClass: 0,
    protocolId: 0,
    priorityFlag: 1,
    dataCoding: 0,
    registeredDelivery: 1,
    validity: "000000010000000R",
    shortMessage: new Uint8Array(Buffer.from("hello")),
  });
  const [sending, answer] = world.attempts(sequence);
  assert.equal(sending?.type, "SENDING");
  assert.equal(sending?.linkId, 100);
  assert.equal(sending?.attempt, 1);
  assert.equal(answer?.outcome, Outcome.ACCEPTED);
  assert.equal(answer?.smscId, "smsc-1");
  assert.equal(world.linkWord(0, LinkWord.PREPARED), 0);
  assert.equal(world.linkWord(0, LinkWord.WRITTEN), 1);
  world.run(5);
  assert.equal(world.sessionWord(0, SessionWord.WINDOW_USED), 0);
  assert.equal(world.worker.messageCount, 0);
  assert.equal(world.counter("segmentsSent"), 1);
  assert.equal(world.counter("segmentsAccepted"), 1);
});

test("the bind carries the link's credentials", () => {
  const world = new World({ links: [{ systemId: "us", password: "longer-than-8" }] });
  world.bindAll();
  const [bind] = world.smsc.last().of(COMMAND_ID.bind_transceiver);
  const text = Buffer.from(bind!.bytes).toString("latin1");
  assert.equal(text.slice(16, 33), "us\0longer-than-8\0");
  assert.equal(bind!.bytes[34], 0x34);
});

test("parts carry an 8-bit concatenation header and go in order on one session", () => {
  const world = new World({ links: [{ sessions: 3 }] });
  world.bindAll();
  const parts = ["first ", "second ", "third"].map((text) => Buffer.from(text, "latin1"));
  for (let i = 0; i < 5; i++)
    world.submit({ parts, concatReference: 0x3a7, flags: FLAG_MAYBE_DUP });
  world.runUntil(() => world.smsc.submits().length === 15);
  for (const socket of world.smsc.sockets) {
    const texts = socket.submits().map((pdu) => decodeSubmit(pdu).shortMessage);
    assert.equal(texts.length % 3, 0);
    texts.forEach((text, i) => {
      assert.deepEqual([...text.subarray(0, 6)], [5, 0, 3, 0xa7, 3, (i % 3) + 1]);
      assert.deepEqual(text.subarray(6), new Uint8Array(parts[i % 3]!));
    });
  }
  assert.equal(decodeSubmit(world.smsc.submits()[0]!).esmClass, 0x40);
});

test("a binary message keeps its own UDH, merged with the concatenation header", () => {
  const world = new World();
  world.bindAll();
  const udh = Uint8Array.from([6, 5, 4, 0x0b, 0x84, 0x23, 0xf0]);
  const parts = [Uint8Array.from([1, 2]), Uint8Array.from([3])];
  world.submit({ udh, parts: [parts[0]!], dataCoding: 4 });
  world.submit({ udh, parts, dataCoding: 4, concatReference: 9, flags: FLAG_MAYBE_DUP });
  world.runUntil(() => world.smsc.submits().length === 3);
  const [one, first, second] = world.smsc.submits().map(decodeSubmit);
  assert.deepEqual([...one!.shortMessage], [...udh, 1, 2]);
  assert.equal(one!.esmClass, 0x40);
  assert.deepEqual(
    [...first!.shortMessage],
    [11, 0, 3, 9, 2, 1, 5, 4, 0x0b, 0x84, 0x23, 0xf0, 1, 2],
  );
  assert.deepEqual([...second!.shortMessage], [11, 0, 3, 9, 2, 2, 5, 4, 0x0b, 0x84, 0x23, 0xf0, 3]);
});

test("fields of the record reach the PDU", () => {
  const world = new World();
  world.bindAll();
  const validFor = (ms: number): number => world.clock.wallMs() + ms;
  world.submit({ dlr: DlrMode.NONE, priority: 3, expiresAt: validFor(90_500) });
  world.submit({ dlr: DlrMode.ALL, priority: 0, expiresAt: validFor(9 * 86_400_000) });
  world.submit({ sourceTonNpi: 0x31, from: "88600", dataCoding: 8, esmClass: 3, protocolId: 0x40 });
  world.runUntil(() => world.smsc.submits().length === 3);
  const submits = world.smsc.submits().map(decodeSubmit);
  const urgent = submits.find((submit) => submit.priorityFlag === 3)!;
  assert.equal(urgent.registeredDelivery, 0);
  assert.match(urgent.validity, /^00000000013[01]000R$/);
  const slow = submits.find((submit) => submit.priorityFlag === 0)!;
  assert.equal(slow.registeredDelivery, 0x11);
  assert.equal(slow.validity, "000002000000000R");
  const short = submits.find((submit) => submit.priorityFlag === 1)!;
  assert.deepEqual(
    [short.sourceTon, short.sourceNpi, short.from, short.dataCoding, short.esmClass],
    [3, 0, "88600", 8, 3],
  );
  assert.equal(short.protocolId, 0x40);
});

test("a reference is read from the log, and a long record finds room", () => {
  const world = new World();
  world.smsc.onSubmit = () => "x";
  world.bindAll();
  world.submit({ asReference: true, text: "by reference" });
  const part = Buffer.alloc(140, 0x41);
  world.submit({ parts: [part, part, part, part, part, part], reference: "r".repeat(200) });
  world.runUntil(() => world.answers().length === 7);
  const texts = world.smsc.submits().map((pdu) => decodeSubmit(pdu).shortMessage);
  assert.equal(Buffer.from(texts[0]!).toString(), "by reference");
  assert.equal(Buffer.from(texts[6]!.subarray(6)).toString(), part.toString());
  assert.equal(world.worker.messageCount, 0);
});

test("a reference that the log does not give is logged, and nothing stops", () => {
  const world = new World();
  world.bindAll();
  world.journal.missing.add(world.submit({ asReference: true }).logOffset);
  world.submit({ text: "next" });
  world.runUntil(() => world.smsc.submits().length === 1);
  assert.ok(world.logs.some(({ level }) => level === "error"));
  assert.equal(world.worker.messageCount, 0);
});

test("only the parts that a producer names are sent, with its attempt and flags", () => {
  const world = new World();
  world.smsc.onSubmit = () => "x";
  world.bindAll();
  const parts = ["a", "b", "c"].map((text) => Buffer.from(text));
  const { sequence } = world.submit({ parts, partsToSend: 0b101, attempt: 4, flags: 1 });
  world.runUntil(() => world.answers().length === 2);
  for (const record of world.attempts(sequence)) {
    assert.equal(record.attempt, 4);
    assert.equal(record.flags, FLAG_MAYBE_DUP);
    assert.notEqual(record.part, 1);
  }
});

test("what has expired before its SENDING is concluded, also deep in a queue", () => {
  const world = new World({ links: [{ windowMax: 1 }] });
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  const expiresAt = world.clock.wallMs() + 500;
  for (let i = 0; i < 10; i++) world.submit(i === 0 ? {} : { expiresAt });
  world.run(3000);
  const concluded = world.recordsOf(RecordType.CONCLUDED);
  assert.equal(concluded.length, 9);
  assert.equal(concluded[0]!.view.getUint8(Concluded.VERDICT), Verdict.EXPIRED);
  assert.equal(world.smsc.submits().length, 1);
  assert.equal(world.counter("messagesConcluded"), 9);
  assert.equal(world.worker.messageCount, 1);
});

test("what cannot be encoded ends as rejected, never written", () => {
  const world = new World();
  world.smsc.onSubmit = () => "x";
  world.bindAll();
  const { sequence } = world.submit({ from: "a sender that is far too long" });
  world.submit();
  world.runUntil(() => world.answers().length === 2);
  const [answer] = world.answers(sequence);
  assert.equal(answer?.outcome, Outcome.REJECTED);
  assert.equal(answer?.status, NOT_WRITTEN);
  assert.equal(world.smsc.submits().length, 1);
  assert.equal(world.linkWord(0, LinkWord.PREPARED), 0);
  assert.equal(world.worker.messageCount, 0);
});

test("many messages over small windows and several sessions all arrive once", () => {
  const world = new World({ links: [{ sessions: 2, windowMax: 7 }], producers: 2 });
  let turn = 0;
  world.smsc.onSubmit = () => (++turn % 3 === 0 ? null : world.smsc.nextId());
  world.smsc.pieceBytes = 11;
  world.bindAll();
  const expected = 300;
  for (let i = 0; i < expected; i++) world.submit({ producer: i % 2 });
  // A third is answered late, by the test.
  const answered = new Set<number>();
  world.runUntil(() => {
    for (const socket of world.smsc.sockets) {
      for (const pdu of socket.submits()) {
        if (answered.has(pdu.sequenceNumber * 10 + world.smsc.sockets.indexOf(socket))) continue;
        answered.add(pdu.sequenceNumber * 10 + world.smsc.sockets.indexOf(socket));
        socket.answer(pdu, "again");
      }
    }
    return world.answers().length === expected;
  }, 60_000);
  assert.equal(world.smsc.submits().length, expected);
  const texts = new Set(
    world.smsc.submits().map((pdu) => Buffer.from(decodeSubmit(pdu).shortMessage).toString()),
  );
  assert.equal(texts.size, expected);
  assert.ok(world.counter("answersUnmatched") > 0, "the second answer of two thirds");
});
