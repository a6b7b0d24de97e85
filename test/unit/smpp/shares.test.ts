/**
 * Shares of the links of a pool (scorecard L8): weights 5:1:1 over two workers behind a real
 * dispatcher, one link flapping.
 *
 * Expected is, for each segment at its instant, the weight of each bound link over the sum of them.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyDispatchEntry } from "../../../src/dispatch/waiting-room.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { World } from "./world.ts";

const SEEDS = Number(process.env.L8_SEEDS ?? "2");
const MESSAGES = Number(process.env.L8_MESSAGES ?? "10000");
const WEIGHTS = [5, 1, 1];
const PORT = 2775;
const ERROR_MAX = 0.01;

function flappingWorld(sessions: number): World {
  return new World({
    workers: 2,
    links: WEIGHTS.map(() => ({ sessions, windowMax: 500 })),
    pools: [{ members: WEIGHTS.map((weight, linkIndex) => ({ linkIndex, weight })) }],
  });
}

interface Shares {
  readonly written: number[];
  readonly expected: number[];
  readonly flaps: number;
}

/** Sends all messages while `flapping` comes and goes. */
function run(world: World, seed: number, flapping: number): Shares {
  const random = seededRandom(seed);
  const dispatcher = world.dispatcher();
  const isDown = [false, false, false];
  world.smsc.onSubmit = (pdu, socket) => {
    const link = socket.port - PORT;
    assert.equal(isDown[link], false, "a dead link got a segment");
    (written[link] as number)++;
    const up = WEIGHTS.map((weight, one) => (isDown[one] === true ? 0 : weight));
    const sum = up.reduce((all, weight) => all + weight, 0);
    for (const one of [0, 1, 2]) (expected[one] as number) += (up[one] as number) / sum;
    return pdu.sequenceNumber.toString(16);
  };
  const written = [0, 0, 0];
  const expected = [0, 0, 0];
  world.bindAll();
  let flaps = 0;
  let changeAtMs = world.nowMs + 50;
  for (let sent = 0; written[0]! + written[1]! + written[2]! < MESSAGES; ) {
    for (let i = 0; i < 20 && sent < MESSAGES; i++, sent++) {
      const entry = { ...emptyDispatchEntry(), logOffset: world.accept(), priority: 1 };
      dispatcher.submit(entry, null, 0, 0);
    }
    dispatcher.doWork(world.clock.wallMs());
    world.step();
    const own = world.smsc.sockets.filter(({ port }) => port === PORT + flapping);
    if (isDown[flapping] === true && world.boundCount() === world.sessionCount) {
      isDown[flapping] = false;
      changeAtMs = world.nowMs + 20 + random() * 60;
    } else if (isDown[flapping] === false && world.nowMs >= changeAtMs) {
      isDown[flapping] = true;
      flaps++;
      for (const socket of own) socket.cut("ECONNRESET");
    }
    assert.ok(world.nowMs < 2_000_000, "the messages do not get through");
  }
  assert.equal(dispatcher.waitingCount, 0);
  return { written, expected, flaps };
}

for (const [name, flapping] of [
  ["the heavy link", 0],
  ["a light link", 2],
] as const) {
  for (const sessions of [1, 2]) {
    test(`weights 5:1:1, ${sessions} session(s), ${name} flapping: ≤ 1 % error`, (t) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const world = flappingWorld(sessions);
        world.randomValue = 0.02;
        const { written, expected, flaps } = run(world, seed, flapping);
        const errors = written.map((count, i) => Math.abs(count - expected[i]!) / MESSAGES);
        t.diagnostic(
          `seed ${seed}: written ${written.join(" ")}, expected ` +
            `${expected.map((share) => share.toFixed(0)).join(" ")}, ${flaps} flaps`,
        );
        assert.ok(flaps >= 3, `${flaps} flaps`);
        assert.ok(Math.max(...errors) <= ERROR_MAX, `seed ${seed}: errors ${errors.join(" ")}`);
      }
    });
  }
}
