/** Reference numbers: what repeats, when they run out, and what threads and restarts do to them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ConcatReferences,
  hashAddressBytes,
  hashAddresses,
  REFERENCES_EXHAUSTED,
} from "../../../../src/codec/index.ts";
import { createRandom } from "../support/random-pdu.ts";

const REASSEMBLY_MS = 60_000;
const START = Date.UTC(2026, 10, 22);

const wordsOf = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * count));
const hashOf = (to: string): number => hashAddresses("ACME", 0, to, 0);

describe("ConcatReferences", () => {
  for (const bits of [8, 16] as const) {
    const range = 2 ** bits;

    it(`gives half of ${range} numbers at once, and then the others as time passes`, () => {
      const references = new ConcatReferences(bits, wordsOf(4), REASSEMBLY_MS);
      const seen = new Set<number>();
      let count = 0;
      for (; !references.isExhausted(7, START); count++) {
        const reference = references.take(7, START);
        assert.ok(reference >= (bits === 16 ? 256 : 1) && reference < range);
        seen.add(reference);
      }
      assert.equal(seen.size, count);
      const skipped = bits === 16 ? 256 : 1;
      assert.ok(count === range / 2 || count === range / 2 - skipped, `${count}`);
      assert.equal(references.take(7, START), REFERENCES_EXHAUSTED);
      // What is refused takes nothing, however often it is asked for.
      for (let i = 0; i < 1000; i++) references.take(7, START);
      const later = START + REASSEMBLY_MS;
      let more = 0;
      while (references.take(7, later) >= 0) more++;
      assert.ok(Math.abs(more - range / 2) <= 1 + (bits === 16 ? 256 : 0), `${more}`);
    });
  }

  it("never repeats towards a destination within the reassembly time", () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = createRandom(seed);
      const references = new ConcatReferences(8, wordsOf(64), REASSEMBLY_MS);
      const lastUse = new Map<string, number>();
      let now = START + random(1 << 30);
      let given = 0;
      for (let i = 0; i < 50_000; i++) {
        now += random(16);
        const destination = String(random(40));
        const reference = references.take(hashOf(destination), now);
        if (reference < 0) continue;
        given++;
        const key = `${destination}:${reference}`;
        assert.ok(now - (lastUse.get(key) ?? -Infinity) >= REASSEMBLY_MS, `seed ${seed}: ${key}`);
        lastUse.set(key, now);
      }
      // 40 destinations on at most 40 words: each gives 128 at once and 128 a minute.
      assert.ok(given > 10_000, `${given}`);
    }
  });

  it("does not repeat after a restart what was not given in a rush", () => {
    const before = new ConcatReferences(8, wordsOf(1), REASSEMBLY_MS);
    const recent = new Set<number>();
    for (let i = 0; i < 32; i++) recent.add(before.take(0, START));
    const after = new ConcatReferences(8, wordsOf(1), REASSEMBLY_MS);
    after.reset(START + 1);
    for (let i = 0; i < 90; i++) {
      const reference = after.take(0, START + 1);
      assert.ok(reference >= 0 && !recent.has(reference), `${i}`);
    }
  });

  it("needs no reset to give numbers, and survives a clock that was set back", () => {
    const references = new ConcatReferences(16, wordsOf(1), REASSEMBLY_MS);
    assert.ok(references.take(0, START) >= 0);
    assert.ok(references.take(0, START - 10 * REASSEMBLY_MS) >= 0);
  });

  it("is exact over the wrap of its words", () => {
    const words = wordsOf(1);
    const references = new ConcatReferences(16, words, REASSEMBLY_MS);
    // The first moment after START at which the number of the clock passes 2^31.
    const perMs = 65_536 / (2 * REASSEMBLY_MS);
    const turns = Math.ceil((START * perMs - 2 ** 31) / 2 ** 32);
    const wrap = (turns * 2 ** 32 + 2 ** 31) / perMs;
    const seen = new Set<number>();
    for (let i = -100; i < 100; i++) {
      const reference = references.take(0, wrap + i);
      assert.ok(reference >= 0);
      assert.equal(seen.has(reference), false, `${i}`);
      seen.add(reference);
    }
  });

  it("tells apart who writes to whom", () => {
    const hashes = [
      hashAddresses("12", 0, "345", 0),
      hashAddresses("123", 0, "45", 0),
      hashAddresses("345", 0, "12", 0),
      hashAddresses("", 0, "12345", 0),
    ];
    assert.equal(new Set(hashes).size, hashes.length);
    assert.equal(hashAddresses("+12", 1, "+345", 1), hashes[0]);
    const bytes = Buffer.from("12345");
    assert.equal(hashAddressBytes(bytes, 0, 2, 2, 5), hashes[0]);
    assert.equal(hashAddressBytes(bytes, 2, 5, 0, 2), hashes[2]);
  });

  it("spreads a million pairs at 10,000 a second over a million words without running out", () => {
    const references = new ConcatReferences(8, wordsOf(1 << 20), 3_600_000);
    const random = createRandom(11);
    let refused = 0;
    for (let i = 0; i < 1_000_000; i++) {
      const hash = hashAddresses("ACME", 0, `9989${random(100_000_000)}`, 0);
      if (references.take(hash, START + i / 10) < 0) refused++;
    }
    assert.equal(refused, 0);
  });
});
