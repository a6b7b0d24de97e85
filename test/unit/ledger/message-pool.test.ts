/** Messages of a pool lie side by side, and none writes into the next one's row. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessagePool } from "../../../src/ledger/messages/message-pool.ts";
import {
  memoryBytes,
  type MessageState,
  ROOM_BYTES,
} from "../../../src/ledger/messages/message-state.ts";
import { Row, RowPart } from "../../../src/ledger/messages/row-layout.ts";

/** The longest head of a message of one part that shares memory with others. */
const HEAD_MAX = ROOM_BYTES - memoryBytes(0, 1);

function begun(pool: MessagePool, sequence: number, headLength: number): MessageState {
  const message = pool.take(memoryBytes(headLength, 1));
  message.begin(sequence, 1, 8 * sequence, headLength, 1);
  const head = message.at + Row.HEAD;
  message.bytes.fill(sequence, head, head + headLength);
  message.status = sequence;
  for (const part of message.parts) part.receiptAt = sequence;
  return message;
}

test("as long as its row is, a message leaves its neighbours alone", () => {
  const pool = new MessagePool();
  // More than one piece of memory.
  const messages = Array.from({ length: 3000 }, (_, i) => begun(pool, 1 + (i % 200), HEAD_MAX));
  for (const [i, message] of messages.entries()) {
    const sequence = 1 + (i % 200);
    assert.equal(message.sequence, sequence);
    assert.equal(message.logOffset, 8 * sequence);
    assert.equal(message.status, sequence);
    assert.equal(message.parts[0]?.receiptAt, sequence);
    const head = message.at + Row.HEAD;
    const bytes = message.bytes.subarray(head, head + HEAD_MAX);
    assert.ok(bytes.every((byte) => byte === sequence));
  }
  assert.ok(new Set(messages.map(({ bytes }) => bytes)).size > 1);
});

test("a longer row has memory of its own, and does not come back", () => {
  const pool = new MessagePool();
  const long = begun(pool, 1, HEAD_MAX + 1);
  const short = begun(pool, 2, HEAD_MAX);
  assert.notEqual(long.bytes, short.bytes);
  pool.give(long);
  pool.give(short);
  assert.equal(pool.take(ROOM_BYTES), short);
  assert.notEqual(pool.take(ROOM_BYTES + RowPart.FIXED), long);
});

test("there is no message without room for its row", () => {
  const message = new MessagePool().take(ROOM_BYTES);
  assert.throws(() => message.begin(1, 1, 0, HEAD_MAX + 1, 1), RangeError);
  assert.throws(() => message.begin(1, 1, 0, HEAD_MAX, 2), RangeError);
});
