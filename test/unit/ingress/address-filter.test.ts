import assert from "node:assert/strict";
import { test } from "node:test";
import { AddressFilter } from "../../../src/ingress/http/address-filter.ts";

const v4 = (text: string): ArrayBuffer => Uint8Array.from(text.split(".").map(Number)).buffer;

function v6(...groups: number[]): ArrayBuffer {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  groups.forEach((group, i) => view.setUint16(2 * i, group));
  return bytes.buffer;
}

test("ranges of both families, mapped addresses as v4, remembered or not", () => {
  const filter = new AddressFilter(["127.0.0.0/8", "192.0.2.7/32", "::1/128", "2001:db8::/33"]);
  const cases: [ArrayBuffer, boolean][] = [
    [v4("127.0.0.1"), true],
    [v4("127.255.255.255"), true],
    [v4("128.0.0.0"), false],
    [v4("126.255.255.255"), false],
    [v4("192.0.2.7"), true],
    [v4("192.0.2.8"), false],
    [v4("255.0.2.7"), false],
    [v6(0, 0, 0, 0, 0, 0, 0, 1), true],
    [v6(0, 0, 0, 0, 0, 0, 0, 2), false],
    [v6(0x2001, 0xdb8, 0x7fff, 0, 0, 0, 0, 9), true],
    [v6(0x2001, 0xdb8, 0x8000), false],
    [v6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), true],
    [v6(0, 0, 0, 0, 0, 0xffff, 0x8000, 1), false],
    [v6(0, 0, 0, 0, 0, 0, 0x7f00, 1), false],
    [new ArrayBuffer(0), false],
    [new ArrayBuffer(5), false],
  ];
  for (let round = 0; round < 2; round++) {
    for (const [address, expected] of cases) assert.equal(filter.allows(address), expected);
  }
});

test("an empty list allows nobody; many addresses do not make it grow without bound", () => {
  assert.equal(new AddressFilter([]).allows(v4("127.0.0.1")), false);
  const filter = new AddressFilter(["10.0.0.0/8"]);
  for (let i = 0; i < 10_000; i++) {
    assert.equal(filter.allows(v4(`11.0.${i >> 8}.${i & 255}`)), false);
    assert.equal(filter.allows(v4(`10.0.${i >> 8}.${i & 255}`)), true);
  }
});
