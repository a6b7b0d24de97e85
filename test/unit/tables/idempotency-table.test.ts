import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allocateIdempotency,
  Claim,
  factEncoding,
  factScheduled,
  factSegments,
  IdempotencyTable,
  packFacts,
  Restored,
  seedIdempotency,
} from "../../../src/tables/idempotency-table.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const ORIGIN = 0xffff_ff01;
/** As many slots as one region gives away. */
const REGION_FULL = 3584;

function tableOf(keysMax = 1000): IdempotencyTable {
  const memory = allocateIdempotency(keysMax);
  seedIdempotency(memory, 12345);
  return new IdempotencyTable(memory);
}

function keyOf(number: number, digest = 7): Int32Array {
  return Int32Array.of(Math.imul(number, 0x9e3779b1), number, digest, digest);
}

test("a key is taken once, runs until it is complete, and then gives its answer", () => {
  const table = tableOf();
  const facts = packFacts(255, 3, true);
  assert.equal(table.claim(keyOf(1), ORIGIN, 1), Claim.TAKEN);
  assert.equal(table.claim(keyOf(1), ORIGIN, 2), Claim.RUNNING);
  assert.equal(table.claim(keyOf(1, 8), ORIGIN, 3), Claim.CONFLICT, "another request");
  table.complete(keyOf(1), ORIGIN, 1, 2 ** 52 + 1, facts);
  assert.equal(table.claim(keyOf(1), ORIGIN, 4), Claim.REPLAY);
  assert.deepEqual(table.answer, { sequence: 2 ** 52 + 1, origin: ORIGIN, facts });
  assert.deepEqual(
    [factSegments(facts), factEncoding(facts), factScheduled(facts)],
    [255, 3, true],
  );
  assert.equal(table.claim(keyOf(1, 8), ORIGIN, 5), Claim.CONFLICT);
  table.remove(keyOf(1)[0] as number, keyOf(1)[1] as number);
  assert.equal(table.claim(keyOf(1, 8), ORIGIN, 6), Claim.TAKEN);
});

test("only who has claimed a key releases or completes it", () => {
  const table = tableOf();
  table.claim(keyOf(1), ORIGIN, 1);
  table.release(keyOf(1), ORIGIN, 2);
  table.release(keyOf(1), ORIGIN + 1, 1);
  table.complete(keyOf(1), ORIGIN + 1, 1, 99, 1);
  assert.equal(table.claim(keyOf(1), ORIGIN, 3), Claim.RUNNING);
  table.release(keyOf(1), ORIGIN, 1);
  assert.equal(table.claim(keyOf(1), ORIGIN, 4), Claim.TAKEN);
  // The ledger was first, and let go of the key; it belongs to another call by now.
  table.restore(keyOf(1), 50, ORIGIN, 1);
  table.remove(keyOf(1)[0] as number, keyOf(1)[1] as number);
  table.claim(keyOf(1), ORIGIN, 5);
  table.complete(keyOf(1), ORIGIN, 4, 50, 1);
  assert.equal(table.claim(keyOf(1), ORIGIN, 6), Claim.RUNNING);
  table.complete(keyOf(1), ORIGIN, 5, 60, 1);
  table.release(keyOf(1), ORIGIN, 5);
  assert.equal(table.claim(keyOf(1), ORIGIN, 7), Claim.REPLAY);
});

test("the ledger lets go of what it keeps, not of a key that a call has", () => {
  const table = tableOf();
  table.claim(keyOf(1), ORIGIN, 1);
  table.remove(keyOf(1)[0] as number, keyOf(1)[1] as number);
  assert.equal(table.claim(keyOf(1), ORIGIN, 2), Claim.RUNNING);
});

test("the ledger completes what it applies, and tells of a key that had another message", () => {
  const table = tableOf();
  table.claim(keyOf(1), ORIGIN, 1);
  assert.equal(table.restore(keyOf(1), 50, ORIGIN, 1), Restored.KEPT);
  assert.equal(table.restore(keyOf(1), 50, ORIGIN, 1), Restored.KEPT, "again");
  assert.equal(table.claim(keyOf(1), ORIGIN, 2), Claim.REPLAY);
  assert.equal(table.restore(keyOf(1, 9), 51, ORIGIN, 1), Restored.REPLACED);
  assert.equal(table.claim(keyOf(1), ORIGIN, 3), Claim.CONFLICT);
  assert.equal(table.claim(keyOf(1, 9), ORIGIN, 4), Claim.REPLAY);
  assert.equal(table.answer.sequence, 51);
  assert.equal(table.restore(keyOf(2), 52, ORIGIN, 1), Restored.KEPT, "of an earlier run");
});

test("a region takes so many keys and no more, and any that go make room", () => {
  const table = tableOf(1);
  for (let i = 0; i < REGION_FULL; i++) {
    assert.equal(table.claim(keyOf(i), ORIGIN, i), Claim.TAKEN);
  }
  assert.equal(table.claim(keyOf(-1), ORIGIN, -1), Claim.FULL);
  assert.equal(table.restore(keyOf(-1), 1, ORIGIN, 1), Restored.FULL);
  assert.equal(table.claim(keyOf(17), ORIGIN, -1), Claim.RUNNING);
  table.release(keyOf(17), ORIGIN, 17);
  assert.equal(table.claim(keyOf(-1), ORIGIN, -1), Claim.TAKEN);
});

test("whatever comes and goes, the table says what a map says", () => {
  const random = seededRandom(7);
  const table = tableOf(3000);
  const expected = new Map<number, number>();
  for (let step = 0; step < 60_000; step++) {
    const number = Math.floor(random() * 4000);
    const key = keyOf(number);
    if (random() < 0.5) {
      const found = table.claim(key, ORIGIN, step);
      const sequence = expected.get(number);
      assert.equal(found, sequence === undefined ? Claim.TAKEN : Claim.REPLAY);
      if (sequence !== undefined) assert.equal(table.answer.sequence, sequence);
      else if (random() < 0.2) table.release(key, ORIGIN, step);
      else {
        table.complete(key, ORIGIN, step, step, 1);
        expected.set(number, step);
      }
    } else {
      table.remove(key[0] as number, key[1] as number);
      expected.delete(number);
    }
  }
});
