/** Messages come off a stack as they were put on it, whatever was there before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageStack } from "../../../src/ledger/messages/message-stack.ts";
import { MessageState } from "../../../src/ledger/messages/message-state.ts";

test("what is put on and taken off is what an array would hold", () => {
  const stack = new MessageStack();
  const all = Array.from({ length: 40 }, () => new MessageState());
  const expected: MessageState[] = [];
  for (let step = 0; step < 2000; step++) {
    const message = all[step % all.length] as MessageState;
    if (step % 97 === 96) {
      stack.clear();
      expected.length = 0;
    } else if (step % 5 === 4 && expected.length > 0) {
      assert.equal(stack.pop(), expected.pop());
    } else if (step % 7 === 6 && expected.length > 0) {
      stack.replace(stack.count >> 1, message);
      expected[expected.length >> 1] = message;
    } else {
      stack.push(message);
      expected.push(message);
    }
    assert.equal(stack.count, expected.length);
    if (expected.length > 0) assert.equal(stack.last, expected.at(-1));
    for (const [index, held] of expected.entries()) assert.equal(stack.at(index), held);
  }
});
