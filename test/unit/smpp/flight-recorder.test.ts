import assert from "node:assert/strict";
import { test } from "node:test";
import { FlightRecorder } from "../../../src/smpp/session/flight-recorder.ts";
import { maskPdu } from "../../../src/smpp/session/mask-pdu.ts";
import { dataSm, deliverSm, tlv } from "./deliver-pdus.ts";

const PAYLOAD = 0x0424;

function pdu(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

function masked(bytes: Uint8Array, masksNumbers: boolean = false): string {
  const copy = Uint8Array.from(bytes);
  maskPdu(copy, masksNumbers);
  assert.equal(copy.length, bytes.length);
  return Buffer.from(copy).toString("latin1");
}

test("keeps the last PDUs of both ways, oldest first, the first bytes of each", () => {
  const recorder = new FlightRecorder();
  const buffer = new Uint8Array(4096);
  for (let i = 0; i < 300; i++) {
    const at = (i * 13) % 3000;
    const bytes = deliverSm(i, 4, `id:${i} stat:DELIVRD`);
    buffer.set(bytes, at);
    if (i % 2 === 0) recorder.noteInbound(7, 1000 + i, buffer, at, at + bytes.length);
    else recorder.noteOutbound(7, 1000 + i, buffer, at, at + bytes.length);
  }
  const kept = recorder.read(false);
  assert.equal(kept.length, 256);
  kept.forEach((one, index) => {
    const number = 44 + index;
    const whole = deliverSm(number, 4, `id:${number} stat:DELIVRD`);
    assert.equal(one.wallMs, 1000 + number);
    assert.equal(one.connection, 7);
    assert.equal(one.length, whole.length);
    assert.equal(one.isOutbound, number % 2 === 1);
    const bytesMax = one.isOutbound ? 80 : 240;
    assert.deepEqual(one.bytes, Uint8Array.from(whole).slice(0, bytesMax));
  });
});

test("a PDU longer than a slot is cut, and says how long it was", () => {
  const recorder = new FlightRecorder();
  const bytes = deliverSm(1, 0, "x", tlv(PAYLOAD, "y".repeat(2000)));
  recorder.noteInbound(1, 5.5, bytes, 0, bytes.length);
  const [one] = recorder.read(false);
  assert.equal(one?.length, bytes.length);
  assert.equal(one?.bytes.length, 240);
  assert.ok(
    !Buffer.from(one?.bytes ?? [])
      .toString("latin1")
      .includes("yy"),
  );
});

test("texts are masked, lengths and everything else stay", () => {
  const inbound = masked(deliverSm(1, 0, "top secret"));
  assert.ok(inbound.includes("**********") && !inbound.includes("secret"));
  assert.ok(inbound.includes("447700900123") && inbound.includes("ACME"));
  const payload = masked(dataSm(1, 0, tlv(0x001e, "id-1"), tlv(PAYLOAD, "top secret")));
  assert.ok(payload.includes("id-1") && !payload.includes("secret"));
});

test("of a text with a UDH the UDH stays", () => {
  const shown = masked(deliverSm(1, 0x40, "\x05\x00\x03\x07\x02\x01hidden"));
  assert.ok(shown.includes("\x05\x00\x03\x07\x02\x01******") && !shown.includes("hidden"));
});

test("of a receipt only the quoted text goes", () => {
  const shown = masked(deliverSm(1, 4, "id:77 stat:DELIVRD err:000 Text:hidden words"));
  assert.ok(shown.includes("id:77 stat:DELIVRD err:000 Text:************"));
  assert.ok(!shown.includes("hidden"));
});

test("numbers are masked between their ends, senders of letters and short codes stay", () => {
  const callback = tlv(0x0381, "\x01\x01\x01998901234567");
  const shown = masked(deliverSm(1, 0, "hidden", callback), true);
  assert.ok(shown.includes("447*******23") && shown.includes("ACME"), shown);
  assert.ok(!shown.includes("998901234567"));
  assert.ok(!masked(dataSm(1, 0, tlv(PAYLOAD, "x")), true).includes("447700900123"));
  const cut = deliverSm(1, 0, "hidden").subarray(0, 32);
  assert.equal(masked(cut, true).length, 32);
});

test("passwords are masked, system_ids are not", () => {
  const bind = pdu("0000002400000009000000000000000165736d6531007365637265743038000034000000");
  const shown = masked(bind);
  assert.ok(shown.includes("esme1\0********\0"), shown);
  const cut = masked(bind.subarray(0, 26));
  assert.ok(!cut.includes("sec"));
});

test("what nobody knows is masked after its header; responses are shown", () => {
  const shown = masked(pdu("00000018 00001234 00000000 00000001 6869646465 6e0000"));
  assert.ok(shown.endsWith("********"));
  assert.ok(
    masked(pdu("00000019 80000004 00000000 00000002 323130656131396400")).includes("210ea19d"),
  );
});

test("every way to cut a PDU short leaves nothing of its text", () => {
  const whole = deliverSm(1, 0, "QQQQQQQQQQ", tlv(PAYLOAD, "QQQQ"));
  for (let length = 16; length <= whole.length; length++) {
    assert.ok(!masked(whole.subarray(0, length)).includes("Q"), `cut at ${length}`);
  }
});
