import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, COMMAND_STATUS } from "../../../src/codec/index.ts";
import { SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import { deliverSm } from "./deliver-pdus.ts";
import type { FakeSocket } from "./fake-smsc.ts";
import { World } from "./world.ts";

const state = (world: World): number => world.sessionWord(0, SessionWord.STATE);

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

test("connect has 5 s, bind 10 s, and the old socket is closed before the next dial", () => {
  const world = new World();
  world.smsc.greeting = "hang";
  world.run(50);
  assert.equal(state(world), SessionState.CONNECTING);
  world.run(4900);
  assert.equal(state(world), SessionState.CONNECTING);
  world.smsc.greeting = "accept";
  world.smsc.bindStatus = null;
  world.run(700);
  assert.equal(world.smsc.sockets[0]!.endCause, "connect timed out");
  world.runUntil(() => state(world) === SessionState.BINDING);
  const boundBy = world.nowMs;
  world.runUntil(() => world.smsc.sockets[1]!.isClosed, 11_000);
  const waited = world.nowMs - boundBy;
  assert.ok(waited > 9_000 && waited < 10_050, `${waited} ms`);
  world.smsc.bindStatus = 0;
  world.runUntil(() => world.boundCount() === 1, 20_000);
  assert.equal(world.smsc.open().length, 1);
  assert.equal(world.counter("bindsFailed"), 2);
  assert.equal(world.counter("bindsSucceeded"), 1);
  assert.equal(world.sessionWord(0, SessionWord.BINDS), 1);
});

test("a worker is quiet when all is bound and answered, until an enquire_link is due", () => {
  const world = new World();
  const isQuiet = (): boolean => world.worker.isQuiet(500);
  const enquiries = (): number =>
    world.smsc.last().received.filter((pdu) => pdu.commandId === COMMAND_ID.enquire_link).length;
  world.bindAll();
  world.runUntil(isQuiet);
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  assert.equal(isQuiet(), false, "no answer yet");
  world.smsc.last().cut("ECONNRESET");
  world.step();
  world.runUntil(() => world.boundCount() === 1 && isQuiet());
  world.runUntil(() => !isQuiet(), 60_000);
  assert.equal(enquiries(), 0, "it says so before");
  world.run(600);
  assert.equal(enquiries(), 1);
});

test("an unreachable SMSC is dialled less and less often", () => {
  const world = new World();
  world.randomValue = 0.999;
  world.smsc.greeting = "refuse";
  world.run(300_000);
  const dials = world.smsc.sockets.length;
  assert.ok(dials >= 9 && dials <= 11, `${dials} dials in 5 min`);
});

test("an SMSC that binds and closes at once is no reason to dial faster", () => {
  const world = new World();
  world.randomValue = 0.999;
  const end = world.nowMs + 60_000;
  while (world.nowMs < end) {
    world.step();
    if (world.boundCount() === 1) world.smsc.last().cut("ECONNRESET");
  }
  assert.ok(world.smsc.sockets.length <= 7, `${world.smsc.sockets.length} dials in a minute`);
});

for (const [status, minMs, maxMs] of [
  [COMMAND_STATUS.ESME_RINVPASWD, 30_000, 45_000],
  [COMMAND_STATUS.ESME_RINVSYSID, 30_000, 45_000],
  [COMMAND_STATUS.ESME_RBINDFAIL, 30_000, 45_000],
  [COMMAND_STATUS.ESME_RALYBND, 5_000, 60_000],
  [COMMAND_STATUS.ESME_RSYSERR, 0, 1_000],
] as const) {
  test(`a bind refused with 0x${status.toString(16)} is tried again in its time`, () => {
    const world = new World();
    world.smsc.bindStatus = status;
    world.runUntil(() => world.smsc.sockets[0]?.isClosed === true);
    const refusedAt = world.nowMs;
    world.runUntil(() => world.smsc.sockets.length >= 2, 70_000);
    const waited = world.nowMs - refusedAt;
    assert.ok(waited >= minMs - 5 && waited <= maxMs + 20, `${waited} ms`);
    assert.ok(world.logs.some(({ fields }) => String(fields["cause"]).includes("bind refused")));
  });
}

test("silence is met with enquire_link; without an answer the session ends after 10 s", () => {
  const world = new World({ links: [{ enquireLinkIntervalMs: 1000 }] });
  world.bindAll();
  const socket = world.smsc.last();
  world.run(3500);
  const count = socket.of(COMMAND_ID.enquire_link).length;
  assert.ok(count >= 3 && count <= 4, `${count} in 3.5 s`);
  assert.equal(world.boundCount(), 1);
  world.smsc.answersEnquireLink = false;
  world.run(9_000);
  assert.equal(world.boundCount(), 1);
  world.run(3_000);
  assert.equal(socket.endCause, "no answer to enquire_link");
});

test("traffic is a sign of life: no enquire_link while PDUs come in", () => {
  const world = new World({ links: [{ enquireLinkIntervalMs: 500 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  for (let i = 0; i < 20; i++) {
    world.submit();
    world.run(100);
  }
  assert.equal(world.smsc.last().of(COMMAND_ID.enquire_link).length, 0);
});

test("a stall of the worker's own thread ends no session", () => {
  const world = new World({ links: [{ enquireLinkIntervalMs: 1000, responseTimeoutMs: 2000 }] });
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  world.run(1100);
  // The process was suspended; the answer lies in the socket.
  world.nowMs += 60_000;
  world.smsc.last().answer(world.smsc.submits()[0]!, "in time");
  world.smsc.later(() => undefined);
  world.worker.onTick();
  world.run(50);
  assert.equal(world.boundCount(), 1);
  assert.equal(world.ambiguous().length, 0);
  assert.equal(world.answers()[0]?.smscId, "in time");
});

test("requests of the peer are answered with its number, in every bound state", () => {
  const world = new World();
  world.bindAll();
  const socket = world.smsc.last();
  socket.respond(COMMAND_ID.enquire_link, 0, 77);
  socket.respond(0x1234, 0, 78);
  socket.respond(COMMAND_ID.submit_sm, 0, 79);
  socket.respond(COMMAND_ID.alert_notification, 0, 80);
  socket.respond(COMMAND_ID.outbind, 0, 81);
  socket.respond(COMMAND_ID.enquire_link, 0, 0xffffffff);
  world.run(20);
  assert.deepEqual(
    socket.received.slice(1).map((pdu) => [pdu.commandId, pdu.commandStatus, pdu.sequenceNumber]),
    [
      [COMMAND_ID.enquire_link_resp, 0, 77],
      [COMMAND_ID.generic_nack, 3, 78],
      [COMMAND_ID.generic_nack, 3, 79],
      [COMMAND_ID.enquire_link_resp, 0, 0xffffffff],
    ],
  );
  assert.equal(world.boundCount(), 1);
});

test("unbind of the peer is answered, the window ambiguous, the session dialled again", () => {
  const world = new World();
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  const socket = world.smsc.last();
  socket.respond(COMMAND_ID.unbind, 0, 5);
  world.runUntil(() => socket.isClosed);
  assert.equal(socket.of(COMMAND_ID.unbind_resp)[0]?.sequenceNumber, 5);
  world.runUntil(() => world.ambiguous().length === 1);
  world.runUntil(() => world.boundCount() === 1, 5000);
  assert.equal(world.smsc.sockets.length, 2);
});

const hexOf = (text: string): string => Buffer.from(text, "latin1").toString("hex");

/** What it is, its bytes, what a sequence_number would be there, and its name in the log. */
const BAD_LENGTHS: readonly [string, string, number, RegExp][] = [
  ["too small", "00000008 00000015 00000000 00000009", 9, /below 16$/],
  ["too large", "7fffffff 00000005 00000000 0000000a", 10, /above the cap$/],
  ["http", hexOf("HTTP/1.1 400 Bad Request\r\n\r\n"), 0x20426164, /the peer speaks http$/],
  ["a TLS alert", "15030100020228", 0, /the peer speaks tls$/],
  ["a TLS hello", "160301020001 0001fc0303", 0, /the peer speaks tls$/],
  ["AMQP", hexOf("AMQP\0\0\x09\x01"), 0, /the peer speaks amqp$/],
  ["SSH", hexOf("SSH-2.0-OpenSSH_9"), 0x5353485f, /the peer speaks ssh$/],
];

for (const [name, bytes, sequenceNumber, named] of BAD_LENGTHS) {
  test(`a bad length (${name}) ends the session with generic_nack 02, bound or not`, () => {
    for (const isBound of [true, false]) {
      const world = new World();
      if (isBound) world.bindAll();
      else world.smsc.bindStatus = null;
      world.run(20);
      const socket = world.smsc.last();
      socket.send(hex(bytes));
      world.runUntil(() => socket.isClosed, 6000);
      const [nack] = socket.of(COMMAND_ID.generic_nack);
      assert.equal(nack?.commandStatus, COMMAND_STATUS.ESME_RINVCMDLEN);
      assert.equal(nack?.sequenceNumber, sequenceNumber);
      world.smsc.bindStatus = 0;
      world.runUntil(() => world.boundCount() === 1, 10_000);
      const isNamed = world.logs.some(({ fields: { cause } }) => named.test(cause as string));
      assert.ok(isNamed, JSON.stringify(world.logs));
    }
  });
}

test("requests before the bind are refused with 04, enquire_link is answered", () => {
  const world = new World();
  world.smsc.bindStatus = null;
  world.run(20);
  const socket = world.smsc.last();
  socket.respond(COMMAND_ID.deliver_sm, 0, 1);
  socket.respond(COMMAND_ID.enquire_link, 0, 2);
  socket.respond(COMMAND_ID.submit_sm_resp, 0, 3);
  socket.respond(COMMAND_ID.query_sm, 0, 4);
  socket.respond(COMMAND_ID.unbind_resp, 0, 4);
  world.run(20);
  assert.deepEqual(
    socket.received.slice(1).map((pdu) => [pdu.commandId, pdu.commandStatus, pdu.sequenceNumber]),
    [
      [COMMAND_ID.deliver_sm_resp, 4, 1],
      [COMMAND_ID.enquire_link_resp, 0, 2],
      [COMMAND_ID.generic_nack, 3, 4],
    ],
  );
  assert.equal(state(world), SessionState.BINDING);
});

test("bodies cut short are answered with an error, and the session lives", () => {
  const world = new World();
  world.bindAll();
  const socket = world.smsc.last();
  socket.send(hex("00000014 00000005 00000000 00000001 00010141"));
  socket.send(hex("00000014 00000103 00000000 00000002 00010141"));
  world.run(20);
  assert.deepEqual(
    socket.received.slice(1).map((pdu) => [pdu.commandId, pdu.commandStatus, pdu.sequenceNumber]),
    [
      [COMMAND_ID.deliver_sm_resp, 2, 1],
      [COMMAND_ID.data_sm_resp, 2, 2],
    ],
  );
  assert.equal(world.boundCount(), 1);
});

test("every stream may come byte by byte", () => {
  const world = new World();
  world.smsc.pieceBytes = 1;
  world.smsc.onSubmit = () => "byte-by-byte";
  world.bindAll();
  for (let i = 0; i < 20; i++) world.submit();
  world.runUntil(() => world.answers().length === 20);
  assert.equal(world.counter("pduAnomalies"), 0);
});

test("seeded garbage in every state ends or leaves the session, and it always comes back", () => {
  let seed = 12_345;
  const random = (): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) / 0x1000000;
  };
  for (let round = 0; round < 200; round++) {
    const world = new World({ links: [{ windowMax: 5 }] });
    world.smsc.bindStatus = round % 4 === 0 ? null : 0;
    world.submit();
    world.run(20);
    const socket = world.smsc.last();
    world.submit({ parts: [Buffer.from("a"), Buffer.from("b")] });
    for (let i = 0; i < 5; i++) socket.send(garbage(random));
    world.run(50);
    world.smsc.bindStatus = 0;
    world.smsc.onSubmit = () => "ok";
    // A generic_nack among the garbage, while binding, lets it try a pair.
    world.runUntil(() => world.boundCount() === 1 && world.smsc.open().length <= 2, 70_000);
  }
});

/** A header that looks right with a random body, or nothing right at all. */
function garbage(random: () => number): Uint8Array {
  const length = 1 + Math.floor(random() * 60);
  const bytes = Uint8Array.from({ length }, () => Math.floor(random() * 256));
  if (random() < 0.7 && length >= 16) {
    const ids = [4, 5, 6, 9, 0x15, 0x103, 0x80000004, 0x80000009, 0x80000000, 0x80000006];
    const view = new DataView(bytes.buffer);
    view.setUint32(0, length);
    view.setUint32(4, ids[Math.floor(random() * ids.length)]!);
    view.setUint32(8, random() < 0.5 ? 0 : Math.floor(random() * 0x110));
    view.setUint32(12, Math.floor(random() * 8));
  }
  return bytes;
}

test("a peer that does not read is closed after 30 s, and what was written is ambiguous", () => {
  const world = new World({ links: [{ windowMax: 10, enquireLinkIntervalMs: 5000 }] });
  world.bindAll();
  const socket = world.smsc.last();
  socket.isStuck = true;
  for (let i = 0; i < 10; i++) world.submit();
  world.runUntil(() => socket.submits().length === 10);
  assert.ok(world.credits.weight(0, 0) > 0);
  world.run(3_000);
  assert.equal(world.credits.weight(0, 0), 0, "producers look elsewhere");
  world.run(26_500);
  assert.equal(socket.isClosed, false);
  world.run(1_000);
  assert.equal(socket.endCause, "the peer does not read");
  world.run(20);
  assert.equal(world.ambiguous().length, 10);
});

test("output is bounded while the peer does not read, and goes on when it does", () => {
  const world = new World({ links: [{ windowMax: 4000 }] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const socket = world.smsc.last();
  socket.isStuck = true;
  const parts = [Buffer.alloc(140, 65), Buffer.alloc(140, 66)];
  // To many handsets: one alone is not sent so many long messages at once.
  for (let i = 0; i < 1500; i++) world.submit({ parts, to: `44770${1_000_000 + i}` });
  world.run(200);
  const written = socket.submits().length;
  assert.ok(written > 800 && written < 1500, `${written} segments in 256 KiB`);
  socket.isStuck = false;
  socket.drain();
  world.runUntil(() => world.answers().length === 3000);
  assert.equal(world.ambiguous().length, 0);
});

test("a flood of deliver_sm is read no faster than it can be answered, and cut after 30 s", () => {
  const world = new World();
  world.bindAll();
  const socket: FakeSocket = world.smsc.last();
  socket.isStuck = true;
  const receipt = deliverSm(7, 4, "id:1 stat:DELIVRD err:000");
  const many = new Uint8Array(receipt.length * 500);
  for (let i = 0; i < 500; i++) many.set(receipt, i * receipt.length);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 100; i++) {
    socket.send(many);
    world.run(10);
  }
  assert.ok(socket.isPaused);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  world.run(31_000);
  assert.ok(socket.isClosed);
  world.runUntil(() => world.boundCount() === 1, 10_000);
});

test("the per-host limiter spreads the dials of many sessions", () => {
  const world = new World({
    links: [
      { host: "one", port: 9000, sessions: 20 },
      { host: "one", port: 9000, sessions: 20 },
    ],
  });
  world.run(100);
  assert.ok(world.smsc.sockets.length <= 10, `${world.smsc.sockets.length} dials at once`);
  world.bindAll();
  assert.equal(world.smsc.sockets.length, 40);
});
