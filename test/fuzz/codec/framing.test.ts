/**
 * Framing under every cut: a stream of sound PDUs gives the same frames however it arrives.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NEED_MORE, readFrame } from "../../../src/codec/index.ts";
import { createRandom } from "../../unit/codec/support/random-pdu.ts";
import { createSeeds } from "./mutate.ts";

/** Reads frames from a buffer that grows by `chunks`; returns where each PDU started and ended. */
function framesOf(stream: Uint8Array, chunkOf: () => number): [number, number][] {
  const frames: [number, number][] = [];
  let at = 0;
  let arrived = 0;
  while (arrived < stream.length) {
    arrived = Math.min(stream.length, arrived + chunkOf());
    for (;;) {
      const length = readFrame(stream, at, arrived);
      if (length === NEED_MORE) break;
      assert.ok(length >= 16, `sentinel ${length}`);
      frames.push([at, at + length]);
      at += length;
    }
  }
  assert.equal(at, stream.length);
  return frames;
}

describe("framing", () => {
  const seeds = createSeeds(3, 300);
  const stream = new Uint8Array(Buffer.concat(seeds));
  let at = 0;
  const expected = seeds.map((pdu): [number, number] => [at, (at += pdu.length)]);

  it("gives the same frames at once, octet by octet, and for random chunks", () => {
    assert.deepEqual(
      framesOf(stream, () => stream.length),
      expected,
    );
    assert.deepEqual(
      framesOf(stream, () => 1),
      expected,
    );
    assert.deepEqual(
      framesOf(stream, () => 65_536),
      expected,
    );
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed);
      assert.deepEqual(
        framesOf(stream, () => 1 + random(400)),
        expected,
        `seed ${seed}`,
      );
    }
  });

  it("gives the same frames for every single cut", () => {
    const few = new Uint8Array(Buffer.concat(seeds.slice(0, 30)));
    for (let cut = 1; cut < few.length; cut++) {
      let first = true;
      const frames = framesOf(few, () => {
        const chunk = first ? cut : few.length;
        first = false;
        return chunk;
      });
      assert.deepEqual(frames, expected.slice(0, 30), `cut at ${cut}`);
    }
  });
});
