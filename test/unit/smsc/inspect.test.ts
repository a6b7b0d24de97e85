/** What the simulator says an ESME does wrong, and what it does not complain about. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, encodeHeaderOnly } from "../../../src/codec/index.ts";
import type { ProtocolErrorName } from "../../../src/smsc/counters.ts";
import { submitPdu, type SubmitFields, World } from "./peer.ts";

function errorsOf(...submits: SubmitFields[]): Partial<Record<ProtocolErrorName, number>> {
  const world = new World();
  const peer = world.bound();
  for (const fields of submits) peer.submit(fields);
  for (const answer of peer.take()) assert.equal(answer.status, 0);
  return { ...world.engine.stats().protocolErrors };
}

function part(reference: number, total: number, index: number, text = "part"): SubmitFields {
  const udh = [5, 0, 3, reference, total, index];
  return { esmClass: 0x40, text: Uint8Array.from([...udh, ...Buffer.from(text, "latin1")]) };
}

function tlv(tag: number, ...value: number[]): number[] {
  return [tag >> 8, tag & 0xff, 0, value.length, ...value];
}

test("nothing is said against correct messages", () => {
  const sar = [...tlv(0x020c, 0, 7), ...tlv(0x020e, 2)];
  assert.deepEqual(
    errorsOf(
      {},
      { source: "12345", sourceTon: 3, sourceNpi: 0 },
      { source: "447700900001", sourceTon: 1, sourceNpi: 1, validity: "000000000500000R" },
      { text: new Uint8Array(160).fill(0x41) },
      { text: new Uint8Array(140), dataCoding: 8 },
      { text: new Uint8Array(140), dataCoding: 4 },
      { text: Uint8Array.of(0xd8, 0x3d, 0xde, 0x00), dataCoding: 8 },
      part(1, 2, 1, "x".repeat(153)),
      part(1, 2, 2),
      { tlvs: Uint8Array.from([...sar, ...tlv(0x020f, 1)]) },
      { tlvs: Uint8Array.from([...sar, ...tlv(0x020f, 2)]) },
      { text: new Uint8Array(0), tlvs: Uint8Array.from(tlv(0x0424, 104, 105)) },
      { dataCoding: 0xf0 },
    ),
    {},
  );
});

test("addresses and their TON and NPI", () => {
  assert.deepEqual(errorsOf({ sourceTon: 5, sourceNpi: 1 }), { bad_ton_npi: 1 });
  assert.deepEqual(errorsOf({ destTon: 7 }), { bad_ton_npi: 1 });
  assert.deepEqual(errorsOf({ destNpi: 2 }), { bad_ton_npi: 1 });
  assert.deepEqual(errorsOf({ destNpi: 33 }), { bad_ton_npi: 1 });
  assert.deepEqual(errorsOf({ destination: "+447700900123" }), { bad_address: 1 });
  assert.deepEqual(errorsOf({ destination: "4477009001234567" }), { bad_address: 1 });
  assert.deepEqual(errorsOf({ source: "TWELVE LONG." }), { bad_address: 1 });
});

test("reserved values and times", () => {
  assert.deepEqual(errorsOf({ dataCoding: 0x0b }), { reserved_value: 1 });
  assert.deepEqual(errorsOf({ registeredDelivery: 0x21 }), { reserved_value: 1 });
  assert.deepEqual(errorsOf({ esmClass: 0x04 }), { reserved_value: 1 });
  assert.deepEqual(errorsOf({ validity: "000000000500000X" }), { bad_time: 1 });
});

test("user data headers, text lengths and splits", () => {
  assert.deepEqual(errorsOf({ esmClass: 0x40, text: Uint8Array.of(9, 0, 3) }), {
    udh_malformed: 1,
  });
  assert.deepEqual(errorsOf(part(1, 2, 3)), { udh_malformed: 1 });
  assert.deepEqual(errorsOf(part(1, 2, 0)), { udh_malformed: 1 });
  assert.deepEqual(errorsOf({ text: new Uint8Array(161).fill(0x41) }), { text_too_long: 1 });
  assert.deepEqual(errorsOf({ text: new Uint8Array(142), dataCoding: 8 }), { text_too_long: 1 });
  assert.deepEqual(errorsOf({ text: new Uint8Array(3), dataCoding: 8 }), { ucs2_odd_length: 1 });
  const both = { ...part(1, 2, 1), tlvs: Uint8Array.from(sarOf(1, 2, 1)) };
  assert.deepEqual(errorsOf(both, part(1, 2, 2)), { udh_with_sar: 1 });
  assert.deepEqual(errorsOf(part(3, 2, 1, "euro\x1b"), part(3, 2, 2)), { split_escape: 1 });
  const half = { ...part(4, 2, 1, "\xd8\x3d"), dataCoding: 8 };
  assert.deepEqual(errorsOf(half, part(4, 2, 2)), { split_surrogate: 1 });
});

function sarOf(reference: number, total: number, index: number): number[] {
  return [...tlv(0x020c, 0, reference), ...tlv(0x020e, total), ...tlv(0x020f, index)];
}

test("parts that never come, come twice, or come again", () => {
  assert.deepEqual(errorsOf(part(9, 3, 1), part(9, 3, 3)), { incomplete_message: 1 });
  assert.deepEqual(errorsOf(part(9, 2, 1), part(9, 2, 1), part(9, 2, 2)), { duplicate_part: 1 });
  assert.deepEqual(errorsOf(part(9, 2, 1), part(9, 2, 2), part(9, 2, 2)), { duplicate_part: 1 });
  const elsewhere = { ...part(9, 2, 2), destination: "447700900124" };
  assert.deepEqual(errorsOf(part(9, 2, 1), elsewhere), { incomplete_message: 2 });
});

test("a reference may come again after a minute", () => {
  const world = new World({ receipts: "none" });
  const peer = world.bound();
  peer.submit(part(9, 2, 1));
  peer.submit(part(9, 2, 2));
  world.pass(61_000);
  peer.submit(part(9, 2, 1));
  peer.submit(part(9, 2, 2));
  assert.deepEqual(world.engine.stats().protocolErrors, {});
});

test("thousands of concatenated messages at once are told apart", () => {
  const world = new World({ receipts: "none" });
  const peer = world.bound();
  const messages = Array.from({ length: 5000 }, (_, i) => ({
    ...part(i & 0xff, 2, 1),
    destination: `4477${String(i).padStart(8, "0")}`,
  }));
  for (const message of messages) peer.submit(message);
  const second = Uint8Array.of(5, 0, 3, 0, 2, 2, 0x41);
  messages.forEach((message, i) => {
    second[3] = i & 0xff;
    peer.submit({ ...message, text: second.slice() });
  });
  assert.deepEqual(world.engine.stats().protocolErrors, {});
});

test("sequence numbers", () => {
  const world = new World();
  const peer = world.bound();
  peer.send(submitPdu(5));
  peer.send(submitPdu(5));
  peer.send(submitPdu(3));
  peer.send(submitPdu(0));
  peer.send(submitPdu(0x8000_0000));
  assert.deepEqual(
    peer.take().map(({ sequence }) => sequence),
    [5, 5, 3, 0, 0x8000_0000],
  );
  assert.deepEqual(world.engine.stats().protocolErrors, {
    sequence_reused: 1,
    sequence_not_monotonic: 1,
    sequence_out_of_range: 2,
  });
});

test("the number space wraps without complaint", () => {
  const world = new World();
  const peer = world.connect();
  peer.sequence = 0x7fff_fff0;
  peer.bind("esme1", COMMAND_ID.bind_transceiver);
  for (const sequence of [0x7fff_fffe, 0x7fff_ffff, 1, 2]) peer.send(submitPdu(sequence));
  assert.deepEqual(world.engine.stats().protocolErrors, {});
});

test("a status in a request", () => {
  const world = new World();
  const peer = world.bound();
  const bytes = new Uint8Array(16);
  encodeHeaderOnly(0x15, bytes, 0, 0x58, 2);
  peer.send(bytes);
  assert.deepEqual(world.engine.stats().protocolErrors, { status_in_request: 1 });
});
