/** Answers and receipts: what an ESME sees of its messages, with every fault on order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COMMAND_ID,
  decodeSm,
  MESSAGE_STATE,
  parseReceiptOf,
  readLatin1,
  ReceiptView,
  SmView,
  tlvCStringEnd,
  findTlv,
  TLV_TAG,
} from "../../../src/codec/index.ts";
import type { SmscOptions } from "../../../src/smsc/options.ts";
import { type Peer, type Seen, submitPdu, World } from "./peer.ts";

interface Receipt {
  readonly id: string;
  readonly tlvId: string;
  readonly state: number;
  readonly text: string;
  readonly source: string;
  readonly destination: string;
  readonly sequence: number;
}

function readReceipt(pdu: Seen): Receipt {
  const view = new SmView();
  const receipt = new ReceiptView();
  const { bytes } = pdu;
  assert.equal(pdu.commandId, COMMAND_ID.deliver_sm);
  assert.equal(decodeSm(bytes, 0, bytes.length, view), 0);
  assert.equal(view.esmClass, 0x04);
  assert.equal(parseReceiptOf(view, receipt), 0);
  assert.equal(receipt.flags, 0, "text and TLVs agree");
  const tlv = findTlv(bytes, view.tlvStart, view.tlvEnd, TLV_TAG.receipted_message_id);
  return {
    id: readLatin1(receipt.textBytes, receipt.textIdStart, receipt.textIdEnd),
    tlvId: readLatin1(bytes, tlv, tlvCStringEnd(bytes, tlv)),
    state: receipt.messageState,
    text: readLatin1(bytes, view.shortMessageStart, view.shortMessageEnd),
    source: readLatin1(bytes, view.sourceAddrStart, view.sourceAddrEnd),
    destination: readLatin1(bytes, view.destinationAddrStart, view.destinationAddrEnd),
    sequence: pdu.sequence,
  };
}

function receiptsOf(peer: Peer): Receipt[] {
  return peer
    .take()
    .filter(({ commandId }) => commandId === COMMAND_ID.deliver_sm)
    .map(readReceipt);
}

test("a message is answered at once and its receipt follows, in the spec's layout", () => {
  const world = new World({ receiptDelayMs: [90_000, 90_000] });
  const peer = world.bound();
  peer.submit({ text: Buffer.from("Hello, this is the text of a message") });
  const answer = peer.takeOne();
  assert.deepEqual([answer.status, answer.sequence, answer.id], [0, 2, "1000000001"]);
  world.pass(89_000);
  assert.deepEqual(peer.take(), []);
  world.pass(1000);
  const receipt = readReceipt(peer.takeOne());
  assert.equal(
    receipt.text,
    "id:1000000001 sub:001 dlvrd:001 submit date:2611212217 done date:2611212218" +
      " stat:DELIVRD err:000 text:Hello, this is the t",
  );
  assert.equal(receipt.tlvId, "1000000001");
  assert.equal(receipt.state, MESSAGE_STATE.DELIVERED);
  assert.deepEqual([receipt.source, receipt.destination], ["447700900123", "ACME"]);
  peer.answerReceipt(receipt.sequence);
  const stats = world.engine.stats();
  assert.equal(stats.receiptsAnswered, 1);
  assert.equal(stats.waiting, 0);
  assert.equal(stats.protocolErrorCount, 0);
});

test("ids differ between answer and receipt where the format says so", () => {
  const world = new World({ idFormat: "hex-resp-decimal-receipt" });
  const peer = world.bound();
  peer.submit();
  assert.equal(peer.takeOne().id, "3b9aca01");
  world.pass(5);
  const [receipt] = receiptsOf(peer);
  assert.deepEqual([receipt?.id, receipt?.tlvId], ["1000000001", "1000000001"]);
});

test("registered_delivery decides who gets a receipt", () => {
  const outcomes = (state: number): Partial<SmscOptions> => ({ outcomes: [{ state, weight: 1 }] });
  const cases = [
    [{}, 0, 0],
    [{}, 1, 1],
    [{}, 2, 0],
    [{}, 3, 1],
    [outcomes(MESSAGE_STATE.EXPIRED), 2, 1],
    [outcomes(MESSAGE_STATE.EXPIRED), 3, 0],
    [{ receipts: "none" } as const, 1, 0],
    [outcomes(-1), 1, 0],
  ] as const;
  for (const [options, registeredDelivery, count] of cases) {
    const world = new World(options);
    const peer = world.bound();
    peer.submit({ registeredDelivery });
    world.pass(10);
    assert.equal(receiptsOf(peer).length, count, JSON.stringify([options, registeredDelivery]));
  }
});

test("outcomes meet their shares, and a seed repeats them", () => {
  const outcomes = [
    { state: MESSAGE_STATE.DELIVERED, weight: 90 },
    { state: MESSAGE_STATE.UNDELIVERABLE, weight: 5 },
    { state: MESSAGE_STATE.REJECTED, weight: 5 },
  ];
  const run = (seed: number): number[] => {
    const world = new World({ outcomes, receiptWindow: 10_000 }, seed);
    const peer = world.bound();
    for (let i = 0; i < 5000; i++) peer.submit();
    world.pass(50);
    peer.take();
    const log = world.log().filter((line) => line["event"] === "receipt");
    return log.map((line) => line["state"] as number);
  };
  const states = run(7);
  assert.deepEqual(run(7), states);
  assert.notDeepEqual(run(8), states);
  const delivered = states.filter((state) => state === MESSAGE_STATE.DELIVERED).length;
  assert.equal(states.length, 5000);
  assert.ok(delivered > 4350 && delivered < 4650, `${delivered} of 5000`);
});

test("every fault together is the same again for the same seed", () => {
  const options: Partial<SmscOptions> = {
    latencyMs: [0, 40],
    receiptDelayMs: [0, 100],
    refusals: [
      { status: 0x58, share: 0.1 },
      { status: 0x0b, share: 0.05 },
    ],
    dropAnswers: 0.05,
    duplicateReceipts: 0.2,
    receiptBeforeAnswer: 0.2,
    idFormat: "hex-resp-decimal-receipt",
    magic: true,
  };
  const run = (seed: number): unknown => {
    const world = new World(options, seed);
    const peers = [world.bound(), world.bound("esme2")];
    for (let i = 0; i < 300; i++) {
      const peer = peers[i % 2]!;
      peer.submit({ destination: `44770090${String(i).padStart(4, "0")}` });
      world.pass(3);
      for (const receipt of receiptsOf(peer)) peer.answerReceipt(receipt.sequence);
    }
    return world.log();
  };
  assert.deepEqual(run(42), run(42));
  assert.notDeepEqual(run(42), run(43));
});

test("answers come after their latency, out of order if it varies", () => {
  const world = new World({ latencyMs: [10, 200], receipts: "none" });
  const peer = world.bound();
  for (let i = 0; i < 100; i++) peer.submit();
  world.pass(9);
  assert.deepEqual(peer.take(), []);
  world.pass(191);
  const sequences = peer.take().map(({ sequence }) => sequence);
  assert.equal(sequences.length, 100);
  assert.notDeepEqual(
    sequences,
    sequences.toSorted((a, b) => a - b),
  );
  assert.equal(world.engine.stats().answersSent, 100);
});

test("answers whose session is gone are lost, also if another took its place", () => {
  const world = new World({ latencyMs: [50, 50], receipts: "none" });
  const peer = world.bound();
  peer.submit();
  peer.close();
  const other = world.bound();
  world.pass(100);
  assert.deepEqual(other.take(), []);
  assert.equal(world.engine.stats().answersLost, 1);
  assert.equal(world.engine.stats().waiting, 0);
});

test("refusals meet their share, carry no body and make no receipt", () => {
  const world = new World({ refusals: [{ status: 0x58, share: 0.1 }] });
  const peer = world.bound();
  for (let i = 0; i < 2000; i++) peer.submit();
  const answers = peer.take().filter(({ commandId }) => commandId === COMMAND_ID.submit_sm_resp);
  const refused = answers.filter(({ status }) => status === 0x58);
  assert.ok(refused.length > 140 && refused.length < 260, String(refused.length));
  assert.ok(refused.every(({ bytes }) => bytes.length === 16));
  const stats = world.engine.stats();
  assert.equal(stats.receiptsScheduled, 2000 - refused.length);
  assert.equal(stats.throttled, refused.length);
  assert.equal(stats.statuses["0x00000058"], refused.length);
});

test("no second holds more than tps, counted over all sessions of an account", () => {
  const world = new World({ tps: 10, receipts: "none" });
  const peers = [world.bound(), world.bound()];
  const other = world.bound("esme2");
  const acceptedAt: number[] = [];
  for (let i = 0; i < 400; i++) {
    const peer = peers[i % 2]!;
    peer.submit();
    if (peer.takeOne().status === 0) acceptedAt.push(world.clock.nowMs);
    else if (i === 15) {
      other.submit();
      assert.equal(other.takeOne().status, 0);
    }
    world.pass(i < 200 ? 7 : 40);
  }
  for (const start of acceptedAt) {
    const inSecond = acceptedAt.filter((at) => at >= start && at < start + 1000);
    assert.ok(inSecond.length <= 10);
  }
  assert.ok(acceptedAt.length >= 90);
});

test("a window too wide is refused and told", () => {
  const world = new World({ window: 3, latencyMs: [10, 10], receipts: "none" });
  const peer = world.bound();
  for (let i = 0; i < 4; i++) peer.submit();
  world.pass(20);
  peer.submit();
  world.pass(20);
  assert.deepEqual(
    peer.take().map(({ status }) => status),
    [0, 0, 0, 0x14, 0],
  );
  assert.deepEqual(world.engine.stats().protocolErrors, { window_exceeded: 1 });
});

test("more waiting messages than allowed are refused with ESME_RMSGQFUL", () => {
  const world = new World({ waitingMax: 10, receiptDelayMs: [1000, 1000] });
  const peer = world.bound();
  for (let i = 0; i < 20; i++) peer.submit();
  const statuses = peer.take().map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 0x14).length, 11);
  world.pass(1100);
  const receipts = receiptsOf(peer);
  assert.equal(receipts.length, 9);
  for (const { sequence } of receipts) peer.answerReceipt(sequence);
  peer.submit();
  assert.equal(peer.takeOne().status, 0);
});

test("dropped answers leave the message taken, its receipt sent and a note in the witness", () => {
  const world = new World({ dropAnswers: 1 });
  const peer = world.bound();
  peer.submit();
  world.pass(10);
  const seen = peer.take();
  assert.deepEqual(
    seen.map(({ commandId }) => commandId),
    [COMMAND_ID.deliver_sm],
  );
  const submit = world.log().find((line) => line["event"] === "submit");
  assert.deepEqual([submit?.["status"], submit?.["answered"]], [0, false]);
});

test("a receipt may overtake its answer", () => {
  const world = new World({ receiptBeforeAnswer: 1, idFormat: "hex-resp-decimal-receipt" });
  const peer = world.bound();
  peer.submit();
  const [receipt, answer] = peer.take();
  assert.equal(readReceipt(receipt!).id, "1000000001");
  assert.deepEqual([answer?.commandId, answer?.id], [COMMAND_ID.submit_sm_resp, "3b9aca01"]);
  world.pass(50);
  assert.deepEqual(peer.take(), []);
});

test("every Nth submit is taken, not answered, and costs the connection", () => {
  const world = new World({ disconnectEvery: 3 });
  const peer = world.bound();
  for (let i = 0; i < 4; i++) peer.submit();
  assert.equal(peer.destroyedFor, "cut as told");
  assert.deepEqual(
    peer.take().map(({ sequence }) => sequence),
    [2, 3],
  );
  peer.close();
  world.pass(10);
  const next = world.bound();
  assert.equal(receiptsOf(next).length, 0);
  const later = world.bound();
  world.pass(10);
  assert.equal(receiptsOf(next).length + receiptsOf(later).length, 0);
  const stats = world.engine.stats();
  assert.equal(stats.accepted, 3);
  assert.equal(stats.disconnectsForced, 1);
});

test("receipts keep within their window and go on as they are answered", () => {
  const world = new World({ receiptWindow: 2 });
  const peer = world.bound();
  for (let i = 0; i < 5; i++) peer.submit();
  peer.take();
  world.pass(10);
  const first = receiptsOf(peer);
  assert.equal(first.length, 2);
  peer.answerReceipt(first[1]!.sequence);
  const second = receiptsOf(peer);
  assert.equal(second.length, 1);
  peer.answerReceipt(first[0]!.sequence);
  peer.answerReceipt(second[0]!.sequence);
  assert.equal(receiptsOf(peer).length, 2);
});

test("an unanswered receipt is sent again, on another session if there is one", () => {
  const world = new World({ receiptTimeoutMs: 5000 });
  const peer = world.bound();
  peer.submit();
  peer.take();
  world.pass(10);
  const [receipt] = receiptsOf(peer);
  const other = world.bound("esme1", COMMAND_ID.bind_receiver);
  world.pass(7000);
  const again = [...receiptsOf(peer), ...receiptsOf(other)];
  assert.equal(again.length, 1);
  assert.equal(again[0]?.id, receipt?.id);
  assert.equal(world.engine.stats().receiptsResent, 1);
});

test("receipts of a session that closes go to the next one of the same system_id only", () => {
  const world = new World();
  const peer = world.bound("esme1", COMMAND_ID.bind_transceiver);
  peer.submit();
  peer.take();
  world.pass(10);
  const [receipt] = receiptsOf(peer);
  peer.close();
  const stranger = world.bound("esme2");
  const transmitter = world.bound("esme1", COMMAND_ID.bind_transmitter);
  world.pass(100);
  assert.deepEqual([...receiptsOf(stranger), ...receiptsOf(transmitter)], []);
  const heir = world.connect();
  heir.bind("esme1", COMMAND_ID.bind_receiver);
  const [again] = receiptsOf(heir);
  assert.equal(again?.id, receipt?.id);
});

test("a receipt refused for now comes again, one refused for good does not", () => {
  const world = new World();
  const peer = world.bound();
  peer.submit();
  peer.take();
  world.pass(10);
  const [receipt] = receiptsOf(peer);
  peer.answerReceipt(receipt!.sequence, 0x64);
  world.pass(1500);
  const [again] = receiptsOf(peer);
  assert.equal(again?.id, receipt?.id);
  peer.answerReceipt(again!.sequence, 0x65);
  world.pass(5000);
  assert.deepEqual(peer.take(), []);
  const stats = world.engine.stats();
  assert.deepEqual([stats.receiptsRefused, stats.receiptsAbandoned, stats.waiting], [2, 1, 0]);
});

test("duplicate receipts come a second time after their answer, and then no more", () => {
  const world = new World({ duplicateReceipts: 1 });
  const peer = world.bound();
  peer.submit();
  peer.take();
  let count = 0;
  for (let i = 0; i < 5; i++) {
    world.pass(50);
    for (const { sequence } of receiptsOf(peer)) {
      peer.answerReceipt(sequence);
      count++;
    }
  }
  assert.equal(count, 2);
  assert.equal(world.engine.stats().waiting, 0);
});

test("an answer to nothing is counted", () => {
  const world = new World();
  const peer = world.bound();
  peer.answerReceipt(99);
  assert.deepEqual(world.engine.stats().protocolErrors, { unexpected_response: 1 });
});

test("magic destinations decide for themselves, only if asked to", () => {
  const statusesOf = (magic: boolean, suffix: string, times: number): (number | undefined)[] => {
    const world = new World({ magic });
    const peer = world.bound();
    return Array.from({ length: times }, () => {
      peer.submit({ destination: `44770090${suffix}` });
      return peer.take()[0]?.status;
    });
  };
  assert.deepEqual(statusesOf(true, "0000", 2), [undefined, undefined]);
  assert.deepEqual(statusesOf(true, "0058", 3), [0x58, 0, 0]);
  assert.deepEqual(statusesOf(true, "0008", 3), [0x08, 0, 0]);
  assert.deepEqual(statusesOf(true, "0011", 2), [0x0b, 0x0b]);
  assert.deepEqual(statusesOf(true, "1058", 1), [0]);
  assert.deepEqual(statusesOf(false, "0000", 1), [0]);
  assert.deepEqual(statusesOf(false, "0058", 1), [0]);
});

test("magic destinations choose how a message ends", () => {
  const world = new World({ magic: true });
  const peer = world.bound();
  for (const suffix of ["0000", "0100", "0102", "0103", "0104", "0105", "0107", "0108", "0106"]) {
    peer.submit({ destination: `44770090${suffix}` });
  }
  world.pass(10);
  assert.deepEqual(
    receiptsOf(peer).map(({ state, source }) => [source.slice(-3), state]),
    [
      ["000", 2],
      ["102", 2],
      ["103", 3],
      ["104", 4],
      ["105", 5],
      ["107", 7],
      ["108", 8],
      ["106", 2],
    ],
  );
});

test("a text in message_payload is taken and its TLVs are in the witness", () => {
  const world = new World();
  const peer = world.bound();
  const tlvs = Uint8Array.of(0x04, 0x24, 0, 2, 0x68, 0x69);
  peer.send(submitPdu(2, { text: new Uint8Array(0), tlvs }));
  assert.equal(peer.takeOne().status, 0);
  const submit = world.log().find((line) => line["event"] === "submit");
  assert.equal(submit?.["tlvs"], "042400026869");
});

test("a hundred thousand messages wait and leave nothing behind", () => {
  const world = new World({ receiptDelayMs: [1000, 60_000], receiptWindow: 1000 });
  const peer = world.bound();
  for (let i = 0; i < 100; i++) {
    peer.send(Buffer.concat(Array.from({ length: 1000 }, () => submitPdu(peer.sequence++))));
  }
  assert.equal(world.engine.stats().waiting, 100_000);
  peer.take();
  let count = 0;
  for (let i = 0; i < 700 && count < 100_000; i++) {
    world.pass(100);
    for (const pdu of peer.take()) {
      count++;
      peer.answerReceipt(pdu.sequence);
    }
  }
  assert.equal(count, 100_000);
  assert.equal(world.engine.stats().waiting, 0);
  assert.equal(world.engine.stats().protocolErrorCount, 0);
});
