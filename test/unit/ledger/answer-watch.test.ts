/** Callers that wait for an operator's answer to a message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { AnswerWatch, WATCHES_MAX } from "../../../src/ledger/flow/answer-watch.ts";
import type { MessageState } from "../../../src/ledger/messages/message-state.ts";
import { PartState } from "../../../src/ledger/messages/part-state.ts";

const KEY = { sequence: 7, origin: 256 };

function answered(key: typeof KEY): MessageState {
  return { ...key, parts: [{ state: PartState.SENT }] } as unknown as MessageState;
}

test("all who wait for one message are told of its answer, each once", () => {
  const watch = new AnswerWatch();
  const told: string[] = [];
  for (const name of ["first", "repeated", "again"]) {
    assert.ok(watch.add(KEY, 1000, (isAnswered) => told.push(`${name} ${isAnswered}`)));
  }
  watch.onStatus(answered({ ...KEY, sequence: 8 }));
  watch.doWork(100);
  assert.deepEqual(told, []);
  watch.onStatus(answered(KEY));
  watch.doWork(200);
  watch.onStatus(answered(KEY));
  watch.doWork(5000);
  assert.deepEqual(told, ["first true", "repeated true", "again true"]);
});

test("each is told when its own time is over", () => {
  const watch = new AnswerWatch();
  const told: string[] = [];
  watch.add(KEY, 1000, (isAnswered) => told.push(`short ${isAnswered}`));
  watch.add(KEY, 3000, (isAnswered) => told.push(`long ${isAnswered}`));
  watch.doWork(1500);
  assert.deepEqual(told, ["short false"]);
  watch.doWork(2900);
  watch.onStatus(answered(KEY));
  watch.doWork(2901);
  assert.deepEqual(told, ["short false", "long true"]);
});

test("their number is bounded, and places come back", () => {
  const watch = new AnswerWatch();
  let told = 0;
  const tell = (): void => {
    told += 1;
  };
  for (let i = 0; i < WATCHES_MAX; i++) assert.ok(watch.add({ ...KEY, sequence: i % 5 }, 10, tell));
  assert.equal(watch.add(KEY, 10, tell), false);
  watch.doWork(1000);
  assert.equal(told, WATCHES_MAX);
  assert.ok(watch.add(KEY, 2000, tell));
});
