/** What an operator does wrong on order: to connections, to bytes, to PDUs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COMMAND_ID,
  commandNameOf,
  decodeSm,
  readCommandId,
  readCommandLength,
  readCommandStatus,
  readFrame,
  SmView,
} from "../../../src/codec/index.ts";
import { isFatalKind, MALFORMED_KINDS, type MalformedKind } from "../../../src/smsc/malformed.ts";
import { World } from "./peer.ts";

const { deliver_sm, enquire_link, generic_nack, submit_sm, submit_sm_resp, unbind } = COMMAND_ID;
const KINDS = Object.keys(MALFORMED_KINDS) as MalformedKind[];

test("a connection is cut within a PDU, at every Nth submit", () => {
  const world = new World({ cutMidPduEvery: 2, receipts: "none" });
  const peer = world.bound();
  peer.submit();
  assert.equal(peer.takeOne().commandId, submit_sm_resp);
  peer.submit();
  assert.equal(peer.destroyedFor, "cut as told");
  const bytes = peer.takeBytes();
  const answer = readFrame(bytes, 0, bytes.length);
  assert.equal(readCommandId(bytes, 0), submit_sm_resp, "what was owed went out before");
  assert.equal(readCommandId(bytes, answer), enquire_link);
  assert.ok(bytes.length - answer < 16, "of it a part only");
  peer.close();
  const { disconnectsForced, protocolErrors } = world.engine.stats();
  assert.deepEqual([disconnectsForced, protocolErrors], [1, {}]);
});

test("a connection that went silent says and hears nothing more, and stays open", () => {
  const world = new World({ silentEvery: 2, receiptDelayMs: [50, 50] });
  const peer = world.bound();
  peer.submit();
  peer.submit();
  assert.equal(peer.take().length, 2, "both were answered");
  peer.submit();
  peer.header(enquire_link);
  world.pass(60_000);
  assert.deepEqual(peer.take(), []);
  assert.deepEqual([peer.destroyedFor, peer.isEnded], [null, false]);
  const { silenced, submits } = world.engine.stats();
  assert.deepEqual([silenced, submits], [1, 2]);
  const other = world.connect();
  other.bind("esme1", COMMAND_ID.bind_receiver);
  assert.equal(other.take().length, 3, "its receipts go to another session");
  peer.close();
  assert.deepEqual(world.engine.stats().protocolErrors, {}, "it had a reason to go");
});

test("a silent connection ends with the others when all are dropped", () => {
  const world = new World({ silentEvery: 1 });
  const peer = world.bound();
  peer.submit();
  world.engine.leaveAll();
  world.engine.dropAll("stopped");
  assert.equal(peer.destroyedFor, "stopped");
});

test("a deaf connection is read no more, and still told what it is owed", () => {
  const world = new World({ deafEvery: 3, receiptDelayMs: [50, 50] });
  const peer = world.bound();
  for (let i = 0; i < 3; i++) peer.submit();
  assert.equal(peer.isPaused, true);
  world.pass(100);
  const seen = peer.take().map(({ commandId }) => commandId);
  assert.deepEqual(seen, [...Array(3).fill(submit_sm_resp), ...Array(3).fill(deliver_sm)]);
  assert.equal(peer.isPaused, true, "also after it has written");
  peer.close();
  assert.deepEqual(world.engine.stats().protocolErrors, {});
  assert.equal(world.engine.stats().deafened, 1);
});

test("a session is ended with unbind, and its answer with the end of the connection", () => {
  const world = new World({ unbindEvery: 2, receipts: "none" });
  const peer = world.bound();
  peer.submit();
  peer.submit();
  const [, , goodbye] = peer.take();
  assert.equal(goodbye?.commandId, unbind);
  peer.submit();
  assert.equal(peer.takeOne().status, 4, "what crosses it is refused");
  peer.header(COMMAND_ID.unbind_resp, 0, goodbye?.sequence);
  assert.equal(peer.isEnded, true);
  const { unbindsSent, protocolErrors } = world.engine.stats();
  assert.deepEqual([unbindsSent, protocolErrors], [1, {}]);
});

/** What goes out of each kind: command_id, its command_length, and the octets of it all. */
const SENT: Readonly<Record<MalformedKind, readonly [number, number, number]>> = {
  short_length: [deliver_sm, 8, 16],
  huge_length: [deliver_sm, 0x7fffffff, 16],
  garbage: [0x94b9de83, 0x80a5caef, 64],
  foreign: [0x2f312e31, 0x48545450, 47],
  truncated: [deliver_sm, 20, 20],
  unterminated: [deliver_sm, 59, 59],
  long_text: [deliver_sm, 56, 56],
  bad_tlv: [deliver_sm, 65, 65],
  unknown_command: [0x1234, 16, 16],
  wrong_direction: [submit_sm, 59, 59],
  stray_response: [submit_sm_resp, 16, 16],
  odd_response: [COMMAND_ID.deliver_sm_resp, 17, 17],
  nack_zero: [generic_nack, 16, 16],
};

/** Whose fields no reader can follow. */
const BROKEN: ReadonlySet<MalformedKind> = new Set<MalformedKind>([
  "truncated",
  "unterminated",
  "long_text",
]);

for (const kind of KINDS) {
  test(`a malformed PDU is sent: ${kind}`, () => {
    const world = new World({ malformedEvery: 1, malformed: [kind], receipts: "none" });
    const peer = world.bound();
    peer.submit();
    const bytes = peer.takeBytes();
    const at = readFrame(bytes, 0, bytes.length);
    assert.equal(readCommandId(bytes, 0), submit_sm_resp);
    const { length } = bytes;
    assert.deepEqual(
      [readCommandId(bytes, at), readCommandLength(bytes, at), length - at],
      SENT[kind],
    );
    if (BROKEN.has(kind)) assert.ok(decodeSm(bytes, at, bytes.length, new SmView()) < 0);
    const witnessed = world.log().find(({ event }) => event === "malformed");
    assert.equal(witnessed?.["kind"], kind);
    peer.submit();
    const goesOn = peer.takeBytes().length > 0;
    assert.equal(goesOn, !isFatalKind(kind), "whether anything follows");
    peer.close();
    const { malformedSent, protocolErrors } = world.engine.stats();
    assert.deepEqual([malformedSent, protocolErrors], [goesOn ? 2 : 1, {}]);
  });
}

test("malformed PDUs come in turn, and whoever refuses them makes no mistake", () => {
  const malformed: MalformedKind[] = ["unknown_command", "truncated", "nack_zero"];
  const world = new World({ malformedEvery: 2, malformed, receipts: "none" });
  const peer = world.bound();
  const seen: (string | undefined)[] = [];
  for (let i = 0; i < 8; i++) {
    peer.submit();
    for (const pdu of peer.take()) {
      if (pdu.commandId === submit_sm_resp) continue;
      seen.push(commandNameOf(pdu.commandId));
      if (pdu.sequence !== 0) peer.header(generic_nack, 3, pdu.sequence);
    }
  }
  assert.deepEqual(seen, [undefined, "deliver_sm", "generic_nack", undefined]);
  const { nacksReceived, protocolErrors } = world.engine.stats();
  assert.deepEqual([nacksReceived, protocolErrors], [3, {}]);
});

test("output is cut into writes of so many octets", () => {
  const world = new World({ writeBytes: 3, receipts: "none" });
  const peer = world.connect();
  peer.isReading = false;
  peer.bind("esme1", COMMAND_ID.bind_transceiver);
  peer.submit();
  assert.deepEqual(peer.lengthsWritten, [3], "the next waits until this one is taken");
  peer.drain();
  const [bound, answer] = peer.take();
  assert.equal(bound?.status, 0);
  assert.equal(answer?.commandId, submit_sm_resp);
  assert.ok(peer.lengthsWritten.length > 15);
  assert.equal(Math.max(...peer.lengthsWritten), 3);
});

test("input is read at so many octets a second", () => {
  const world = new World({ readBytesPerS: 1000, receipts: "none" });
  const peer = world.bound();
  world.pass(1000);
  const startMs = world.clock.nowMs;
  let bytes = 0;
  while (bytes < 5000) {
    assert.equal(peer.isPaused, false);
    bytes += peer.submit();
    assert.equal(peer.isPaused, true);
    while (peer.isPaused) world.pass(1);
  }
  const rate = (bytes * 1000) / (world.clock.nowMs - startMs);
  assert.ok(rate > 950 && rate <= 1000, `${rate} octets a second`);
  assert.equal(world.engine.stats().waiting, 0);
});

test("a deed leaves no job behind, whatever ended the connection", () => {
  const options = { readBytesPerS: 1000, deafEvery: 1, receipts: "none" } as const;
  for (const bytes of [null, Uint8Array.of(0, 0, 0, 1)]) {
    const world = new World(options);
    const peer = world.bound();
    world.pass(1000);
    if (bytes === null) peer.submit();
    else peer.send(bytes);
    peer.close();
    world.pass(1000);
    assert.equal(world.engine.stats().waiting, 0);
  }
});

test("a storm gives everything its status from and until its times, again and again", () => {
  const storm = { status: 0x58, fromMs: 2000, toMs: 3000, everyMs: 5000 };
  const world = new World({ storms: [storm], receipts: "none" });
  world.pass(7000);
  const peer = world.bound();
  const statuses: (number | undefined)[] = [];
  for (let i = 0; i < 14; i++) {
    peer.submit();
    statuses.push(peer.takeOne().status);
    world.pass(500);
  }
  const calm = [0, 0, 0, 0];
  assert.deepEqual(statuses, [...calm, 0x58, 0x58, ...calm, ...calm]);
  peer.submit();
  assert.equal(peer.takeOne().status, 0x58, "after seven seconds again");
  const once = new World({ storms: [{ ...storm, everyMs: null }], receipts: "none" });
  const other = once.bound();
  other.submit();
  for (const [ms, status] of [
    [2000, 0x58],
    [1000, 0],
    [4000, 0],
  ] as const) {
    once.pass(ms);
    other.take();
    other.submit();
    assert.equal(other.takeOne().status, status);
  }
});

test("late answers come so much later, the others in time", () => {
  const world = new World({ lateAnswers: 0.25, lateMs: 45_000, receipts: "none" });
  const peer = world.bound();
  for (let i = 0; i < 400; i++) peer.submit();
  const inTime = peer.take().length;
  assert.ok(inTime > 250 && inTime < 350, `${inTime} of 400 in time`);
  world.pass(44_000);
  assert.deepEqual(peer.take(), []);
  world.pass(1001);
  assert.equal(peer.take().length, 400 - inTime);
});

test("binds are refused, unanswered or late by their shares", () => {
  const bind = (world: World): number | null => {
    const peer = world.connect();
    peer.bind("esme1", COMMAND_ID.bind_transceiver);
    const bytes = peer.takeBytes();
    return bytes.length === 0 ? null : readCommandStatus(bytes, 0);
  };
  const refusing = new World({
    bindRefusals: [
      { status: 0x0d, share: 0.25 },
      { status: 0x0e, share: 0.25 },
    ],
  });
  const statuses = Array.from({ length: 400 }, () => bind(refusing));
  for (const [status, least, most] of [
    [0x0d, 60, 140],
    [0x0e, 60, 140],
    [0, 150, 250],
  ] as const) {
    const count = statuses.filter((one) => one === status).length;
    assert.ok(count > least && count < most, `${count} times 0x${status.toString(16)}`);
  }
  assert.equal(refusing.engine.stats().bindsRefused, statuses.filter((one) => one !== 0).length);
  const silent = new World({ bindSilence: 0.5 });
  const unanswered = Array.from({ length: 200 }, () => bind(silent)).filter((one) => one === null);
  assert.ok(unanswered.length > 60 && unanswered.length < 140);
  assert.equal(silent.engine.stats().bindsUnanswered, unanswered.length);
  const slow = new World({ bindDelayMs: [1000, 1000] });
  const peer = slow.connect();
  peer.bind("esme1", COMMAND_ID.bind_transceiver);
  slow.pass(999);
  assert.deepEqual(peer.take(), []);
  slow.pass(2);
  assert.equal(peer.takeOne().status, 0);
});

test("who binds again before the answer is refused, and counts once", () => {
  const world = new World({ bindDelayMs: [1000, 1000], bindsMax: 1 });
  const peer = world.connect();
  for (let i = 0; i < 3; i++) peer.bind("esme1", COMMAND_ID.bind_transceiver);
  world.pass(1100);
  assert.deepEqual(
    peer.take().map(({ status }) => status),
    [0, 5, 5],
  );
  assert.deepEqual(world.engine.stats().protocolErrors, { already_bound: 2 });
  peer.header(unbind);
  peer.close();
  const next = world.connect();
  next.bind("esme1", COMMAND_ID.bind_transceiver);
  world.pass(1100);
  assert.equal(next.takeOne().status, 0, "the only place is free again");
});

test("an operator that does not know bind_transceiver says so, and takes a pair", () => {
  const world = new World({ transceiver: false });
  for (const [commandId, status] of [
    [COMMAND_ID.bind_transceiver, 3],
    [COMMAND_ID.bind_transmitter, 0],
    [COMMAND_ID.bind_receiver, 0],
  ] as const) {
    const peer = world.connect();
    peer.bind("esme1", commandId);
    assert.equal(peer.takeOne().status, status);
  }
});

test("enquire_link is not answered where it is told not to", () => {
  const world = new World({ answersEnquireLink: false });
  const peer = world.bound();
  peer.header(enquire_link);
  assert.deepEqual(peer.take(), []);
  peer.close();
  const { enquireLinks, protocolErrors } = world.engine.stats();
  assert.deepEqual([enquireLinks, protocolErrors], [1, {}]);
});

test("receipts are contradicted, and strays are for ids that nobody was given", () => {
  const idsAndStates = (options: object): unknown[] => {
    const world = new World({ ...options, outcomes: [{ state: 2, weight: 1 }] });
    const peer = world.bound();
    peer.submit();
    peer.take();
    for (let i = 0; i < 5; i++) {
      world.pass(50);
      for (const { sequence } of peer.take()) peer.answerReceipt(sequence);
    }
    assert.equal(world.engine.stats().waiting, 0);
    const receipts = world.log().filter(({ event }) => event === "receipt");
    return receipts.map(({ id, state }) => [id, state]);
  };
  assert.deepEqual(idsAndStates({ contradictReceipts: 1 }), [
    ["1000000001", 2],
    ["1000000001", 5],
  ]);
  const [receipt, stray, ...more] = idsAndStates({ strayReceipts: 1 }) as [string, number][];
  assert.deepEqual(receipt, ["1000000001", 2]);
  assert.notEqual(stray?.[0], "1000000001");
  assert.deepEqual(more, []);
});
