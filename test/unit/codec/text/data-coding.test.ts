import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  classDataCoding,
  ENCODING,
  encodingOfDataCoding,
  isCompressed,
  isFlash,
  isWaitingActive,
  messageClassOf,
  WAITING_KIND,
  waitingDataCoding,
  waitingKindOf,
} from "../../../../src/codec/index.ts";

const { gsm7, ucs2, latin1, binary, ascii, unknown } = ENCODING;

describe("data_coding", () => {
  it("follows SMPP's table below 0x10, where 0 is the link's choice", () => {
    const table = Array.from({ length: 16 }, (_, dc) => encodingOfDataCoding(dc, gsm7));
    assert.deepEqual(table, [
      gsm7,
      ascii,
      binary,
      latin1,
      binary,
      unknown,
      unknown,
      unknown,
      ucs2,
      unknown,
      unknown,
      unknown,
      unknown,
      unknown,
      unknown,
      unknown,
    ]);
    assert.equal(encodingOfDataCoding(0, latin1), latin1);
    assert.equal(encodingOfDataCoding(0, ENCODING.gsm7_packed), ENCODING.gsm7_packed);
  });

  it("reads GSM's general, waiting and class groups", () => {
    const encodings: [number, number][] = [
      [0x10, gsm7],
      [0x14, binary],
      [0x18, ucs2],
      [0x1c, unknown],
      [0x30, binary],
      [0x48, ucs2],
      [0x80, unknown],
      [0xbf, unknown],
      [0xc0, gsm7],
      [0xd8, gsm7],
      [0xe8, ucs2],
      [0xf0, gsm7],
      [0xf4, binary],
      [0xf7, binary],
      [0xff, binary],
    ];
    for (const [dc, encoding] of encodings) {
      assert.equal(encodingOfDataCoding(dc, gsm7), encoding, dc.toString(16));
    }
    assert.deepEqual(
      [0x00, 0x08, 0x10, 0x11, 0x18, 0x20, 0xf0, 0xf1, 0xf6, 0xc0].map(messageClassOf),
      [-1, -1, 0, 1, 0, -1, 0, 1, 2, -1],
    );
    assert.deepEqual([0x00, 0x10, 0x18, 0xf0, 0xf4, 0xf1].map(isFlash), [
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
    assert.deepEqual([0x00, 0x20, 0x30, 0x60, 0x10, 0xf0].map(isCompressed), [
      false,
      true,
      true,
      true,
      false,
      false,
    ]);
    assert.deepEqual([0xc8, 0xd1, 0xea, 0xbf, 0xf0].map(waitingKindOf), [0, 1, 2, -1, -1]);
    assert.deepEqual([0xc8, 0xc0, 0xd9, 0xf8].map(isWaitingActive), [true, false, true, false]);
  });

  it("writes what it reads", () => {
    for (const encoding of [gsm7, ucs2, binary]) {
      for (let messageClass = 0; messageClass < 4; messageClass++) {
        const dc = classDataCoding(encoding, messageClass);
        assert.equal(messageClassOf(dc), messageClass);
        assert.equal(encodingOfDataCoding(dc, gsm7), encoding);
      }
    }
    assert.deepEqual(
      [gsm7, ucs2, binary].map((e) => classDataCoding(e, 0)),
      [0xf0, 0x18, 0xf4],
    );
    for (const encoding of [gsm7, ucs2]) {
      for (const kind of Object.values(WAITING_KIND)) {
        const dc = waitingDataCoding(encoding, kind, true);
        assert.equal(waitingKindOf(dc), kind);
        assert.equal(isWaitingActive(dc), true);
        assert.equal(encodingOfDataCoding(dc, gsm7), encoding);
        assert.equal(isWaitingActive(waitingDataCoding(encoding, kind, false)), false);
      }
    }
  });
});
