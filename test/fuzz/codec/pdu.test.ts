/**
 * A million mutated PDUs: nothing throws, nothing reads outside. FUZZ_COUNT and FUZZ_SEED override.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeSm, readUint32, SmView } from "../../../src/codec/index.ts";
import { fuzz } from "./harness.ts";
import { type SmDecoder, smTarget, targets } from "./targets.ts";

const count = Number(process.env["FUZZ_COUNT"] ?? 1_000_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 20_261_122);

describe(`PDU fuzz: ${count} mutants, seed ${seed}`, () => {
  it("breaks nothing", () => {
    const result = fuzz(seed, count, targets);
    assert.deepEqual(result.failures, [], `${result.failureCount} failures`);
  });
});

/** Decoders with the faults that the fuzzer exists to find; each run must fail. */
const planted: Readonly<Record<string, SmDecoder>> = {
  "bounds reads by the buffer instead of the PDU": (bytes, start, _end, into) =>
    decodeSm(bytes, start, bytes.length, into),
  "believes command_length": (bytes, start, end, into) => {
    const announced = end - start < 4 ? end : start + readUint32(bytes, start);
    return decodeSm(bytes, start, Math.min(announced, bytes.length), into);
  },
  "throws on a rare value": (bytes, start, end, into) => {
    if (end > start + 40 && bytes[start + 37] === 0xfe) throw new RangeError("planted");
    return decodeSm(bytes, start, end, into);
  },
  "lets sm_length reach one octet too far": (bytes, start, end, into) => {
    const result = decodeSm(bytes, start, end, into);
    if (into.shortMessageEnd === end && into.tlvStart === end) into.shortMessageEnd++;
    return result;
  },
};

describe("the fuzzer finds a decoder that", () => {
  for (const [fault, decoder] of Object.entries(planted)) {
    it(fault, () => {
      const result = fuzz(seed, 20_000, [smTarget(decoder)]);
      assert.ok(result.failureCount > 0, "the planted fault was not found");
    });
  }

  it("is our own, which it leaves alone", () => {
    assert.equal(fuzz(seed, 20_000, [smTarget(decodeSm)]).failureCount, 0);
    assert.equal(new SmView().tlvEnd, 0);
  });
});
