import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as codec from "../../src/codec/index.ts";
import {
  COMMAND_ID,
  decodePdu,
  encodePdu,
  PDU_FLAG_LENGTH_255,
  TLV_TAG,
  tlvNameOf,
} from "../../src/codec/index.ts";
import { type Fixture, parseFixtures, readFixtureFile } from "./support/fixtures.ts";

/** Octets by content, whatever array class holds them. */
function plain(value: unknown): unknown {
  const text = JSON.stringify(value, (_, v: unknown) =>
    v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v,
  );
  return JSON.parse(text) as unknown;
}

function check(fixture: Fixture): void {
  const { octets, pdu } = fixture;
  // The octets lie between others, so that a read beyond the PDU would be seen.
  const bytes = new Uint8Array(octets.length + 600).fill(0x41);
  bytes.set(octets, 300);
  const decoded = decodePdu(bytes, 300, 300 + octets.length);
  if (pdu === null) {
    assert.equal(decoded, (codec as Record<string, unknown>)[fixture.defect!]);
    return;
  }
  assert.deepEqual(plain(decoded), plain(pdu));
  const out = new Uint8Array(octets.length + 20).fill(0xee);
  const length = encodePdu(out, 10, pdu);
  if (fixture.decodeOnly) {
    const isSame = Buffer.from(out.subarray(10, 10 + Math.max(0, length))).equals(octets);
    assert.equal(isSame && pdu.flags !== PDU_FLAG_LENGTH_255, false, "encoding must be strict");
    return;
  }
  assert.equal(length, octets.length);
  assert.equal(
    Buffer.from(out).toString("hex"),
    `${"ee".repeat(10)}${Buffer.from(octets).toString("hex")}${"ee".repeat(10)}`,
  );
}

const files = ["pdus.md", "tlvs.md", "lenient.md"].map((file) => ({
  file,
  fixtures: parseFixtures(readFixtureFile(file)),
}));

for (const { file, fixtures } of files) {
  describe(`conformance: ${file}`, () => {
    for (const fixture of fixtures) it(fixture.title, () => check(fixture));
  });
}

describe("the fixtures cover", () => {
  const pdus = files.flatMap(({ fixtures }) =>
    fixtures.flatMap((f) => (f.pdu === null ? [] : [f.pdu])),
  );

  it("every command", () => {
    const ids = new Set(pdus.map((pdu) => pdu.commandId));
    for (const [name, id] of Object.entries(COMMAND_ID)) assert.ok(ids.has(id), name);
  });

  it("every TLV", () => {
    const names = new Set(pdus.flatMap((pdu) => pdu.tlvs.map((tlv) => tlvNameOf(tlv.tag))));
    for (const name of Object.keys(TLV_TAG)) assert.ok(names.has(name as never), name);
  });
});
