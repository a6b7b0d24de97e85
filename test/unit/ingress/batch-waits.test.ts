import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BatchWaits, LAG_FREE_BYTES, WAIT_MS_MAX } from "../../../src/ingress/calls/batch-waits.ts";
import { allocateLogTable, LogTable, LogWord } from "../../../src/tables/log-table.ts";
import { HttpRig } from "./http-rig.ts";

const http = new HttpRig();
after(async () => await http.close());

class Waits {
  nowMs = 0;
  readonly answered: number[] = [];
  readonly table = new LogTable(allocateLogTable(1));
  readonly waits = new BatchWaits(this.table, {
    monotonicMs: () => this.nowMs,
    wallMs: () => this.nowMs,
  });

  ready(committed: number, id: number): void {
    this.table.store(LogWord.COMMITTED, committed);
    this.waits.answer({ answer: () => void this.answered.push(id) });
  }

  applied(bytes: number): void {
    this.table.store(LogWord.LEDGER_APPLIED, bytes);
    this.waits.look();
  }
}

test("a batch is answered when the ledger is near to what was committed then, in order", () => {
  const rig = new Waits();
  rig.ready(LAG_FREE_BYTES, 1);
  assert.deepEqual(rig.answered, [1]);
  rig.ready(LAG_FREE_BYTES + 100, 2);
  rig.ready(LAG_FREE_BYTES + 200, 3);
  rig.applied(99);
  assert.deepEqual(rig.answered, [1]);
  rig.applied(100);
  assert.deepEqual(rig.answered, [1, 2]);
  rig.ready(LAG_FREE_BYTES + 200, 4);
  rig.applied(200);
  assert.deepEqual(rig.answered, [1, 2, 3, 4]);
});

test("nobody overtakes, though the ledger has just come near", () => {
  const rig = new Waits();
  rig.ready(LAG_FREE_BYTES + 100, 1);
  rig.table.store(LogWord.LEDGER_APPLIED, 100);
  rig.ready(LAG_FREE_BYTES + 100, 2);
  assert.deepEqual(rig.answered, []);
  rig.waits.look();
  assert.deepEqual(rig.answered, [1, 2]);
});

test("no answer waits longer than its bound, or for a gateway that stops", () => {
  const rig = new Waits();
  rig.ready(2 * LAG_FREE_BYTES, 1);
  rig.nowMs = WAIT_MS_MAX - 1;
  rig.ready(2 * LAG_FREE_BYTES, 2);
  rig.waits.look();
  assert.deepEqual(rig.answered, []);
  rig.nowMs = WAIT_MS_MAX;
  rig.waits.look();
  assert.deepEqual(rig.answered, [1]);
  rig.waits.endAll();
  assert.deepEqual(rig.answered, [1, 2]);
  rig.ready(2 * LAG_FREE_BYTES, 3);
  assert.deepEqual(rig.answered, [1, 2, 3]);
});

test("a batch waits for the ledger over HTTP; single messages and refusals do not", async () => {
  const { logTable } = http.rig.ingress;
  const far = -LAG_FREE_BYTES - 1024 * 1024;
  logTable.store(LogWord.LEDGER_APPLIED, far);
  const headers = http.headers();
  const path = "/v1/messages:batch";
  const message = { to: "+998901234567", text: "x" };
  const order: string[] = [];
  const batch = http
    .call({ path, headers, body: JSON.stringify({ messages: [message] }) })
    .finally(() => order.push("batch"));
  const refused = await http.call({ path, headers, body: '{"messages":[{"to":"x"}]}' });
  assert.equal(refused.json["accepted"], 0);
  const single = await http.call({ headers, body: JSON.stringify(message) });
  assert.equal(single.status, 202);
  order.push("single");
  logTable.store(LogWord.LEDGER_APPLIED, logTable.load(LogWord.COMMITTED));
  assert.equal((await batch).status, 202);
  assert.deepEqual(order, ["single", "batch"]);
});
