import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { AppGrant } from "../../../src/ingress/auth/authentication.ts";
import { BatchTurns, TURN_BYTES_MAX, TURN_MS_MAX } from "../../../src/ingress/calls/batch-turns.ts";
import { CallEnds } from "../../../src/ingress/calls/call-ends.ts";
import type { Exchange } from "../../../src/ingress/http/exchange.ts";
import { allocateLogTable, LogTable } from "../../../src/tables/log-table.ts";
import { HttpRig } from "./http-rig.ts";

const GRANT: AppGrant = { appIndex: 0, appId: 1, appIdText: "1", scopes: 1 };
const DEADLINE_MS = 30_000;

/** What turns ask of an exchange. */
class Call {
  response: object | null = {};
  isHeld = false;
  readonly id: number;
  readonly body: { readonly length: number };
  readonly #hasRoom: boolean;

  constructor(id: number, hasRoom = true, length = 1) {
    this.id = id;
    this.#hasRoom = hasRoom;
    this.body = { length };
  }

  keepBody(): boolean {
    return this.#hasRoom;
  }
}

class Turns {
  nowMs = 0;
  isCrowded = true;
  /** Whether a batch that is admitted takes all the room there is. */
  fills = false;
  readonly admitted: number[] = [];
  readonly turns = new BatchTurns(
    { logTable: new LogTable(allocateLogTable(1)), isCrowded: () => this.isCrowded },
    { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
    new CallEnds(),
  );

  take(call: Call): void {
    this.turns.take(call as unknown as Exchange, GRANT, {
      admit: () => {
        assert.equal(call.isHeld, false);
        this.admitted.push(call.id);
        this.isCrowded ||= this.fills;
      },
    });
  }
}

test("a batch is admitted when there is room again, and none before those that wait", () => {
  const rig = new Turns();
  const first = new Call(1);
  rig.take(first);
  rig.turns.look();
  assert.deepEqual([rig.admitted, first.isHeld], [[], true]);
  rig.isCrowded = false;
  rig.take(new Call(2));
  assert.deepEqual(rig.admitted, []);
  rig.turns.look();
  assert.deepEqual(rig.admitted, [1, 2]);
  rig.take(new Call(3));
  assert.deepEqual(rig.admitted, [1, 2, 3]);
});

test("each that is admitted may fill what was free", () => {
  const rig = new Turns();
  rig.take(new Call(1));
  rig.take(new Call(2));
  rig.isCrowded = false;
  rig.fills = true;
  rig.turns.look();
  assert.deepEqual(rig.admitted, [1]);
});

test("no batch waits longer than its bound, for a gateway that stops, or without memory", () => {
  const rig = new Turns();
  rig.take(new Call(1));
  rig.nowMs = TURN_MS_MAX - 1;
  rig.take(new Call(2));
  rig.take(new Call(3, false));
  rig.turns.look();
  assert.deepEqual(rig.admitted, [3]);
  rig.nowMs = TURN_MS_MAX;
  rig.turns.look();
  assert.deepEqual(rig.admitted, [3, 1]);
  rig.turns.endAll();
  rig.take(new Call(4));
  assert.deepEqual(rig.admitted, [3, 1, 2, 4]);
});

test("waiting bodies leave room for those on their way", () => {
  const rig = new Turns();
  rig.take(new Call(1, true, TURN_BYTES_MAX / 2));
  rig.take(new Call(2, true, TURN_BYTES_MAX / 2));
  rig.take(new Call(3));
  assert.deepEqual(rig.admitted, [3]);
  rig.isCrowded = false;
  rig.turns.look();
  rig.isCrowded = true;
  rig.take(new Call(4, true, TURN_BYTES_MAX));
  rig.turns.look();
  assert.deepEqual(rig.admitted, [3, 1, 2]);
});

test("a client that went away meanwhile has its batch forgotten", () => {
  const rig = new Turns();
  const gone = new Call(1);
  rig.take(gone);
  gone.response = null;
  rig.isCrowded = false;
  rig.turns.look();
  assert.deepEqual([rig.admitted, gone.isHeld], [[], false]);
});

test("a burst of batches waits for the journal instead of being refused", async () => {
  const http = new HttpRig({ pendingMax: 16 });
  after(async () => await http.close());
  http.isJournalStopped = true;
  const path = "/v1/messages:batch";
  const headers = http.headers();
  const texts = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
  const burst = [0, 1, 2, 3].map(async (batch) => {
    const messages = texts.map((text) => ({ to: `+99890123456${batch}`, text }));
    return await http.call({ path, headers, body: JSON.stringify({ messages }) });
  });
  const deadline = Date.now() + DEADLINE_MS;
  while (http.server.openCalls < burst.length && Date.now() < deadline) await sleep(1);
  // What came before it has been read when this one is answered.
  assert.equal((await http.call({ headers, body: '{"to":"+998901234567"}' })).status, 400);
  assert.equal(http.rig.ingress.isCrowded(), true);
  http.isJournalStopped = false;
  for (const answer of await Promise.all(burst)) {
    assert.deepEqual([answer.status, answer.json["accepted"]], [202, texts.length]);
  }
});
