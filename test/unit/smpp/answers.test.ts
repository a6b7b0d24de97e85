import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID, COMMAND_STATUS } from "../../../src/codec/index.ts";
import { AmbiguousCause, Outcome } from "../../../src/records/attempt.ts";
import { retryAfterMs } from "../../../src/smpp/session/answer.ts";
import { SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import type { Pdu } from "./fake-smsc.ts";
import { World } from "./world.ts";

const S = COMMAND_STATUS;

/** One message answered with `status`, and its ANSWER record. */
function answerTo(status: number, attempt = 1): { world: World; sequence: number } {
  const world = new World();
  world.bindAll();
  const { sequence } = world.submit({ attempt });
  world.runUntil(() => world.smsc.submits().length === 1);
  world.smsc.last().answer(world.smsc.submits()[0]!, status);
  world.runUntil(() => world.answers(sequence).length === 1);
  return { world, sequence };
}

const REJECTED = [S.ESME_RINVMSGLEN, S.ESME_RINVDSTADR, S.ESME_RX_P_APPN, S.ESME_RINVCMDLEN];
const RETRIED = [S.ESME_RSYSERR, S.ESME_RX_T_APPN, S.ESME_RSUBMITFAIL, S.ESME_RUNKNOWNERR, 0x4ff];

for (const status of [...REJECTED, ...RETRIED]) {
  test(`status 0x${status.toString(16)} is recorded as its class says`, () => {
    const { world, sequence } = answerTo(status);
    const [answer] = world.answers(sequence);
    const isRejected = REJECTED.some((code) => code === status);
    assert.equal(answer?.outcome, isRejected ? Outcome.REJECTED : Outcome.RETRY);
    assert.equal(answer?.status, status);
    assert.equal(answer?.retryAfterMs, isRejected ? 0 : 5000);
    world.run(100);
    assert.equal(world.smsc.submits().length, 1, "what comes next is the ledger's decision");
    assert.equal(world.worker.messageCount, 0);
    assert.equal(world.boundCount(), 1);
  });
}

test("an accepted answer without an id is accepted with an empty one", () => {
  const { world, sequence } = answerTo(S.ESME_ROK);
  const [answer] = world.answers(sequence);
  assert.equal(answer?.outcome, Outcome.ACCEPTED);
  assert.equal(answer?.smscId, "");
});

test("an answer that ends after its header, or without a NUL, counts by its status", () => {
  const world = new World();
  world.bindAll();
  const first = world.submit().sequence;
  const second = world.submit().sequence;
  world.runUntil(() => world.smsc.submits().length === 2);
  const socket = world.smsc.last();
  socket.respond(COMMAND_ID.submit_sm_resp, 0, 2);
  const bytes = Buffer.from("000000138000000400000000000000036a6b6c", "hex");
  socket.send(bytes);
  world.runUntil(() => world.answers().length === 2);
  assert.equal(world.answers(first)[0]?.smscId, "");
  assert.equal(world.answers(second)[0]?.smscId, "jkl");
});

test("an id longer than the record keeps is cut", () => {
  const world = new World();
  world.smsc.onSubmit = (pdu, socket) => {
    const id = "x".repeat(100);
    const out = Buffer.alloc(16 + 101);
    out.writeUInt32BE(out.length, 0);
    out.writeUInt32BE(COMMAND_ID.submit_sm_resp, 4);
    out.writeUInt32BE(pdu.sequenceNumber, 12);
    out.write(id, 16, "latin1");
    socket.send(out);
    return null;
  };
  world.bindAll();
  world.submit();
  world.runUntil(() => world.answers().length === 1);
  assert.equal(world.answers()[0]?.smscId, "x".repeat(64));
});

test("the delay of a retry doubles from 5 s to 5 min, with 20 % of jitter", () => {
  assert.deepEqual(
    [1, 2, 3, 7, 8, 250].map((attempt) => retryAfterMs(attempt, 0.5)),
    [5000, 10_000, 20_000, 300_000, 300_000, 300_000],
  );
  assert.equal(retryAfterMs(1, 0), 4000);
  assert.equal(retryAfterMs(1, 1), 6000);
});

test("a refusal of attempt 250 is final, throttling never is", () => {
  const { world, sequence } = answerTo(S.ESME_RSYSERR, 250);
  assert.equal(world.answers(sequence)[0]?.outcome, Outcome.EXHAUSTED);
  const throttled = answerTo(S.ESME_RTHROTTLED, 250).world;
  assert.equal(throttled.answers()[0]?.outcome, Outcome.KEPT);
  throttled.runUntil(() => throttled.smsc.submits().length === 2);
  throttled.smsc.last().answer(throttled.smsc.submits()[1]!, S.ESME_ROK);
  throttled.runUntil(() => throttled.answers().length === 2);
  assert.deepEqual(
    throttled.answers().map(({ attempt, outcome }) => [attempt, outcome]),
    [
      [250, Outcome.KEPT],
      [250, Outcome.ACCEPTED],
    ],
  );
  assert.equal(answerTo(S.ESME_RSYSERR, 249).world.answers()[0]?.outcome, Outcome.RETRY);
});

test("generic_nack to a submit counts by its class", () => {
  for (const [status, outcome] of [
    [S.ESME_RINVCMDID, Outcome.REJECTED],
    [S.ESME_RSYSERR, Outcome.RETRY],
    [S.ESME_ROK, Outcome.RETRY],
  ] as const) {
    const world = new World();
    world.bindAll();
    world.submit();
    world.runUntil(() => world.smsc.submits().length === 1);
    world.smsc.last().respond(COMMAND_ID.generic_nack, status, 2);
    world.runUntil(() => world.answers().length === 1);
    assert.equal(world.answers()[0]?.outcome, outcome);
    assert.equal(world.boundCount(), 1);
  }
});

test("a status that breaks the session: the message is retried, the session rests", () => {
  for (const status of [S.ESME_RINVBNDSTS, S.ESME_RBINDFAIL]) {
    const { world, sequence } = answerTo(status);
    assert.equal(world.answers(sequence)[0]?.outcome, Outcome.RETRY);
    world.runUntil(() => world.smsc.last().isClosed);
    assert.equal(world.smsc.last().of(COMMAND_ID.unbind).length, 1);
    world.run(29_000);
    assert.equal(world.smsc.sockets.length, 1);
    world.run(20_000);
    assert.equal(world.smsc.sockets.length, 2);
  }
});

test("generic_nack 02 to a submit means that the stream is out of step", () => {
  const world = new World();
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  world.smsc.last().respond(COMMAND_ID.generic_nack, S.ESME_RINVCMDLEN, 2);
  world.runUntil(() => world.smsc.last().of(COMMAND_ID.unbind).length === 1);
  assert.equal(world.answers()[0]?.outcome, Outcome.RETRY);
});

test("answers out of order find their messages; duplicates and unknown numbers are counted", () => {
  const world = new World();
  world.bindAll();
  const sequences = Array.from({ length: 50 }, () => world.submit().sequence);
  world.runUntil(() => world.smsc.submits().length === 50);
  const socket = world.smsc.last();
  const submits = world.smsc.submits();
  submits.toReversed().forEach((pdu) => socket.answer(pdu, `id-${pdu.sequenceNumber}`));
  socket.answer(submits[3]!, "again");
  socket.respond(COMMAND_ID.submit_sm_resp, 0, 0);
  socket.respond(COMMAND_ID.submit_sm_resp, 0, 0xffffffff);
  socket.respond(COMMAND_ID.generic_nack, 3, 0);
  world.runUntil(() => world.answers().length === 50);
  world.run(20);
  sequences.forEach((sequence, i) => {
    assert.equal(world.answers(sequence)[0]?.smscId, `id-${submits[i]!.sequenceNumber}`);
  });
  assert.equal(world.counter("answersUnmatched"), 4);
  assert.equal(world.boundCount(), 1);
});

test("no answer in time is ambiguous; a late one is still recorded", () => {
  const world = new World({ links: [{ responseTimeoutMs: 2000 }] });
  world.bindAll();
  const { sequence } = world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  const submit = world.smsc.submits()[0] as Pdu;
  world.runUntil(() => world.ambiguous().length === 1);
  assert.ok(Math.abs(world.nowMs - submit.atMs - 2000) <= 200);
  assert.equal(world.ambiguous(sequence)[0]?.outcome, AmbiguousCause.RESPONSE_TIMEOUT);
  world.run(20);
  assert.equal(world.sessionWord(0, SessionWord.WINDOW_USED), 1, "it still counts in the window");
  world.smsc.last().answer(submit, "late");
  world.runUntil(() => world.answers(sequence).length === 1);
  assert.equal(world.answers(sequence)[0]?.smscId, "late");
  assert.equal(world.counter("answersLate"), 1);
  world.run(20);
  assert.equal(world.sessionWord(0, SessionWord.WINDOW_USED), 0);
});

test("a late throttling answer is a retry: the message is the ledger's by then", () => {
  const world = new World({ links: [{ responseTimeoutMs: 1000 }] });
  world.bindAll();
  world.submit();
  world.runUntil(() => world.ambiguous().length === 1);
  world.smsc.last().answer(world.smsc.submits()[0]!, S.ESME_RTHROTTLED);
  world.runUntil(() => world.answers().length === 1);
  assert.equal(world.answers()[0]?.outcome, Outcome.RETRY);
  world.run(3000);
  assert.equal(world.smsc.submits().length, 1);
});

test("ten submits without answer, or half a window, end the session", () => {
  for (const [windowMax, tombstones] of [
    [100, 10],
    [6, 3],
    [1, 1],
  ] as const) {
    const world = new World({ links: [{ windowMax, responseTimeoutMs: 500 }] });
    world.bindAll();
    for (let i = 0; i < tombstones - 1; i++) world.submit();
    world.run(1500);
    assert.equal(world.ambiguous().length, tombstones - 1);
    assert.equal(world.boundCount(), 1);
    world.submit();
    world.runUntil(() => world.smsc.last().isClosed, 3000);
    world.run(20);
    assert.equal(world.ambiguous().length, tombstones, "each of them exactly once");
    assert.notEqual(world.sessionWord(0, SessionWord.STATE), SessionState.BOUND);
  }
});
