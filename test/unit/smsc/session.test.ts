/** Binding, refusing, ending: the protocol without messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, decodeBindResp } from "../../../src/codec/index.ts";
import { submitPdu, World } from "./peer.ts";

const { bind_receiver, bind_transceiver, bind_transmitter } = COMMAND_ID;

test("every bind is answered with our name and version", () => {
  for (const commandId of [bind_receiver, bind_transceiver, bind_transmitter]) {
    const world = new World();
    const peer = world.connect();
    peer.bind("esme1", commandId);
    const answer = peer.takeOne();
    assert.equal(answer.commandId, (commandId | 0x8000_0000) >>> 0);
    assert.equal(answer.status, 0);
    const body = { systemId: "", scInterfaceVersion: -1 };
    assert.equal(decodeBindResp(answer.bytes, 0, answer.bytes.length, body), 0);
    assert.deepEqual(body, { systemId: "smsgw-smsc", scInterfaceVersion: 0x34 });
  }
});

test("wrong names, wrong words and one session too many are refused without a body", () => {
  const world = new World({ systemId: "esme1", password: "right", bindsMax: 1 });
  const cases = [
    ["esme2", "right", 0x0f],
    ["esme1", "wrong", 0x0e],
    ["esme1", "right", 0x00],
    ["esme1", "right", 0x05],
  ] as const;
  for (const [systemId, password, status] of cases) {
    const peer = world.connect();
    peer.bind(systemId, bind_transceiver, password);
    const answer = peer.takeOne();
    assert.equal(answer.status, status);
    assert.equal(answer.bytes.length === 16, status !== 0);
  }
  const stats = world.engine.stats();
  assert.equal(stats.binds, 1);
  assert.equal(stats.bindsRefused, 3);
});

test("a session that closes makes room for another of its account", () => {
  const world = new World({ bindsMax: 1 });
  const first = world.bound();
  first.close();
  const second = world.connect();
  second.bind("esme1", bind_transceiver);
  assert.equal(second.takeOne().status, 0);
});

test("requests in the wrong state get ESME_RINVBNDSTS", () => {
  const world = new World();
  const open = world.connect();
  open.submit();
  assert.deepEqual(
    open.take().map(({ commandId, status }) => [commandId, status]),
    [[COMMAND_ID.submit_sm_resp, 4]],
  );
  open.header(COMMAND_ID.unbind);
  assert.equal(open.takeOne().status, 4);
  const receiver = world.bound("esme1", bind_receiver);
  receiver.submit();
  assert.equal(receiver.takeOne().status, 4);
  const bound = world.bound();
  bound.bind("esme1", bind_transceiver);
  assert.equal(bound.takeOne().status, 5);
  assert.deepEqual(world.engine.stats().protocolErrors, { wrong_state: 3, already_bound: 1 });
  assert.equal(world.engine.stats().submits, 0);
});

test("enquire_link is answered in every state", () => {
  const world = new World();
  for (const peer of [world.connect(), world.bound()]) {
    peer.header(COMMAND_ID.enquire_link, 0, 77);
    const answer = peer.takeOne();
    assert.deepEqual(
      [answer.commandId, answer.status, answer.sequence, answer.bytes.length],
      [COMMAND_ID.enquire_link_resp, 0, 77, 16],
    );
  }
});

test("unbind is answered, then the connection ends", () => {
  const world = new World();
  const peer = world.bound();
  peer.isReading = false;
  peer.header(COMMAND_ID.unbind);
  peer.drain();
  assert.equal(peer.takeOne().commandId, COMMAND_ID.unbind_resp);
  assert.equal(peer.isEnded, true);
  peer.submit();
  assert.deepEqual(peer.take(), []);
  assert.deepEqual(world.engine.stats().protocolErrors, { pdu_after_unbind: 1 });
});

test("unknown commands are nacked with their sequence, and the session lives", () => {
  const world = new World();
  const peer = world.bound();
  peer.header(0x1234, 0, 50);
  const nack = peer.takeOne();
  assert.deepEqual(
    [nack.commandId, nack.status, nack.sequence, nack.bytes.length],
    [COMMAND_ID.generic_nack, 3, 50, 16],
  );
  peer.header(COMMAND_ID.alert_notification);
  assert.deepEqual(peer.take(), []);
  peer.submit();
  assert.equal(peer.takeOne().status, 0);
});

test("operations that are not offered are refused in their own response", () => {
  const world = new World();
  const peer = world.bound();
  const cases = [
    [COMMAND_ID.query_sm, 0x67],
    [COMMAND_ID.cancel_sm, 0x11],
    [COMMAND_ID.replace_sm, 0x13],
    [COMMAND_ID.data_sm, 0x03],
  ] as const;
  for (const [commandId, status] of cases) {
    peer.header(commandId);
    const answer = peer.takeOne();
    assert.equal(answer.commandId, (commandId | 0x8000_0000) >>> 0);
    assert.equal(answer.status, status);
  }
});

test("a bad length is nacked with ESME_RINVCMDLEN, then the connection ends", () => {
  for (const isBound of [false, true]) {
    const world = new World();
    const peer = isBound ? world.bound() : world.connect();
    const bytes = new Uint8Array(64);
    bytes.set([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 9]);
    peer.send(bytes);
    const nack = peer.takeOne();
    assert.deepEqual([nack.commandId, nack.status, nack.sequence], [0x8000_0000, 2, 9]);
    assert.equal(peer.isEnded, true);
    peer.submit();
    assert.deepEqual(peer.take(), []);
    assert.deepEqual(world.engine.stats().protocolErrors, { bad_length: 1 });
  }
});

test("a bad length after answers that still wait in the outbox does not lose them", () => {
  const world = new World();
  const peer = world.bound();
  peer.isReading = false;
  peer.submit();
  peer.send(Uint8Array.of(0, 0, 0, 1));
  assert.equal(peer.isEnded, false);
  assert.deepEqual(
    peer.take().map(({ commandId }) => commandId),
    [COMMAND_ID.submit_sm_resp, COMMAND_ID.generic_nack],
  );
  assert.equal(peer.isEnded, true);
});

test("a foreign protocol is named and cut off without an answer", () => {
  const world = new World();
  const peer = world.connect();
  peer.send(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  assert.deepEqual(peer.take(), []);
  assert.equal(peer.isEnded, true);
  const hello = world.connect();
  hello.send(Buffer.from("160301020001000001fc030361", "hex"));
  const { protocolErrors, foreignProtocols, findings } = world.engine.stats();
  assert.deepEqual(protocolErrors, { foreign_protocol: 2 });
  assert.deepEqual(foreignProtocols, { http: 1, tls: 1 });
  assert.match(findings[0]?.meaning ?? "", /does not speak SMPP but http, tls$/);
});

test("a submit_sm that is cut short is refused, and the session lives", () => {
  const world = new World();
  const peer = world.bound();
  const whole = submitPdu(9);
  const bytes = whole.slice(0, 30);
  bytes[3] = bytes.length;
  peer.send(bytes);
  const answer = peer.takeOne();
  assert.deepEqual(
    [answer.commandId, answer.status, answer.sequence],
    [COMMAND_ID.submit_sm_resp, 2, 9],
  );
  peer.submit();
  assert.equal(peer.takeOne().status, 0);
  assert.equal(world.engine.stats().protocolErrors.malformed_pdu, 1);
});

test("whoever does not bind is closed", () => {
  const world = new World({ bindTimeoutMs: 5000 });
  const idle = world.connect();
  const bound = world.bound();
  world.pass(4000);
  assert.equal(idle.destroyedFor, null);
  world.pass(3000);
  assert.equal(idle.destroyedFor, "no bind in time");
  assert.equal(bound.destroyedFor, null);
});

test("silence is met with enquire_link, and more silence with an end", () => {
  const world = new World({ enquireLinkIntervalMs: 10_000 });
  const peer = world.bound();
  world.pass(12_000);
  const enquiry = peer.takeOne();
  assert.equal(enquiry.commandId, COMMAND_ID.enquire_link);
  peer.header(COMMAND_ID.enquire_link_resp, 0, enquiry.sequence);
  world.pass(12_000);
  assert.equal(peer.takeOne().commandId, COMMAND_ID.enquire_link);
  world.pass(12_000);
  assert.equal(peer.destroyedFor, "enquire_link was not answered");
});

test("leaving unbinds from bound peers and ends the others", () => {
  const world = new World();
  const open = world.connect();
  const bound = world.bound();
  world.engine.leaveAll();
  assert.equal(open.isEnded, true);
  const goodbye = bound.takeOne();
  assert.equal(goodbye.commandId, COMMAND_ID.unbind);
  bound.submit();
  assert.equal(bound.takeOne().status, 4);
  bound.header(COMMAND_ID.unbind_resp, 0, goodbye.sequence);
  assert.equal(bound.isEnded, true);
  assert.deepEqual(world.engine.stats().protocolErrors, {});
});

test("a peer that does not read is not read either, and loses nothing", () => {
  const world = new World({ receipts: "none" });
  const peer = world.bound();
  peer.isReading = false;
  const chunk = Buffer.concat(Array.from({ length: 1000 }, () => submitPdu(peer.sequence++)));
  let chunks = 0;
  while (!peer.isPaused && chunks < 100) {
    peer.send(chunk);
    chunks++;
  }
  assert.ok(chunks > 1 && chunks < 20, `${chunks} chunks before it was paused`);
  assert.equal(peer.writesWaiting, 1);
  // A socket may hand over one more chunk after it was paused.
  peer.send(chunk);
  const answers = peer.take();
  assert.equal(peer.isPaused, false);
  assert.equal(answers.length, (chunks + 1) * 1000);
  assert.deepEqual(
    answers.map(({ sequence }) => sequence),
    answers.map((_answer, i) => (i % 1000) + 2),
  );
});

test("what happens is in the witness", () => {
  const world = new World();
  const peer = world.connect();
  peer.bind("esme1", bind_transceiver);
  peer.submit({ source: 'A"\\\x01\xe9', sourceTon: 0, destination: "447700900123" });
  peer.close("reset");
  const [bind, submit, close] = world.log();
  assert.equal(bind?.["event"], "bind");
  assert.equal(bind?.["systemId"], "esme1");
  assert.deepEqual(
    { ...submit, t: undefined },
    {
      t: undefined,
      event: "submit",
      session: 1,
      sequence: 2,
      source: 'A"\\\x01\xe9',
      destination: "447700900123",
      esm_class: 0,
      data_coding: 0,
      short_message: "48656c6c6f",
      id: "1000000001",
      status: 0,
    },
  );
  assert.equal(submit?.["t"], Date.UTC(2026, 10, 21, 22, 17));
  assert.deepEqual([close?.["event"], close?.["cause"]], ["close", "reset"]);
});
