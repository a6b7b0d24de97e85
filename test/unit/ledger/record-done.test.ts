/** When the strikes of a record that was in hand at a crash may be forgotten. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isRecordDone } from "../../../src/ledger/flow/record-done.ts";
import { readPosition } from "../../../src/ledger/store/meta.ts";
import { Harness } from "./harness.ts";
import { accept, answer, key, receipt, sending } from "./records.ts";

test("a record is done behind the cursor, an ACCEPT when its message has ended", () => {
  const harness = new Harness();
  harness.work();
  const [open, ended, sent] = harness.feed(
    accept(key(1)),
    accept(key(2)),
    sending(key(2)),
    answer(key(2), { id: "2" }),
    receipt("2", 2),
  ) as [number, number, number];
  assert.equal(harness.ledger.getMessage(key(2), 7)?.status, "delivered");
  harness.flush();
  const isDone = (logOffset: number): boolean =>
    isRecordDone(logOffset, readPosition(harness.store).replayFrom, harness.log, harness.store);
  assert.deepEqual([open, ended, sent].map(isDone), [false, true, true]);
  const [ahead, answered] = harness.feed(accept(key(3)), sending(key(3))) as [number, number];
  assert.deepEqual([ahead, answered].map(isDone), [false, false], "to be applied again");
  harness.log.lose(open);
  assert.equal(isDone(open), true, "its text is gone: no worker gets it again");
});

test("a log that cannot be read forgets nothing", () => {
  const harness = new Harness();
  harness.work();
  const [offset] = harness.feed(accept(key(1))) as [number];
  harness.flush();
  const loader = {
    memory: harness.log.memory,
    load: (): number => {
      throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    },
  };
  assert.equal(
    isRecordDone(offset, readPosition(harness.store).replayFrom, loader, harness.store),
    false,
  );
});
