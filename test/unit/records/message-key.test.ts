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

/** How many keys share the place of a key, in the mean: 1 + keys / places if they lie at random. */
function meanChain(keys: number, places: number, sequenceOf: (i: number) => number): number {
  const loads = new Uint32Array(places);
  for (let i = 0; i < keys; i++) {
    const place = neighbourHash(sequenceOf(i), originOf(7, i & 1)) & (places - 1);
    loads[place] = (loads[place] as number) + 1;
  }
  return loads.reduce((sum, load) => sum + load * load, 0) / keys;
}

const GAPS_MS = [1, 10, 1000, 1024, 4096, 60_000, 65_536, 262_144];
const KEYS = 131_072;

for (const places of [8192, 131_072]) {
  test(`keys at even spaces are spread over ${places} places`, () => {
    for (const gapMs of GAPS_MS) {
      for (const perMs of [1, 5, 42, 1000]) {
        const chain = meanChain(
          KEYS,
          places,
          (i) => nextSequence(0, NOW + Math.floor(i / perMs) * gapMs) + (i % perMs),
        );
        assert.ok(chain < 1 + KEYS / places + 1, `${perMs} each ${gapMs} ms: ${chain}`);
      }
    }
  });
}

test("places of eight neighbours share one line", () => {
  const places = 32_768;
  const first = nextSequence(0, NOW);
  const near = Array.from({ length: 8 }, (_, i) => neighbourHash(first + i, 7) & (places - 1));
  assert.equal(new Set(near).size, 8);
  assert.equal(new Set(near.map((place) => place >> 3)).size, 1);
});
