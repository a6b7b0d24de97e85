/** Another plan for running workers: links, pools, windows, sessions that come, change and go. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import type { DerivedLink } from "../../../src/config/derive.ts";
import { SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import { DEFAULT_PROFILE } from "../../support/profile.ts";
import { decodeSubmit } from "./fake-smsc.ts";
import { linkConfig, poolOf, World, type WorldOptions } from "./world.ts";

const BOTH = [
  { linkIndex: 0, weight: 1 },
  { linkIndex: 1, weight: 1 },
];
const TWO: WorldOptions = {
  links: [{ windowMax: 10 }, { windowMax: 10 }],
  pools: [{ members: BOTH }],
};
const FIRST = 2775;
const SECOND = 2776;

function stateOf(world: World, row: number): number {
  return world.sessionWord(row, SessionWord.STATE);
}

/** Answers what has not been answered yet, and everything from now on. */
function answerAll(world: World, port: number): void {
  const socket = world.smsc.last(port);
  for (const pdu of socket.submits()) socket.answer(pdu, world.smsc.nextId());
  world.smsc.onSubmit = () => world.smsc.nextId();
}

test("a removed link finishes its window and unbinds; its share goes to the others at once", () => {
  const world = new World(TWO);
  world.bindAll();
  for (let i = 0; i < 8; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 8);
  const first = world.smsc.last(FIRST);
  assert.equal(first.submits().length, 4);
  world.reload([world.links[1]!], [poolOf(0, [BOTH[1]!])]);
  for (let i = 0; i < 4; i++) world.submit();
  world.runUntil(() => world.smsc.last(SECOND).submits().length === 8);
  world.run(500);
  assert.equal(first.submits().length, 4);
  assert.equal(first.of(COMMAND_ID.unbind).length, 0, "its window is not empty");
  answerAll(world, FIRST);
  world.runUntil(() => stateOf(world, 0) === SessionState.CLOSED);
  assert.equal(first.of(COMMAND_ID.unbind).length, 1);
  assert.equal(world.ambiguous().length, 0);
  world.run(10_000);
  assert.equal(world.smsc.sockets.length, 2, "it is not dialled again");
  world.reload(world.links, [poolOf(0, BOTH)]);
  world.runUntil(() => stateOf(world, 0) === SessionState.BOUND);
  world.submit();
  world.submit();
  world.runUntil(() => world.smsc.last(FIRST).submits().length === 1);
});

test("the rest of a message, and what was throttled, leaves a removed link", () => {
  const world = new World({ ...TWO, links: [{ windowMax: 2 }, { windowMax: 10 }] });
  world.smsc.onSubmit = (_, socket) => (socket.port === FIRST ? null : world.smsc.nextId());
  world.bindAll();
  const parts = Array.from({ length: 5 }, (_, i) => Buffer.from(`part ${i}`, "latin1"));
  world.submit({ parts });
  world.runUntil(() => world.smsc.submits().length === 2);
  const first = world.smsc.last(FIRST);
  assert.equal(first.submits().length, 2, "the window holds the rest back");
  // One is throttled: it is kept for this link, and makes room for the next.
  first.answer(first.submits()[0]!, 0x58);
  world.runUntil(() => first.submits().length === 3);
  world.reload([world.links[1]!], [poolOf(0, [BOTH[1]!])]);
  world.runUntil(() => world.smsc.last(SECOND).submits().length === 3);
  for (const pdu of first.submits().slice(1)) first.answer(pdu, world.smsc.nextId());
  world.runUntil(() => stateOf(world, 0) === SessionState.CLOSED);
  const texts = world.smsc
    .last(SECOND)
    .submits()
    .map((pdu) => Buffer.from(decodeSubmit(pdu).shortMessage).toString("latin1").slice(-6));
  assert.deepEqual(texts.sort(), ["part 0", "part 3", "part 4"]);
  assert.equal(world.takeReturns().length, 0);
});

test("an added link and an added pool take traffic as soon as they are bound", () => {
  const world = new World({ ...TWO, workers: 2 });
  world.smsc.onSubmit = () => world.smsc.nextId();
  world.bindAll();
  const added: DerivedLink = {
    linkIndex: 2,
    config: linkConfig(2, { sessions: 2 }),
    sessionRows: [2, 3],
    profile: DEFAULT_PROFILE,
  };
  const only = poolOf(1, [{ linkIndex: 2, weight: 1 }]);
  world.reload([...world.links, added], [poolOf(0, BOTH), only]);
  world.runUntil(() => stateOf(world, 2) === SessionState.BOUND);
  world.runUntil(() => stateOf(world, 3) === SessionState.BOUND);
  assert.equal(world.credits.openSessions(0, 2), 1);
  assert.equal(world.credits.openSessions(1, 2), 1);
  assert.ok(world.creditsOf(1, 1, 0) > 0);
  for (let i = 0; i < 40; i++) world.submit({ poolIndex: 1, worker: i % 2 });
  world.runUntil(() => world.smsc.submits().length === 40);
  const ports = new Set(
    world.smsc.sockets.filter((socket) => socket.submits().length > 0).map(({ port }) => port),
  );
  assert.deepEqual([...ports], [2777]);
});

test("another account binds once the window is empty, never beside the old bind", () => {
  const world = new World({ links: [{ windowMax: 10 }] });
  world.bindAll();
  for (let i = 0; i < 3; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 3);
  const [link] = world.links as [DerivedLink];
  const config = { ...link.config, systemId: "other", windowMax: 50 };
  world.reload([{ ...link, config }], world.pools);
  for (let i = 0; i < 30; i++) world.submit();
  world.run(300);
  assert.equal(world.smsc.submits().length, 3, "nothing new goes out under the old account");
  assert.equal(world.smsc.sockets.length, 1);
  assert.equal(world.takeReturns().length, 30, "what came meanwhile is the producer's again");
  answerAll(world, FIRST);
  world.smsc.onSubmit = () => null;
  world.runUntil(() => world.smsc.sockets.length === 2 && stateOf(world, 0) === 3);
  assert.ok(world.smsc.sockets[0]?.isClosed);
  for (let i = 0; i < 60; i++) world.submit();
  world.run(300);
  assert.equal(world.smsc.last().submits().length, 50, "the new window");
  const [bind] = world.smsc.last().of(COMMAND_ID.bind_transceiver);
  assert.match(Buffer.from(bind?.bytes ?? []).toString("latin1"), /other/);
  assert.equal(world.ambiguous().length, 0);
});

test("a link that changes only its rate, weight or timeouts keeps its connection", () => {
  const world = new World({ links: [{ rateTps: 10 }] });
  world.smsc.onSubmit = () => world.smsc.nextId();
  world.bindAll();
  const [link] = world.links as [DerivedLink];
  const config = { ...link.config, rateTps: 200, responseTimeoutMs: 5000 };
  for (let i = 0; i < 15; i++) world.submit();
  world.run(500);
  const before = world.smsc.submits().length;
  assert.ok(before <= 10, `${before} of 10 a second`);
  world.reload([{ ...link, config }], [poolOf(0, [{ linkIndex: 0, weight: 7 }])]);
  for (let i = 0; i < 100; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 115, 3000);
  assert.equal(world.smsc.sockets.length, 1);
});

test("fewer sessions: the last ones go; more: they come, and hold more messages", () => {
  const world = new World({ links: [{ sessions: 2, windowMax: 10 }] });
  world.smsc.onSubmit = () => world.smsc.nextId();
  world.bindAll();
  const [link] = world.links as [DerivedLink];
  const withSessions = (sessionRows: number[]): DerivedLink => ({
    ...link,
    config: { ...link.config, sessions: sessionRows.length },
    sessionRows,
  });
  world.reload([withSessions([0])], world.pools);
  world.runUntil(() => stateOf(world, 1) === SessionState.CLOSED);
  assert.equal(stateOf(world, 0), SessionState.BOUND);
  world.reload([withSessions([0, 1, 2])], world.pools);
  world.runUntil(() => [0, 1, 2].every((row) => stateOf(world, row) === SessionState.BOUND));
  for (let i = 0; i < 300; i++) world.submit();
  world.runUntil(() => world.smsc.submits().length === 300);
});

test("a removed pool gives back what waits, and a later one of its index takes it again", () => {
  const world = new World({ ...TWO, pools: [{ members: BOTH }, { members: [BOTH[0]!] }] });
  world.bindAll();
  world.smsc.onSubmit = () => null;
  for (let i = 0; i < 30; i++) world.submit({ poolIndex: 1 });
  world.runUntil(() => world.smsc.submits().length === 10);
  world.reload(world.links, [poolOf(0, BOTH)]);
  world.run(20);
  const returned = world.takeReturns();
  assert.equal(returned.length, 20);
  assert.ok(returned.every(({ poolIndex, linkId }) => poolIndex === 1 && linkId === 0));
  assert.equal(world.credits.weight(0, 1), 0);
  answerAll(world, FIRST);
  world.reload(world.links, [poolOf(0, BOTH), poolOf(1, [BOTH[1]!])]);
  world.run(20);
  assert.ok(world.credits.weight(0, 1) > 0);
  world.submit({ poolIndex: 1 });
  world.runUntil(() => world.smsc.last(SECOND).submits().length === 1);
});
