import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionGuard } from "../../../src/workers/connection-guard.ts";

function setUp(connectionsMax: number, descriptorsMax: number) {
  const log: string[] = [];
  const state = { clients: 0, spare: 0, lowest: 0, listening: true, canListen: true, log };
  const guard = new ConnectionGuard({
    connectionsMax,
    descriptorsMax,
    countDescriptors: () => {
      const count = 40 + state.spare + state.clients;
      if (count >= descriptorsMax) throw Object.assign(new Error("full"), { code: "EMFILE" });
      return count;
    },
    openSpare: () => {
      if (40 + state.spare + state.clients >= descriptorsMax) throw new Error("full");
      state.spare += 1;
      return state.lowest;
    },
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
  assert.equal(setUp(10_000, 1024).guard.connectionsMax, 1024 - 104 - 640);
  assert.equal(setUp(10_000, 4000).guard.connectionsMax, 4000 - 104 - 1200);
  assert.equal(setUp(10_000, 500).guard.connectionsMax, 1);
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

test("a probe pauses by the lowest free descriptor, and when there is none", () => {
  const { guard, state } = setUp(100, 1104);
  state.lowest = 104 + 99;
  guard.probe();
  assert.equal(guard.isPaused, false);
  state.lowest = 104 + 100;
  guard.probe();
  assert.equal(guard.isPaused, true);
  const other = setUp(100, 1104);
  other.state.clients = 1000;
  other.guard.probe();
  assert.equal(other.guard.isPaused, true);
  const third = setUp(100, 1104);
  third.state.clients = 2000;
  third.guard.look();
  assert.equal(third.guard.isPaused, true);
  third.guard.look();
  assert.equal(third.guard.isPaused, true, "still nothing to count with");
});

test("a probe tells when to look again: as soon as a flood could reach the bound", () => {
  const after = (connectionsMax: number, connections: number): number => {
    const { guard, state } = setUp(connectionsMax, 50_000);
    // 40 of the process itself and 64 spare ones.
    state.lowest = 104 + connections;
    guard.probe();
    return guard.probeAfterMs;
  };
  assert.equal(after(100, 0), 20);
  assert.equal(after(100, 49), 20);
  assert.equal(after(100, 50), 5);
  assert.equal(after(100, 100), 5);
  assert.equal(after(20_000, 0), 100);
  assert.equal(after(6000, 0), 100);
  assert.equal(after(6000, 2400), 60);
  assert.equal(after(6000, 3000), 5);
});
