/** Questions to the ledger: answered once, late after a while, bounded also when nobody answers. */
import assert from "node:assert/strict";
import { after, beforeEach, test } from "node:test";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import {
  LedgerQuestions,
  QUESTION_MS_MAX,
  QUESTIONS_MAX,
} from "../../../src/workers/ledger-questions.ts";
import type { LedgerQuestion } from "../../../src/workers/thread-data.ts";

const STATUS = { kind: "status" } as const;
const WAIT = { kind: "answer", sequence: 1, origin: 2, appId: 3, waitMs: 30_000 } as const;

const clock = { nowMs: 1000, monotonicMs: () => clock.nowMs, wallMs: () => clock.nowMs };
let questions: LedgerQuestions;
let ledger: MessagePort;
let told: string[] = [];

beforeEach(() => {
  ledger?.close();
  const { port1, port2 } = new MessageChannel();
  ledger = port2;
  questions = new LedgerQuestions(port1, clock);
  told = [];
});
after(() => ledger.close());

function ask(name: string, question: typeof STATUS | typeof WAIT = STATUS): boolean {
  const tell = (what: string) => (answer: unknown) =>
    told.push(`${name} ${what} ${String(answer)}`);
  return questions.ask(question, tell("told"), tell("too late"));
}

/** The ledger answers the oldest question that it has not looked at. */
async function answer(document: string): Promise<void> {
  const { message } = receiveMessageOnPort(ledger) as { message: { question: number } };
  const before = told.length;
  ledger.postMessage({ question: message.question, document });
  while (told.length === before) await new Promise((resolve) => setImmediate(resolve));
}

test("an answer in time is told once, and nothing else", async () => {
  ask("a");
  clock.nowMs += QUESTION_MS_MAX - 1;
  questions.look();
  assert.equal(questions.isQuiet, false);
  await answer("yes");
  clock.nowMs += QUESTION_MS_MAX;
  questions.look();
  assert.deepEqual(told, ["a told yes"]);
  assert.equal(questions.isQuiet, true);
});

test("who waits too long is told late, once, and hears of the answer apart", async () => {
  ask("a");
  clock.nowMs += QUESTION_MS_MAX;
  questions.look();
  questions.look();
  assert.deepEqual(told, ["a told late"]);
  assert.equal(questions.isQuiet, true, "a drain waits for it no more");
  await answer("yes");
  assert.deepEqual(told, ["a told late", "a too late yes"]);
});

test("who waits for an operator has that time besides; a drain goes on", async () => {
  ask("a", WAIT);
  assert.equal(questions.isQuiet, true);
  clock.nowMs += WAIT.waitMs + QUESTION_MS_MAX - 1;
  questions.look();
  assert.deepEqual(told, []);
  await answer("answered");
  assert.deepEqual(told, ["a told answered"]);
});

test("a ledger that stands still is asked no more than so much, late or not", async () => {
  for (let i = 0; i < QUESTIONS_MAX; i++) assert.ok(ask(String(i)));
  assert.equal(ask("one more"), false);
  clock.nowMs += QUESTION_MS_MAX;
  questions.look();
  assert.equal(told.length, QUESTIONS_MAX);
  assert.equal(ask("one more"), false);
  await answer("at last");
  assert.ok(ask("one more"));
});

test("orders to cancel go to who takes them, and back if nobody does", async () => {
  const order = { sequence: 7, origin: 8, poolIndex: 0, priority: 1, appIndex: 0, logOffset: 64 };
  const post = async (isDone: () => boolean): Promise<void> => {
    ledger.postMessage({ cancel: order });
    while (!isDone()) await new Promise((resolve) => setImmediate(resolve));
  };
  let refused: LedgerQuestion | undefined;
  await post(() => {
    refused = receiveMessageOnPort(ledger)?.message as LedgerQuestion | undefined;
    return refused !== undefined;
  });
  assert.deepEqual(refused, { kind: "cancel_refused", sequence: 7, origin: 8 });
  let taken: unknown = null;
  questions.onCancel((given) => (taken = given));
  await post(() => taken !== null);
  assert.deepEqual(taken, order);
});
