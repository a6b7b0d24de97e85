/**
 * The simulated network: bytes arrive whole and in order or the connection ends; it tells of
 * misused buffers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketEvents } from "../../../src/environment.ts";
import type { Listener, ServerEnd } from "../../sim/simulated-network.ts";
import { makeWorld } from "./world.ts";

function record(events: string[], received: number[]): SocketEvents {
  return {
    onConnect: () => events.push("connect"),
    onData: (bytes, start, end) => received.push(...bytes.subarray(start, end)),
    onDrain: () => events.push("drain"),
    onClose: (cause) => events.push(`close ${cause}`),
  };
}

function makeNetwork(seed: number) {
  const world = makeWorld(seed);
  const agent = { name: "worker", doWork: () => 0 };
  world.scheduler.setAgents([agent]);
  const atServer: number[] = [];
  const ends: ServerEnd[] = [];
  let serverClosed = 0;
  const listener: Listener = {
    greet: () => "accept",
    accept: (end) => {
      ends.push(end);
      return {
        onData: (bytes) => atServer.push(...bytes),
        onClose: () => serverClosed++,
      };
    },
  };
  world.network.listen(2775, listener);
  const run = (ms: number): void => {
    assert.equal(
      world.scheduler.run(() => false, world.clock.monotonicMs() + ms),
      null,
    );
  };
  return { ...world, atServer, ends, run, serverClosed: () => serverClosed };
}

test("bytes arrive whole and in order in both directions, cut at odd places", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { network, atServer, ends, run } = makeNetwork(seed);
    network.weather.splitChance = 1;
    const events: string[] = [];
    const received: number[] = [];
    const socket = network.dialFor(0)("host", 2775, record(events, received));
    run(20);
    const sent = Uint8Array.from({ length: 100 }, (_, i) => i);
    socket.write(sent, 0, 60);
    socket.write(sent, 60, 100);
    ends[0]!.write(sent.subarray(0, 50));
    ends[0]!.write(sent.subarray(50));
    run(50);
    assert.deepEqual(atServer, [...sent]);
    assert.deepEqual(received, [...sent]);
    assert.deepEqual(events, ["connect", "drain"]);
  }
});

test("a close lets bytes under way arrive, a reset does not, and each is told once", () => {
  for (const how of ["fin", "rst"] as const) {
    const { network, ends, run } = makeNetwork(1);
    const events: string[] = [];
    const received: number[] = [];
    const socket = network.dialFor(0)("host", 2775, record(events, received));
    run(20);
    network.weather.latencyMs = 30;
    ends[0]!.write(Uint8Array.of(1, 2, 3));
    run(1);
    ends[0]!.close(how);
    run(100);
    socket.destroy("again");
    run(100);
    assert.equal(received.length, how === "fin" ? 3 : 0);
    assert.equal(events.filter((event) => event.startsWith("close")).length, 1);
  }
});

test("a refused dial ends, a hanging one says nothing, a half-open one neither", () => {
  const { network, run, ends, atServer } = makeNetwork(2);
  const refused: string[] = [];
  network.dialFor(0)("host", 1, record(refused, []));
  const nobody: string[] = [];
  network.listen(2, { greet: () => "refuse", accept: () => assert.fail() });
  network.dialFor(0)("host", 2, record(nobody, []));
  const open: string[] = [];
  const socket = network.dialFor(0)("host", 2775, record(open, []));
  run(50);
  assert.deepEqual(refused, []);
  assert.deepEqual(nobody, ["close ECONNREFUSED"]);
  network.anyConnection()!.freeze();
  socket.write(Uint8Array.of(9), 0, 1);
  ends[0]!.write(Uint8Array.of(9));
  run(5000);
  assert.deepEqual(atServer, []);
  assert.deepEqual(open, ["connect", "drain"]);
});

test("a buffer that changes before onDrain is found", () => {
  const { network, run } = makeNetwork(3);
  const complaints: string[] = [];
  network.onViolation = (what) => complaints.push(what);
  const socket = network.dialFor(0)("host", 2775, record([], []));
  run(20);
  const bytes = Uint8Array.of(1, 2, 3);
  socket.write(bytes, 0, 3);
  bytes[1] = 7;
  run(20);
  assert.equal(complaints.length, 1);
});

test("a killed process has its written bytes delivered and hears nothing more", () => {
  const { network, run, atServer, ends, serverClosed } = makeNetwork(4);
  const events: string[] = [];
  const socket = network.dialFor(0)("host", 2775, record(events, []));
  run(20);
  socket.write(Uint8Array.of(1, 2, 3), 0, 3);
  ends[0]!.write(Uint8Array.of(4));
  network.killProcess(false);
  run(100);
  assert.deepEqual(atServer, [1, 2, 3]);
  assert.deepEqual(events, ["connect"]);
  assert.equal(serverClosed(), 1);
});
