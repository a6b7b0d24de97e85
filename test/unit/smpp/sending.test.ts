import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { Outcome } from "../../../src/records/attempt.ts";
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
