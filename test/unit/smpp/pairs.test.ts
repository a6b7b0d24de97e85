import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, COMMAND_STATUS } from "../../../src/codec/index.ts";
import { RecordType } from "../../../src/records/types.ts";
import { BindRole, roleAfterRefusal } from "../../../src/smpp/session/bind-role.ts";
import { SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import { deliverSm } from "./deliver-pdus.ts";
import { type FakeSocket, isBind } from "./fake-smsc.ts";
import { World } from "./world.ts";

const PAIR = { links: [{ bind: "transmitter_receiver" as const }] };
const receiverState = (world: World): number => world.sessionWord(0, SessionWord.RECEIVER_STATE);

function pairUp(world: World): void {
  world.runUntil(
    () => world.boundCount() === 1 && receiverState(world) === SessionState.BOUND,
    30_000,
  );
}

/** The last socket that was bound with this command. */
function socketOf(world: World, commandId: number): FakeSocket {
  const found = world.smsc.sockets.findLast((socket) => socket.of(commandId).length > 0);
  assert.ok(found, "no such bind");
  return found;
}

function binds(world: World): number[] {
  return world.smsc.sockets.flatMap(({ received }) =>
    received.filter(({ commandId }) => isBind(commandId)).map(({ commandId }) => commandId),
  );
}

test("a pair is one session: submits on the transmitter, receipts on the receiver", () => {
  const world = new World(PAIR);
  world.smsc.onSubmit = () => "ok";
  pairUp(world);
  assert.equal(world.smsc.sockets.length, 2);
  const transmitter = socketOf(world, COMMAND_ID.bind_transmitter);
  const receiver = socketOf(world, COMMAND_ID.bind_receiver);
  for (let i = 0; i < 20; i++) world.submit();
  world.runUntil(() => world.answers().length === 20);
  assert.equal(transmitter.submits().length, 20);
  assert.equal(receiver.submits().length, 0);
  receiver.send(deliverSm(9, 4, "id:1 stat:DELIVRD err:000"));
  world.run(20);
  assert.equal(world.recordsOf(RecordType.RECEIPT).length, 1);
  assert.deepEqual(
    receiver.of(COMMAND_ID.deliver_sm_resp).map((pdu) => [pdu.commandStatus, pdu.sequenceNumber]),
    [[0, 9]],
  );
  assert.equal(transmitter.of(COMMAND_ID.deliver_sm_resp).length, 0);
});

test("the capacity of a pair is one window", () => {
  const world = new World({ links: [{ bind: "transmitter_receiver", windowMax: 7 }] });
  pairUp(world);
  for (let i = 0; i < 30; i++) world.submit();
  world.run(100);
  assert.equal(world.smsc.submits().length, 7);
});

test("each of a pair is probed, lost and bound again by itself", () => {
  const world = new World({
    links: [{ bind: "transmitter_receiver", enquireLinkIntervalMs: 1000 }],
  });
  pairUp(world);
  world.run(1500);
  const receiver = socketOf(world, COMMAND_ID.bind_receiver);
  const transmitter = socketOf(world, COMMAND_ID.bind_transmitter);
  assert.ok(receiver.of(COMMAND_ID.enquire_link).length > 0);
  assert.ok(transmitter.of(COMMAND_ID.enquire_link).length > 0);
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  receiver.cut("ECONNRESET");
  world.run(20);
  assert.equal(world.boundCount(), 1, "submits go on");
  assert.equal(world.ambiguous().length, 0, "what is in the window is still being answered");
  pairUp(world);
  transmitter.cut("ECONNRESET");
  world.runUntil(() => world.ambiguous().length === 1);
  assert.equal(receiverState(world), SessionState.BOUND, "receipts go on");
  pairUp(world);
  assert.equal(world.smsc.open().length, 2);
});

test("a receipt of a receiver that is gone by its commit gets no response on the next one", () => {
  const world = new World(PAIR);
  pairUp(world);
  world.isJournalHeld = true;
  socketOf(world, COMMAND_ID.bind_receiver).send(deliverSm(5, 4, "id:1 stat:DELIVRD"));
  world.run(10);
  socketOf(world, COMMAND_ID.bind_receiver).cut("ECONNRESET");
  world.run(5);
  pairUp(world);
  world.isJournalHeld = false;
  world.run(20);
  const responses = world.smsc.sockets.flatMap((one) => one.of(COMMAND_ID.deliver_sm_resp));
  assert.equal(responses.length, 0);
});

for (const [name, refusal] of [
  ["ESME_RINVCMDID", COMMAND_STATUS.ESME_RINVCMDID],
  ["a generic_nack", "nack"],
] as const) {
  test(`bind_transceiver refused with ${name}: the pair is tried soon, and stays`, () => {
    const world = new World();
    world.smsc.bindStatuses = { [COMMAND_ID.bind_transceiver]: refusal };
    world.smsc.onSubmit = () => "ok";
    const start = world.nowMs;
    pairUp(world);
    assert.ok(world.nowMs - start < 2_000, "no slow redial stands between the two");
    world.submit();
    world.runUntil(() => world.answers().length === 1);
    socketOf(world, COMMAND_ID.bind_transmitter).cut("ECONNRESET");
    world.run(10);
    pairUp(world);
    const count = (id: number): number => binds(world).filter((bound) => bound === id).length;
    assert.equal(count(COMMAND_ID.bind_transceiver), 1);
    assert.equal(count(COMMAND_ID.bind_transmitter), 2);
    assert.equal(count(COMMAND_ID.bind_receiver), 1);
  });
}

test("an SMSC that knows no bind at all is not stormed with both", () => {
  const world = new World();
  world.smsc.bindStatuses = Object.fromEntries(
    [COMMAND_ID.bind_transceiver, COMMAND_ID.bind_transmitter, COMMAND_ID.bind_receiver].map(
      (id) => [id, "nack" as const],
    ),
  );
  world.run(600_000);
  const count = binds(world).length;
  assert.ok(count >= 4 && count <= 14, `${count} binds in ten minutes`);
});

test("ESME_RBINDFAIL: the two ways take turns, slowly, until one has worked", () => {
  const world = new World();
  world.smsc.bindStatuses = {
    [COMMAND_ID.bind_transceiver]: COMMAND_STATUS.ESME_RBINDFAIL,
    [COMMAND_ID.bind_transmitter]: COMMAND_STATUS.ESME_RBINDFAIL,
  };
  const start = world.nowMs;
  const mains = (): number[] => binds(world).filter((id) => id !== COMMAND_ID.bind_receiver);
  world.runUntil(() => mains().length === 3, 200_000);
  assert.deepEqual(mains(), [
    COMMAND_ID.bind_transceiver,
    COMMAND_ID.bind_transmitter,
    COMMAND_ID.bind_transceiver,
  ]);
  assert.ok(world.nowMs - start >= 60_000, "30 s, then 60 s");
  world.smsc.bindStatuses = {};
  world.runUntil(() => world.boundCount() === 1, 400_000);
});

test("which way to bind after which refusal", () => {
  const { TRANSCEIVER, TRANSMITTER } = BindRole;
  const { ESME_RINVCMDID, ESME_RBINDFAIL, ESME_RINVPASWD, ESME_RALYBND } = COMMAND_STATUS;
  const after = (
    role: number,
    commandStatus: number,
    over: { isNack?: boolean; pair?: boolean; worked?: boolean } = {},
  ): number =>
    roleAfterRefusal(
      role,
      { commandStatus, isNack: over.isNack ?? false },
      over.pair ?? false,
      over.worked ?? false,
    );
  assert.equal(after(TRANSCEIVER, ESME_RINVCMDID), TRANSMITTER);
  assert.equal(after(TRANSCEIVER, ESME_RINVCMDID, { worked: true }), TRANSMITTER);
  assert.equal(after(TRANSCEIVER, 2, { isNack: true }), TRANSMITTER);
  assert.equal(after(TRANSMITTER, ESME_RINVCMDID), TRANSCEIVER);
  assert.equal(after(TRANSMITTER, ESME_RINVCMDID, { pair: true }), TRANSMITTER);
  assert.equal(after(TRANSCEIVER, ESME_RBINDFAIL), TRANSMITTER);
  assert.equal(after(TRANSCEIVER, ESME_RBINDFAIL, { worked: true }), TRANSCEIVER);
  assert.equal(after(TRANSCEIVER, ESME_RINVPASWD), TRANSCEIVER);
  assert.equal(after(TRANSMITTER, ESME_RALYBND), TRANSMITTER);
});

test("a drain unbinds both of a pair", () => {
  const world = new World(PAIR);
  world.smsc.onSubmit = () => "ok";
  pairUp(world);
  world.submit();
  world.runUntil(() => world.answers().length === 1);
  world.worker.drain();
  world.runUntil(() => world.worker.isDrained());
  for (const id of [COMMAND_ID.bind_transmitter, COMMAND_ID.bind_receiver]) {
    assert.equal(socketOf(world, id).of(COMMAND_ID.unbind).length, 1);
    assert.ok(socketOf(world, id).isClosed);
  }
});

test("a few bytes now and then are no sign of life", () => {
  const world = new World({ links: [{ enquireLinkIntervalMs: 1000 }] });
  world.bindAll();
  world.smsc.answersEnquireLink = false;
  const socket = world.smsc.last();
  // The head of a PDU that never ends.
  socket.send(Uint8Array.from([0, 1, 0, 0]));
  const start = world.nowMs;
  world.runUntil(() => {
    if (world.nowMs % 500 === 0) socket.send(Uint8Array.from([0]));
    return socket.isClosed;
  }, 20_000);
  assert.equal(socket.endCause, "no answer to enquire_link");
  assert.ok(world.nowMs - start <= 11_100, `${world.nowMs - start} ms`);
});
