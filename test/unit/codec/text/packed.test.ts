import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodeGsm7,
  NO_ROOM,
  packedFillBits,
  packedLength,
  packSeptets,
  unpackSeptets,
} from "../../../../src/codec/index.ts";
import { createRandom } from "../support/random-pdu.ts";
import { hex, toHex } from "../support/vectors.ts";

function packed(text: string, fillBits = 0): string {
  const septets = new Uint8Array(320);
  const count = encodeGsm7(text, septets, 0);
  const out = new Uint8Array(320);
  return toHex(out, 0, packSeptets(septets, 0, count, fillBits, out, 0));
}

describe("packed GSM 7-bit", () => {
  it("packs the customary examples", () => {
    assert.equal(packed("hello"), "e8329bfd06");
    assert.equal(packed("hellohello"), "e8329bfd4697d9ec37");
    assert.equal(packed(""), "");
  });

  it("fills seven free bits with CR and drops it again", () => {
    assert.equal(packed("1234567"), "31d98c56b3dd1a");
    const out = new Uint8Array(16);
    assert.equal(unpackSeptets(hex("31d98c56b3dd1a"), 0, 7, 0, out, 0), 7);
    assert.equal(toHex(out, 0, 7), "31323334353637");
  });

  it("starts on a septet boundary after a header", () => {
    assert.deepEqual([0, 5, 6, 7, 8].map(packedFillBits), [0, 2, 1, 0, 6]);
    assert.equal(packedLength(153, 1), 134);
    assert.equal(packedLength(160, 0), 140);
    assert.equal(packed("A", 1), "82");
  });

  it("returns to the same septets for any length and fill", () => {
    const random = createRandom(3);
    for (let round = 0; round < 3000; round++) {
      const count = random(161);
      const fill = random(7);
      const septets = Uint8Array.from({ length: count }, () => random(128));
      if (count > 0 && septets[count - 1] === 0x0d) septets[count - 1] = 0x41;
      const octets = new Uint8Array(160);
      const length = packSeptets(septets, 0, count, fill, octets, 0);
      assert.equal(length, packedLength(count, fill));
      const back = new Uint8Array(200);
      const got = unpackSeptets(octets, 0, length, fill, back, 0);
      assert.equal(toHex(back, 0, got), toHex(septets), `count ${count} fill ${fill}`);
    }
  });

  it("stops at the end of the room", () => {
    assert.equal(packSeptets(new Uint8Array(8), 0, 8, 0, new Uint8Array(6), 0), NO_ROOM);
    assert.equal(unpackSeptets(new Uint8Array(7), 0, 7, 0, new Uint8Array(7), 0), NO_ROOM);
    assert.equal(unpackSeptets(new Uint8Array(0), 0, 0, 5, new Uint8Array(1), 0), 0);
  });
});
