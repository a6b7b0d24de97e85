import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  Accept,
  acceptBodyOffset,
  acceptCampaignOffset,
  acceptFromOffset,
  acceptHasKey,
  acceptIsConsistent,
  acceptPartEnd,
  acceptPartStart,
  acceptReferenceOffset,
  acceptTailOffset,
  acceptToOffset,
  acceptUdhOffset,
} from "../../../src/records/accept.ts";
import { recordMemory } from "../../../src/records/memory.ts";
import { type AcceptSample, writeAccept } from "../../support/accept-record.ts";

const sample: fc.Arbitrary<AcceptSample> = fc.record({
  sequence: fc.maxSafeNat(),
  origin: fc.integer({ min: 0, max: 0xffffffff }),
  to: fc.stringMatching(/^[0-9]{5,20}$/),
  from: fc.stringMatching(/^[A-Za-z0-9]{1,21}$/),
  reference: fc.string({ maxLength: 60 }),
  campaign: fc.string({ maxLength: 60 }),
  udh: fc.uint8Array({ maxLength: 30 }),
  parts: fc.array(fc.uint8Array({ maxLength: 160 }), { minLength: 1, maxLength: 10 }),
  key: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }), { nil: undefined }),
});

function written(of: AcceptSample): {
  memory: ReturnType<typeof recordMemory>;
  at: number;
  lengthBytes: number;
} {
  const memory = recordMemory(new Uint8Array(9000));
  const at = 16;
  return { memory, at, lengthBytes: writeAccept(memory, at, of) };
}

test("every field of an ACCEPT is where its offset says", () => {
  fc.assert(
    fc.property(sample, (of) => {
      const { memory, at, lengthBytes } = written(of);
      const { view } = memory;
      const text = (offset: number, length: number): string =>
        Buffer.from(memory.bytes.subarray(at + offset, at + offset + length)).toString();
      assert.ok(acceptIsConsistent(memory, at, lengthBytes));
      assert.equal(text(acceptToOffset(view, at), of.to.length), of.to);
      assert.equal(text(acceptFromOffset(view, at), of.from.length), of.from);
      const referenceBytes = view.getUint8(at + Accept.REFERENCE_LENGTH);
      assert.equal(text(acceptReferenceOffset(view, at), referenceBytes), of.reference);
      const campaignBytes = view.getUint8(at + Accept.CAMPAIGN_LENGTH);
      assert.equal(text(acceptCampaignOffset(view, at), campaignBytes), of.campaign);
      const udh = at + acceptUdhOffset(view, at);
      assert.deepEqual(memory.bytes.slice(udh, udh + of.udh.length), new Uint8Array(of.udh));
      const body = at + acceptBodyOffset(view, at);
      for (const [i, part] of of.parts.entries()) {
        const bytes = memory.bytes.slice(
          body + acceptPartStart(view, at, i),
          body + acceptPartEnd(view, at, i),
        );
        assert.deepEqual(bytes, new Uint8Array(part));
      }
      const tail = memory.bytes.slice(at + acceptTailOffset(view, at), at + lengthBytes);
      assert.equal(acceptHasKey(view, at), of.key !== undefined);
      assert.deepEqual(tail, new Uint8Array(of.key ?? []));
    }),
  );
});

test("a record whose lengths disagree is not consistent", () => {
  fc.assert(
    fc.property(sample, fc.integer({ min: -64, max: 64 }), (of, off) => {
      const { memory, at, lengthBytes } = written(of);
      if (off !== 0) assert.equal(acceptIsConsistent(memory, at, lengthBytes + off), false);
    }),
  );
});

test("a changed length or part count is noticed", () => {
  const lengths = [
    Accept.PART_COUNT,
    Accept.UDH_LENGTH,
    Accept.TO_LENGTH,
    Accept.FROM_LENGTH,
    Accept.REFERENCE_LENGTH,
    Accept.CAMPAIGN_LENGTH,
    Accept.BODY_LENGTH,
    Accept.TAIL_KINDS,
  ];
  fc.assert(
    fc.property(
      sample,
      fc.constantFrom(...lengths),
      fc.integer({ min: 1, max: 255 }),
      (of, f, x) => {
        const { memory, at, lengthBytes } = written(of);
        memory.view.setUint8(at + f, memory.view.getUint8(at + f) ^ x);
        // A part count may change so that what is read as part ends agrees by chance; never out of
        // the record.
        if (f !== Accept.PART_COUNT)
          assert.equal(acceptIsConsistent(memory, at, lengthBytes), false);
        else acceptIsConsistent(memory, at, lengthBytes);
      },
    ),
  );
});

test("garbage of any length is judged without an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 400 }), (garbage) => {
      const memory = recordMemory(new Uint8Array(8192 + 64));
      memory.bytes.set(garbage);
      assert.equal(typeof acceptIsConsistent(memory, 0, garbage.length), "boolean");
    }),
  );
});
