/** Blocks of told literals and copies are deflate: zlib reads them back. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { constants, inflateRawSync } from "node:zlib";
import { DeflateBlock } from "../../../src/sink/deflate-block.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const ROOM = 256 * 1024;

function inflated(deflated: Uint8Array): Buffer {
  return inflateRawSync(deflated, { finishFlush: constants.Z_SYNC_FLUSH });
}

test("literals and copies of every length and distance come back", () => {
  const random = seededRandom(3);
  const below = (max: number): number => Math.floor(random() * max);
  const block = new DeflateBlock(ROOM);
  for (let trial = 0; trial < 30; trial++) {
    const bytes = Buffer.alloc(80_000);
    let at = 0;
    block.begin();
    while (at < bytes.length - 1000) {
      const start = at;
      if (at === 0 || random() < 0.4) {
        for (let i = below(20); i >= 0; i--) bytes[at++] = below(256);
        block.literals(bytes, start, at);
        continue;
      }
      // Also such as lap over themselves, and from farther back than deflate knows.
      const back = 1 + below(random() < 0.5 ? Math.min(at, 700) : at);
      const length = below(random() < 0.5 ? 12 : 700);
      for (; at < start + length; at++) bytes[at] = bytes[at - back] as number;
      block.copy(bytes, start, at, back);
    }
    const deflated = block.finish();
    assert.ok(deflated !== null);
    assert.ok(inflated(deflated).equals(bytes.subarray(0, at)), `trial ${trial}`);
  }
});

test("blocks end at a byte: one follows the other, and an empty one is nothing", () => {
  const block = new DeflateBlock(ROOM);
  const parts: Buffer[] = [];
  for (let length = 0; length < 40; length++) {
    const bytes = Buffer.alloc(length, "0123456789abc");
    block.begin();
    block.literals(bytes, 0, length);
    parts.push(Buffer.from(block.finish() as Uint8Array));
  }
  const all = Array.from({ length: 40 }, (_, length) => Buffer.alloc(length, "0123456789abc"));
  assert.ok(inflated(Buffer.concat(parts)).equals(Buffer.concat(all)));
});

test("what is longer than there is room for is null, and the next block is not", () => {
  const block = new DeflateBlock(4096);
  const random = seededRandom(4);
  const bytes = Buffer.from(Array.from({ length: 20_000 }, () => random() * 256));
  block.literals(bytes, 0, bytes.length);
  assert.equal(block.finish(), null);
  block.begin();
  block.literals(bytes, 0, 1000);
  assert.ok(inflated(block.finish() as Uint8Array).equals(bytes.subarray(0, 1000)));
});
