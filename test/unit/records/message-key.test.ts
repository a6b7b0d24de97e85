import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  EPOCH_MAX,
  epochOf,
  formatMessageId,
  ID_HEX_DIGITS,
  neighbourHash,
  nextSequence,
  originOf,
  parseMessageId,
  producerOf,
  sequenceWallMs,
  writeIdDigits,
} from "../../../src/records/message-key.ts";

const NOW = Date.UTC(2026, 5, 1);

test("an id says its key and node again", () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.integer({ min: 0, max: EPOCH_MAX }),
      fc.integer({ min: 0, max: 255 }),
      fc.stringMatching(/^[a-z][a-z0-9-]{0,39}$/),
      (sequence, epoch, producer, node) => {
        const origin = originOf(epoch, producer);
        const id = formatMessageId(node, sequence, origin);
        assert.ok(id.length <= 64);
        assert.deepEqual(parseMessageId(id), { node, key: { sequence, origin } });
        assert.equal(epochOf(origin), epoch);
        assert.equal(producerOf(origin), producer);
        const digits = new Uint8Array(ID_HEX_DIGITS);
        writeIdDigits(sequence, origin, digits, 0);
        assert.equal(`${node}-${Buffer.from(digits).toString("latin1")}`, id);
      },
    ),
  );
});

test("ids sort as their sequences do", () => {
  const pair = fc.tuple(fc.maxSafeNat(), fc.maxSafeNat());
  fc.assert(
    fc.property(pair, ([a, b]) => {
      const [low, high] = [formatMessageId("n", a, 1), formatMessageId("n", b, 1)];
      assert.equal(Math.sign(a - b), low < high ? -1 : low > high ? 1 : 0);
    }),
  );
});

test("sequences count strictly up, also when the clock stands still or goes back", () => {
  let last = 0;
  for (const ms of [NOW, NOW, NOW + 1, NOW - 5000, NOW - 5000, NOW + 2]) {
    const next = nextSequence(last, ms);
    assert.ok(next > last);
    last = next;
  }
  assert.equal(sequenceWallMs(nextSequence(0, NOW)), NOW);
});

test("what is no id is refused", () => {
  const id = formatMessageId("gw-1", nextSequence(0, NOW), originOf(3, 1));
  const refused = [
    "",
    "gw-1",
    id.slice(1, -1),
    `${id}0`,
    id.toUpperCase(),
    id.replaceAll("-", "_"),
  ];
  for (const text of refused) {
    const parsed = parseMessageId(text);
    assert.ok(parsed === null || formatOf(parsed) === text, text);
  }
  assert.equal(parseMessageId(`-${"0".repeat(22)}`), null);
  assert.equal(parseMessageId(`n-${"f".repeat(22)}`), null, "beyond 53 bits");
});

function formatOf(parsed: { node: string; key: { sequence: number; origin: number } }): string {
  return formatMessageId(parsed.node, parsed.key.sequence, parsed.key.origin);
}

test("places of keys are spread, those of eight neighbours over one line", () => {
  const places = 32_768;
  const keys = 24_576;
  for (const [gapMs, perMs] of [
    [1, 1],
    [1, 42],
    [1, 1000],
    [1000, 1],
    [1024, 5],
  ] as const) {
    const loads = new Uint16Array(places);
    for (let i = 0; i < keys; i++) {
      const sequence = nextSequence(0, NOW + Math.floor(i / perMs) * gapMs) + (i % perMs);
      const place = neighbourHash(sequence, originOf(7, i & 1)) & (places - 1);
      loads[place] = (loads[place] as number) + 1;
    }
    assert.ok(Math.max(...loads) <= 16, `${perMs} each ${gapMs} ms`);
  }
  const first = nextSequence(0, NOW);
  const near = Array.from({ length: 8 }, (_, i) => neighbourHash(first + i, 7) & (places - 1));
  assert.equal(new Set(near).size, 8);
  assert.equal(new Set(near.map((place) => place >> 3)).size, 1);
});
