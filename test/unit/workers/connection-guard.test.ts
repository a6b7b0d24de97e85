import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionGuard } from "../../../src/workers/connection-guard.ts";

function setUp(connectionsMax: number, descriptorsMax: number) {
  const state = { clients: 0, spare: 0, listening: true, canListen: true, log: [] as string[] };
  const guard = new ConnectionGuard({
    connectionsMax,
    descriptorsMax,
    countDescriptors: () => 40 + state.spare + state.clients,
    openSpare: () => state.spare++,
    closeSpare: () => {
      state.spare -= 1;
    },
    pause: () => {
      state.listening = false;
    },
    resume: () => {
      if (!state.canListen) throw new Error("port in use");
      state.listening = true;
    },
    log: { write: (_, operation) => state.log.push(operation) },
  });
  const look = (clients: number): boolean => {
    state.clients = clients;
    guard.look();
    assert.equal(guard.isPaused, !state.listening);
    return state.listening;
  };
  return { guard, state, look };
}

test("listening pauses at the bound and resumes with a quarter of it free", () => {
  const { guard, state, look } = setUp(100, 20_000);
  assert.equal(guard.connectionsMax, 100);
  assert.equal(look(99), true);
  assert.equal(state.spare, 64);
  assert.equal(look(100), false);
  assert.equal(state.spare, 0, "descriptors for others");
  assert.equal(look(400), false);
  assert.equal(look(76), false);
  assert.equal(look(75), true);
  assert.equal(state.spare, 64);
  assert.deepEqual(state.log, ["too many connections: listening paused", "listening again"]);
});

test("the bound leaves a part of the descriptors that the process may have", () => {
  assert.equal(setUp(10_000, 1104).guard.connectionsMax, 700);
  assert.equal(setUp(10_000, 50).guard.connectionsMax, 1);
});

test("a port that cannot be had again is tried at the next look", () => {
  const { guard, state } = setUp(100, 20_000);
  state.clients = 100;
  guard.look();
  state.clients = 0;
  state.canListen = false;
  assert.throws(() => guard.look(), /port in use/);
  assert.equal(guard.isPaused, true);
  state.canListen = true;
  guard.look();
  assert.equal(guard.isPaused, false);
  assert.equal(state.spare, 64);
});
