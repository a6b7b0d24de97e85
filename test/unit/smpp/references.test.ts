/** Concatenation references: drawn when the first part is sent, and kept from then on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS, CONCAT_METHOD, REASSEMBLY_MS } from "../../../src/codec/index.ts";
import { FLAG_MAYBE_DUP, NOT_WRITTEN, Outcome } from "../../../src/records/attempt.ts";
import { RETRY_BASE_MS, RETRY_MAX_MS } from "../../../src/smpp/pace/limits.ts";
import { DEFAULT_PROFILE } from "../../support/profile.ts";
import { REDRAW_AFTER_MS } from "../../../src/smpp/reference-draw.ts";
import { decodeSubmit } from "./fake-smsc.ts";
import { type ReturnRecord, World } from "./world.ts";

const parts = ["a", "b", "c"].map((text) => Buffer.from(text));
const FAR = 10 * REASSEMBLY_MS;

/** The 8-bit references that left, by submit_sm. */
function written(world: World): number[] {
  return world.smsc.submits().map((pdu) => decodeSubmit(pdu).shortMessage[3]!);
}

test("a message gets its own reference as it is sent, however long it waited", () => {
  const world = new World();
  for (let i = 0; i < 3; i++) world.submit({ parts });
  // Nothing was drawn while they waited: two hours on, numbers of then would repeat new ones.
  world.run(1000);
  world.nowMs += 2 * REASSEMBLY_MS;
  for (let i = 0; i < 3; i++) world.submit({ parts });
  world.bindAll();
  world.runUntil(() => world.smsc.submits().length >= 9);
  const references = written(world);
  for (let i = 0; i < references.length; i += 3) {
    const own = references.slice(i, i + 3);
    assert.deepEqual(own, [own[0], own[0], own[0]]);
  }
  assert.equal(new Set(references).size, references.length / 3);
  const recorded = world.attempts().filter(({ type }) => type === "SENDING");
  assert.deepEqual(
    recorded.map(({ concatReference }) => concatReference),
    references,
  );
});

test("one part alone has none", () => {
  const world = new World();
  world.bindAll();
  world.submit({ text: "short" });
  world.runUntil(() => world.attempts().length === 1);
  assert.equal(world.attempts()[0]?.concatReference, 0);
});

test("every part keeps it: throttled, cut off, given back, and handed over with it", () => {
  const world = new World({ links: [{ windowMax: 2 }] });
  world.bindAll();
  const { logOffset } = world.submit({ parts, expiresAt: world.clock.wallMs() + FAR });
  world.runUntil(() => world.smsc.submits().length === 2);
  const [first, second] = world.smsc.submits();
  world.smsc.last().answer(first!, COMMAND_STATUS.ESME_RTHROTTLED);
  world.smsc.last().answer(second!, "id-2");
  world.runUntil(() => world.smsc.submits().length >= 4);
  const [reference] = written(world);
  assert.deepEqual(new Set(written(world)), new Set([reference]));
  // The rest of it goes back with its reference when nobody is here to send it.
  const throttled = world.smsc.submits().at(-1)!;
  world.smsc.last().answer(throttled, COMMAND_STATUS.ESME_RTHROTTLED);
  world.smsc.bindStatus = COMMAND_STATUS.ESME_RBINDFAIL;
  world.step();
  world.smsc.last().cut("ECONNRESET");
  const returned: ReturnRecord[] = [];
  world.runUntil(() => {
    returned.push(...world.takeReturns());
    return returned.length > 0;
  });
  assert.equal(returned[0]!.logOffset, logOffset);
  assert.equal(returned[0]!.concatReference, reference);
  const other = new World();
  other.bindAll();
  other.submit({ parts, partsToSend: 4, attempt: 3, concatReference: reference! });
  other.runUntil(() => other.smsc.submits().length === 1);
  assert.deepEqual(written(other), [reference]);
});

test("no operator was offered what is put off: it is never exhausted, and waits on", () => {
  const profile = { ...DEFAULT_PROFILE, attemptsMax: 1 };
  const world = new World({ links: [{ windowMax: 1000 }], profiles: [profile] });
  world.smsc.onSubmit = () => "id";
  world.bindAll();
  const long = { parts: parts.slice(0, 2), expiresAt: world.clock.wallMs() + FAR };
  for (let i = 0; i < 128; i++) {
    world.submit(long);
    world.step();
  }
  world.runUntil(() => world.smsc.submits().length === 256);
  const acceptedAt = world.clock.wallMs();
  const delays = [1, 40_000, 3_600_000].map((waitedMs) => {
    const { sequence } = world.submit({ ...long, acceptedAt: acceptedAt - waitedMs, attempt: 1 });
    world.runUntil(() => world.answers(sequence).length === 2);
    const answers = world.answers(sequence);
    assert.ok(answers.every(({ outcome }) => outcome === Outcome.RETRY));
    return answers[0]!.retryAfterMs;
  });
  assert.equal(delays[0], RETRY_BASE_MS);
  assert.ok(delays[1]! >= 40_000 && delays[1]! < 60_000, "as long again as it waited");
  assert.equal(delays[2], RETRY_MAX_MS);
});

test("beyond what does not repeat in the reassembly time, messages wait for their turn", () => {
  const world = new World({ links: [{ windowMax: 1000 }] });
  world.smsc.onSubmit = () => "id";
  world.bindAll();
  const long = { parts: parts.slice(0, 2), expiresAt: world.clock.wallMs() + FAR };
  for (let i = 0; i < 130; i++) {
    world.submit(long);
    world.step();
  }
  world.run(200);
  assert.equal(world.smsc.submits().length, 256);
  assert.equal(new Set(written(world)).size, 128);
  const putOff = world.answers().filter(({ status }) => status === NOT_WRITTEN);
  assert.deepEqual(
    putOff.map(({ part, attempt, outcome }) => [part, attempt, outcome]),
    [0, 1, 0, 1].map((part) => [part, 1, Outcome.RETRY]),
  );
  assert.ok(putOff.every(({ retryAfterMs }) => retryAfterMs > 0));
  assert.equal(world.worker.messageCount, 0, "the ledger has them now");
  // Another destination, and references of 16 bits, are not concerned.
  world.submit({ ...long, to: "447700900124" });
  world.submit({ ...long, concatMethod: CONCAT_METHOD.udh16 });
  world.runUntil(() => world.smsc.submits().length === 260);
  world.nowMs += REASSEMBLY_MS;
  world.run(2000);
  world.submit({ ...long, attempt: 2 });
  world.runUntil(() => world.smsc.submits().length === 262);
});

test("a message that the SMSC has no part of draws another once its own is old", () => {
  const world = new World();
  world.bindAll();
  world.submit({ parts: parts.slice(0, 2), expiresAt: world.clock.wallMs() + FAR });
  const answerBoth = (count: number, answers: (number | string)[]): void => {
    world.runUntil(() => world.smsc.submits().length === count, 60_000);
    const last = world.smsc.submits().slice(-2);
    last.forEach((pdu, i) => world.smsc.last().answer(pdu, answers[i]!));
    world.step();
  };
  const { ESME_RTHROTTLED } = COMMAND_STATUS;
  answerBoth(2, [ESME_RTHROTTLED, ESME_RTHROTTLED]);
  answerBoth(4, [ESME_RTHROTTLED, ESME_RTHROTTLED]);
  const [first, , soon] = written(world);
  assert.equal(soon, first, "a throttled message does not use up its handset's numbers");
  world.nowMs += REDRAW_AFTER_MS;
  answerBoth(6, [ESME_RTHROTTLED, ESME_RTHROTTLED]);
  answerBoth(8, [ESME_RTHROTTLED, ESME_RTHROTTLED]);
  const [anew, also] = written(world).slice(-2);
  assert.equal(also, anew);
  assert.notEqual(anew, first);
  world.smsc.bindStatus = COMMAND_STATUS.ESME_RBINDFAIL;
  const returned: ReturnRecord[] = [];
  world.smsc.last().cut("ECONNRESET");
  world.runUntil(() => {
    returned.push(...world.takeReturns());
    return returned.length > 0;
  });
  const [back] = returned;
  assert.deepEqual([back!.parts, back!.flags, back!.concatReference], [3, 0, anew]);
  // Whole and of unknown age, it is given another; a part alone, or one that may be there, not.
  const other = new World();
  other.bindAll();
  const known = { parts: parts.slice(0, 2), attempt: 3, concatReference: 77 };
  other.submit(known);
  other.submit({ ...known, partsToSend: 2 });
  other.submit({ ...known, flags: FLAG_MAYBE_DUP });
  other.runUntil(() => other.smsc.submits().length === 5);
  const [drawn, same, ...rest] = written(other);
  assert.equal(drawn, same);
  assert.notEqual(drawn, 77);
  assert.deepEqual(rest, [77, 77, 77]);
  const [recorded] = other.attempts();
  assert.equal(recorded?.concatReference, drawn);
});
