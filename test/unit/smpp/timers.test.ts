import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS } from "../../../src/codec/index.ts";
import { DialLimiter } from "../../../src/smpp/session/dial-limiter.ts";
import {
  dueAction,
  RedialKind,
  redialDelayMs,
  redialKindOf,
  type SessionTimes,
  TimerAction,
} from "../../../src/smpp/session/timers.ts";
import { allocateDials, SessionState } from "../../../src/tables/link-table.ts";

const ENQUIRE_MS = 15_000;

function times(over: Partial<SessionTimes>): SessionTimes {
  return {
    state: SessionState.BOUND,
    since: 0,
    lastPduAt: 0,
    enquireSentAt: -1,
    undrainedSince: -1,
    owedSince: -1,
    pausedSince: -1,
    dialAt: 0,
    ...over,
  };
}

const CASES: readonly [string, Partial<SessionTimes>, number, number][] = [
  ["backoff", { state: SessionState.BACKOFF, dialAt: 500 }, 500, TimerAction.DIAL],
  ["connect", { state: SessionState.CONNECTING }, 5_000, TimerAction.CONNECT_TIMED_OUT],
  ["bind", { state: SessionState.BINDING }, 10_000, TimerAction.BIND_TIMED_OUT],
  ["unbind", { state: SessionState.UNBINDING }, 5_000, TimerAction.UNBIND_TIMED_OUT],
  ["silence", {}, ENQUIRE_MS, TimerAction.SEND_ENQUIRE_LINK],
  ["enquire", { enquireSentAt: 100 }, 10_100, TimerAction.ENQUIRE_TIMED_OUT],
  ["zero window", { undrainedSince: 7 }, 30_007, TimerAction.PEER_DOES_NOT_READ],
  ["flood", { owedSince: 7, pausedSince: 7 }, 30_007, TimerAction.PEER_FLOODS],
];

for (const [name, over, dueAt, action] of CASES) {
  test(`${name}: due at its time and not before`, () => {
    const at = (now: number): number =>
      dueAction(
        times({ lastPduAt: name === "silence" ? 0 : now, ...over }),
        now,
        ENQUIRE_MS,
        false,
      );
    assert.equal(at(dueAt - 1), TimerAction.NONE);
    assert.equal(at(dueAt), action);
  });
}

test("silence does not count while nothing is read, nor in a time of grace", () => {
  const now = 60_000;
  assert.equal(dueAction(times({ pausedSince: 10 }), now, ENQUIRE_MS, false), TimerAction.NONE);
  assert.equal(dueAction(times({}), now, ENQUIRE_MS, true), TimerAction.NONE);
  const connecting = times({ state: SessionState.CONNECTING });
  assert.equal(dueAction(connecting, now, ENQUIRE_MS, true), TimerAction.NONE);
  assert.equal(
    dueAction(times({ state: SessionState.CLOSED }), now, ENQUIRE_MS, false),
    TimerAction.NONE,
  );
});

test("redial: full jitter up to 1 s, 2 s, … 60 s", () => {
  const caps = [0, 1, 2, 3, 4, 5, 6, 7, 100].map((n) => redialDelayMs(RedialKind.ORDINARY, n, 1));
  assert.deepEqual(caps, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  assert.equal(redialDelayMs(RedialKind.ORDINARY, 5, 0), 0);
});

test("redial after a refusal: never soon", () => {
  assert.equal(redialDelayMs(RedialKind.SLOW, 0, 0), 30_000);
  assert.equal(redialDelayMs(RedialKind.SLOW, 0, 1), 45_000);
  assert.equal(redialDelayMs(RedialKind.SLOW, 1, 0), 60_000);
  assert.equal(redialDelayMs(RedialKind.SLOW, 50, 0), 300_000);
  for (let n = 0; n < 10; n++) {
    assert.equal(redialDelayMs(RedialKind.ALREADY_BOUND, n, 0), 5_000);
    assert.ok(redialDelayMs(RedialKind.ALREADY_BOUND, n, 1) <= 60_000);
  }
  assert.equal(redialKindOf(COMMAND_STATUS.ESME_RALYBND), RedialKind.ALREADY_BOUND);
  for (const status of [0x0d, 0x0e, 0x0f, 0x53]) {
    assert.equal(redialKindOf(status), RedialKind.SLOW);
  }
  assert.equal(redialKindOf(COMMAND_STATUS.ESME_RSYSERR), RedialKind.ORDINARY);
});

test("dials of one host: a burst, then one each interval, over all workers", () => {
  const words = new Int32Array(allocateDials());
  const workers = [new DialLimiter(words), new DialLimiter(words)];
  let dialled = 0;
  for (let now = 5_000; now < 6_000; now++) {
    for (const limiter of workers) if (limiter.tryDial("a.example", now)) dialled++;
  }
  assert.ok(dialled >= 17 && dialled <= 18, `${dialled} dials in a second`);
  assert.ok(workers[0]!.tryDial("b.example", 6_000), "another host does not wait");
  while (workers[0]!.tryDial("a.example", 6_000)) dialled++;
  assert.ok(!workers[1]!.tryDial("A.Example", 6_000), "a host is the same in any case of letters");
});
