import assert from "node:assert/strict";
import { test } from "node:test";
import { Admit, ScopeBit } from "../../../src/ingress/admission/admission.ts";
import type { LookupAnswer } from "../../../src/ingress/calls/message-lookup.ts";
import { Counter } from "../../../src/metrics/block.ts";
import { Concluded, CONCLUDED_TYPE, Verdict } from "../../../src/records/concluded.ts";
import { originOf } from "../../../src/records/message-key.ts";
import { RING_EMPTY } from "../../../src/ring/layout.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { ringConsumer } from "../../../src/workers/shared-memory.ts";
import { CollectingTicket, EPOCH, IngressRig } from "./rig.ts";

const BODY = { to: "+998901234567", text: "hello", reference: "r" };

function accept(rig: IngressRig, ticket: CollectingTicket, body: object = BODY): number {
  return rig.ingress.accept(0, body, ScopeBit.SEND, ticket);
}

test("nothing is answered or published before its commit", () => {
  const rig = new IngressRig();
  rig.grant(0, 0, 100);
  const ticket = new CollectingTicket();
  assert.equal(accept(rig, ticket), Admit.STAGED);
  for (let i = 0; i < 5; i++) rig.ingress.doWork();
  assert.equal(ticket.messages.length, 0);
  assert.equal(rig.submitted().length, 0);
  rig.journal.doWork();
  assert.equal(rig.submitted().length, 0);
  rig.ingress.doWork();
  assert.equal(ticket.messages.length, 1);
  assert.equal(ticket.messages[0]?.reference, "r");
  const [logOffset] = rig.submitted();
  const at = rig.loader.load(logOffset as number);
  assert.ok(at >= 0, "the published log offset is that of the ACCEPT");
  assert.equal(rig.metrics.read(Counter.messagesAccepted), 1);
});

test("answers come in order, each to its own ticket", () => {
  const rig = new IngressRig();
  const tickets = Array.from({ length: 200 }, () => new CollectingTicket());
  for (const [i, ticket] of tickets.entries()) {
    assert.equal(accept(rig, ticket, { ...BODY, reference: `r${i}` }), Admit.STAGED);
    if (i % 7 === 0) rig.ingress.doWork();
    if (i % 31 === 0) rig.journal.doWork();
  }
  rig.settle();
  for (const [i, { messages }] of tickets.entries()) {
    assert.equal(messages.length, 1);
    assert.equal(messages[0]?.reference, `r${i}`);
  }
  assert.equal(rig.ingress.dispatcher.waitingCount, 200);
});

test("wake is asked for once per batch", () => {
  let wakes = 0;
  const rig = new IngressRig({
    wake: () => {
      wakes++;
    },
  });
  for (let i = 0; i < 10; i++) accept(rig, new CollectingTicket());
  assert.equal(wakes, 1);
  rig.settle();
  accept(rig, new CollectingTicket());
  assert.equal(wakes, 2);
});

test("calls that wait for their commit are bounded", () => {
  const rig = new IngressRig({ pendingMax: 8 });
  const ticket = new CollectingTicket();
  for (let i = 0; i < 8; i++) assert.equal(accept(rig, ticket), Admit.STAGED);
  assert.equal(accept(rig, ticket), Admit.OVERLOADED);
  assert.equal(rig.ingress.outcome.retryAfterS, 1);
  assert.equal(rig.metrics.read(Counter.messagesRefused), 1);
  rig.settle();
  assert.equal(ticket.messages.length, 8);
  assert.equal(accept(rig, ticket), Admit.STAGED);
});

test("waiting messages are bounded, those on their way counted in", () => {
  const rig = new IngressRig({ waitingMax: 10 });
  const ticket = new CollectingTicket();
  for (let i = 0; i < 10; i++) assert.equal(accept(rig, ticket), Admit.STAGED);
  assert.equal(accept(rig, ticket), Admit.OVERLOADED);
  rig.settle();
  assert.equal(ticket.messages.length, 10);
  assert.equal(rig.ingress.dispatcher.waitingCount, 10);
  assert.equal(accept(rig, ticket), Admit.OVERLOADED);
  rig.grant(1, 0, 4);
  rig.settle();
  assert.equal(rig.submitted().length, 4);
  for (let i = 0; i < 4; i++) assert.equal(accept(rig, ticket), Admit.STAGED);
  assert.equal(accept(rig, ticket), Admit.OVERLOADED);
});

test("a waiting message whose validity ends is concluded, once", () => {
  const rig = new IngressRig();
  const ticket = new CollectingTicket();
  accept(rig, ticket, { ...BODY, ttl_s: 10 });
  accept(rig, ticket, { ...BODY, ttl_s: 1000 });
  rig.settle();
  rig.clock.nowMs += 10_500;
  const staged = ringConsumer(rig.memory.staging[0]);
  rig.ingress.doWork();
  assert.equal(rig.ingress.dispatcher.waitingCount, 1);
  const at = staged.next();
  assert.notEqual(at, RING_EMPTY);
  const { view } = staged;
  assert.equal(view.getUint8(at + 4), CONCLUDED_TYPE);
  assert.equal(view.getFloat64(at + Concluded.SEQUENCE, true), ticket.messages[0]?.sequence);
  assert.equal(view.getUint32(at + Concluded.ORIGIN, true), rig.ingress.origin);
  assert.equal(view.getUint8(at + Concluded.VERDICT), Verdict.EXPIRED);
  assert.equal(view.getFloat64(at + Concluded.AT, true), rig.clock.wallMs());
  rig.settle();
  rig.clock.nowMs += 5000;
  rig.settle();
  assert.equal(staged.next(), RING_EMPTY);
  assert.equal(rig.metrics.read(Counter.messagesConcluded), 1);
  rig.grant(0, 0, 5);
  rig.settle();
  assert.equal(rig.submitted().length, 1);
});

test("a drain refuses what is new and answers what is pending", () => {
  const rig = new IngressRig();
  const ticket = new CollectingTicket();
  accept(rig, ticket);
  rig.ingress.drain();
  assert.equal(accept(rig, ticket), Admit.OVERLOADED);
  assert.equal(rig.ingress.isDrained(), false);
  rig.settle();
  assert.equal(ticket.messages.length, 1);
  assert.equal(rig.ingress.isDrained(), true);
});

test("a look-up waits until the ledger has applied the message, within a second", () => {
  let wakeCount = 0;
  const rig = new IngressRig({ wake: () => wakeCount++ });
  const ticket = new CollectingTicket();
  accept(rig, ticket);
  rig.settle();
  const sequence = ticket.messages[0]?.sequence as number;
  const key = { sequence, origin: rig.ingress.origin };
  rig.documents.set(sequence, { status: "queued" });
  const answers: LookupAnswer[] = [];
  const wakes = wakeCount;
  rig.ingress.lookup.find(key, 1, (answer) => answers.push(answer));
  assert.equal(wakeCount, wakes + 1);
  rig.ingress.doWork();
  assert.equal(answers.length, 0);
  assert.equal(rig.ingress.isQuiet(), false, "nobody rings when the ledger has applied it");
  rig.logTable.storeAppliedSequence(0, sequence);
  rig.ingress.doWork();
  assert.deepEqual(answers[0], { status: "queued" });
  rig.ingress.lookup.find(key, 1, (answer) => answers.push(answer));
  assert.equal(answers.length, 2, "applied already: asked at once");
  const later = { sequence: sequence + 1, origin: rig.ingress.origin };
  rig.ingress.lookup.find(later, 1, (answer) => answers.push(answer));
  assert.deepEqual(answers.splice(2), [null], "not staged by anybody");
  rig.logTable.storeStagedSequence(0, sequence + 1);
  rig.ingress.lookup.find(later, 1, (answer) => answers.push(answer));
  rig.clock.nowMs += 999;
  rig.ingress.doWork();
  assert.equal(answers.length, 2);
  rig.clock.nowMs += 1;
  rig.ingress.doWork();
  assert.deepEqual(answers.slice(2), ["late"]);
  assert.equal(rig.ingress.lookup.waitingCount, 0);
});

test("look-ups of other runs and producers", () => {
  const rig = new IngressRig();
  const answers: LookupAnswer[] = [];
  const find = (epoch: number, producer: number): void => {
    const key = { sequence: 5, origin: originOf(epoch, producer) };
    rig.ingress.lookup.find(key, 1, (answer) => answers.push(answer));
  };
  rig.documents.set(5, { id: "five" });
  find(EPOCH + 1, 0);
  find(EPOCH, 2);
  assert.deepEqual(answers.slice(0, 2), [null, null]);
  find(EPOCH - 1, 9);
  find(EPOCH - 1, 0);
  const five = { id: "five" };
  assert.deepEqual(answers.slice(2), [five, five], "an earlier run may have had more producers");
  find(EPOCH, 1);
  assert.equal(answers.at(-1), null, "a producer that has staged nothing");
  rig.logTable.storeStagedSequence(0, 5);
  rig.logTable.store(LogWord.COMMITTED, 4096);
  for (let i = 0; i < 1100; i++) find(EPOCH, 0);
  assert.equal(answers.filter((answer) => answer === "late").length, 1100 - 1024);
});
