import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import { SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import { deliverSm } from "./deliver-pdus.ts";
import { World } from "./world.ts";

test("a drain finishes windows, takes nothing more, unbinds and closes", () => {
  const world = new World({ links: [{ sessions: 2, windowMax: 5 }] });
  world.bindAll();
  for (let i = 0; i < 30; i++) world.submit();
  world.run(20);
  assert.equal(world.smsc.submits().length, 10);
  world.worker.drain();
  world.submit();
  world.run(100);
  assert.equal(world.credits.weight(0, 0), 0);
  assert.equal(world.smsc.submits().length, 10);
  assert.equal(world.worker.isDrained(), false);
  for (const socket of world.smsc.sockets) {
    assert.equal(socket.of(COMMAND_ID.unbind).length, 0, "not before its window is empty");
    for (const pdu of socket.submits()) socket.answer(pdu, "ok");
  }
  world.runUntil(() => world.worker.isDrained(), 5000);
  assert.equal(world.answers().length, 10);
  for (const socket of world.smsc.sockets) {
    assert.equal(socket.of(COMMAND_ID.unbind).length, 1);
    assert.ok(socket.isClosed);
  }
  assert.equal(world.sessionWord(0, SessionWord.STATE), SessionState.CLOSED);
  assert.equal(world.takeReturns().length, 0, "the journal has them");
  assert.equal(world.ambiguous().length, 0);
  assert.equal(world.counter("sessionsLost"), 0);
});

test("what has a SENDING when the drain begins is still written", () => {
  const world = new World();
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  world.isJournalHeld = true;
  world.submit();
  world.run(10);
  world.worker.drain();
  world.run(10);
  world.isJournalHeld = false;
  world.runUntil(() => world.worker.isDrained());
  assert.equal(world.answers().length, 1);
  assert.equal(world.answers()[0]?.smscId, "ok");
});

test("receipts on their way are recorded and answered before the unbind", () => {
  const world = new World();
  world.bindAll();
  world.isJournalHeld = true;
  const socket = world.smsc.last();
  socket.send(deliverSm(5, 4, "id:1 stat:DELIVRD"));
  world.run(10);
  world.worker.drain();
  world.run(10);
  world.isJournalHeld = false;
  world.runUntil(() => world.worker.isDrained());
  const kinds = socket.received.map((pdu) => pdu.commandId);
  assert.ok(kinds.indexOf(COMMAND_ID.deliver_sm_resp) < kinds.indexOf(COMMAND_ID.unbind));
});

test("a drain of sessions that are not bound ends at once", () => {
  for (const greeting of ["refuse", "hang"] as const) {
    const world = new World();
    world.smsc.greeting = greeting;
    world.run(50);
    world.worker.drain();
    world.runUntil(() => world.worker.isDrained(), 100);
  }
});

test("a drain waits two seconds for the answer to a bind, and unbinds", () => {
  for (const isAnswered of [true, false]) {
    const world = new World();
    world.smsc.bindStatus = null;
    world.run(50);
    world.worker.drain();
    world.run(1500);
    assert.equal(world.worker.isDrained(), false);
    const [socket] = world.smsc.sockets;
    assert.ok(socket);
    const [bind] = socket.received;
    if (isAnswered) socket.respond(COMMAND_ID.bind_transceiver_resp, 0, bind!.sequenceNumber);
    world.runUntil(() => world.worker.isDrained(), 600);
    assert.equal(socket.of(COMMAND_ID.unbind).length, isAnswered ? 1 : 0);
    world.run(5000);
    assert.equal(world.smsc.sockets.length, 1, "no redial");
  }
});

test("cut short, a drain waits for no bind", () => {
  const world = new World();
  world.smsc.bindStatus = null;
  world.run(50);
  world.worker.drain();
  world.run(50);
  world.worker.cutShort();
  world.runUntil(() => world.worker.isDrained(), 100);
});

test("cut short, the sessions unbind over full windows, which become ambiguous", () => {
  const world = new World();
  world.smsc.answersUnbind = false;
  world.bindAll();
  for (let i = 0; i < 5; i++) world.submit();
  world.run(20);
  world.worker.drain();
  world.run(1000);
  world.worker.cutShort();
  world.run(100);
  // The answer may still come until the peer has answered the unbind.
  world.smsc.last().answer(world.smsc.submits()[0]!, "ok");
  world.runUntil(() => world.worker.isDrained(), 5500);
  assert.equal(world.answers().length, 1);
  assert.equal(world.ambiguous().length, 4);
});
