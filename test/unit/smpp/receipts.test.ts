import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, COMMAND_STATUS, MESSAGE_STATE } from "../../../src/codec/index.ts";
import { Receipt } from "../../../src/records/receipt.ts";
import { RecordType } from "../../../src/records/types.ts";
import { deliverSm, dataSm, tlv } from "./deliver-pdus.ts";
import { World } from "./world.ts";

const TEXT = "id:0a1b sub:001 submit date:2601050000 stat:DELIVRD err:042 text:hi";

interface ReceiptFields {
  readonly linkId: number;
  readonly state: number;
  readonly id: string;
  readonly error: string;
}

function receipts(world: World): ReceiptFields[] {
  return world.recordsOf(RecordType.RECEIPT).map(({ view, bytes }) => {
    const idLength = view.getUint8(Receipt.SMSC_ID_LENGTH);
    const errorLength = view.getUint8(Receipt.ERROR_LENGTH);
    const texts = Buffer.from(bytes.subarray(Receipt.TEXTS)).toString("latin1");
    return {
      linkId: view.getUint32(Receipt.LINK_ID, true),
      state: view.getUint8(Receipt.MESSAGE_STATE),
      id: texts.slice(0, idLength),
      error: texts.slice(idLength, idLength + errorLength),
    };
  });
}

function receive(...pdus: Uint8Array[]): World {
  const world = new World();
  world.bindAll();
  for (const pdu of pdus) world.smsc.last().send(pdu);
  world.run(20);
  return world;
}

test("a receipt is recorded as it came, and answered after the commit", () => {
  const world = new World();
  world.bindAll();
  world.isJournalHeld = true;
  const socket = world.smsc.last();
  for (const n of [7, 0xfffffff0, 3]) socket.send(deliverSm(n, 0x04, TEXT));
  world.run(50);
  assert.equal(socket.of(COMMAND_ID.deliver_sm_resp).length, 0);
  world.isJournalHeld = false;
  world.run(20);
  assert.deepEqual(
    socket
      .of(COMMAND_ID.deliver_sm_resp)
      .map((pdu) => [pdu.sequenceNumber, pdu.commandStatus, pdu.bytes.length]),
    [
      [7, 0, 17],
      [0xfffffff0, 0, 17],
      [3, 0, 17],
    ],
  );
  assert.deepEqual(receipts(world)[0], {
    linkId: 100,
    state: MESSAGE_STATE.DELIVERED,
    id: "0a1b",
    error: "042",
  });
  assert.equal(world.counter("receiptsReceived"), 3);
});

test("TLVs come before the text; the error is the network's if there is no err:", () => {
  const world = receive(
    deliverSm(1, 0x04, TEXT, tlv(0x1e, "TLV-ID\0"), tlv(0x427, "\x05")),
    deliverSm(2, 0x04, "", tlv(0x1e, "no-nul"), tlv(0x427, "\x02"), tlv(0x423, "\x03\x01\x02")),
  );
  assert.deepEqual(
    receipts(world).map(({ id, state, error }) => [id, state, error]),
    [
      ["TLV-ID", MESSAGE_STATE.UNDELIVERABLE, "042"],
      ["no-nul", MESSAGE_STATE.DELIVERED, "258"],
    ],
  );
});

test("long ids and error texts are cut", () => {
  const world = receive(
    deliverSm(1, 0x04, `id:${"9".repeat(90)} stat:EXPIRED err:${"e".repeat(40)}`),
  );
  const [receipt] = receipts(world);
  assert.equal(receipt?.id, "9".repeat(64));
  assert.equal(receipt?.error, "e".repeat(16));
});

test("what is intermediate, without a state or not understood ends nothing", () => {
  const world = receive(
    deliverSm(1, 0x20, "id:1 stat:DELIVRD"),
    deliverSm(2, 0x20, "id:1 stat:ACCEPTD"),
    deliverSm(3, 0x04, "id:1 err:1"),
    deliverSm(4, 0x04, "id:1 stat:PARTLYX"),
    deliverSm(5, 0x04, "id:1 stat:UNKNOWN"),
  );
  assert.deepEqual(
    receipts(world).map(({ state }) => state),
    [
      MESSAGE_STATE.ENROUTE,
      MESSAGE_STATE.ACCEPTED,
      MESSAGE_STATE.ENROUTE,
      MESSAGE_STATE.ENROUTE,
      MESSAGE_STATE.UNKNOWN,
    ],
  );
});

test("data_sm carries receipts too", () => {
  const world = receive(
    dataSm(9, 0x04, tlv(0x1e, "by-data\0"), tlv(0x427, "\x02")),
    dataSm(10, 0x04, tlv(0x424, "id:in-payload stat:REJECTD")),
    dataSm(11, 0x00, tlv(0x424, "hello")),
  );
  assert.deepEqual(
    receipts(world).map(({ id, state }) => [id, state]),
    [
      ["by-data", MESSAGE_STATE.DELIVERED],
      ["in-payload", MESSAGE_STATE.REJECTED],
    ],
  );
  const answers = world.smsc.last().of(COMMAND_ID.data_sm_resp);
  assert.deepEqual(
    answers.map((pdu) => [pdu.sequenceNumber, pdu.commandStatus]).sort((a, b) => a[0]! - b[0]!),
    [
      [9, 0],
      [10, 0],
      [11, COMMAND_STATUS.ESME_RX_T_APPN],
    ],
  );
});

test("an inbound message is left with the SMSC and counted", () => {
  const world = receive(deliverSm(1, 0, "STOP"));
  const [answer] = world.smsc.last().of(COMMAND_ID.deliver_sm_resp);
  assert.equal(answer?.commandStatus, COMMAND_STATUS.ESME_RX_T_APPN);
  assert.equal(world.counter("inboundRefused"), 1);
  assert.equal(receipts(world).length, 0);
});

test("a receipt that names no message is refused for good", () => {
  const world = receive(deliverSm(1, 0x04, "stat:DELIVRD"), deliverSm(2, 0x04, "what?"));
  const statuses = world.smsc
    .last()
    .of(COMMAND_ID.deliver_sm_resp)
    .map((pdu) => pdu.commandStatus);
  assert.deepEqual(statuses, [COMMAND_STATUS.ESME_RX_P_APPN, COMMAND_STATUS.ESME_RX_P_APPN]);
});

test("a broken TLV at the end does not lose the receipt", () => {
  const world = receive(deliverSm(1, 0x04, TEXT, Uint8Array.from([0x04, 0x27, 0x00, 0x09, 0x02])));
  assert.equal(receipts(world)[0]?.id, "0a1b");
  assert.equal(world.counter("pduAnomalies"), 1);
});

test("a receipt whose session is gone before the commit is recorded and not answered", () => {
  const world = new World();
  world.bindAll();
  world.isJournalHeld = true;
  world.smsc.last().send(deliverSm(1, 0x04, TEXT));
  world.run(10);
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => world.boundCount() === 0);
  world.runUntil(() => world.boundCount() === 1);
  world.isJournalHeld = false;
  world.smsc.last().send(deliverSm(1, 0x04, TEXT));
  world.run(50);
  assert.equal(receipts(world).length, 2);
  assert.equal(world.smsc.last().of(COMMAND_ID.deliver_sm_resp).length, 1);
});

test("receipts of several sessions are answered on their own", () => {
  const world = new World({ links: [{ sessions: 3 }] });
  world.bindAll();
  world.isJournalHeld = true;
  const [one, two, three] = world.smsc.sockets;
  for (let i = 0; i < 30; i++) {
    one!.send(deliverSm(i, 0x04, `id:${i} stat:DELIVRD`));
    if (i % 2 === 0) three!.send(deliverSm(100 + i, 0x04, `id:${i} stat:DELIVRD`));
    if (i % 3 === 0) two!.send(deliverSm(200 + i, 0x04, `id:${i} stat:DELIVRD`));
  }
  world.run(20);
  world.isJournalHeld = false;
  world.run(20);
  const numbers = (socket: typeof one): number[] =>
    socket!.of(COMMAND_ID.deliver_sm_resp).map((pdu) => pdu.sequenceNumber);
  assert.deepEqual(
    numbers(one),
    Array.from({ length: 30 }, (_, i) => i),
  );
  assert.deepEqual(
    numbers(three),
    Array.from({ length: 15 }, (_, i) => 100 + 2 * i),
  );
  assert.deepEqual(
    numbers(two),
    Array.from({ length: 10 }, (_, i) => 200 + 3 * i),
  );
});
