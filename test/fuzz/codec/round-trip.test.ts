/**
 * decode(encode(x)) = x for random PDUs, and the specialised path byte for byte. FUZZ_ROUND_TRIPS
 * and FUZZ_SEED override.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  COMMAND_ID,
  decodePdu,
  decodeSm,
  encodePdu,
  encodeSm,
  type FieldValue,
  type Pdu,
  SmView,
} from "../../../src/codec/index.ts";
import { createRandom, randomPdu } from "../../unit/codec/support/random-pdu.ts";

const count = Number(process.env["FUZZ_ROUND_TRIPS"] ?? 50_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 7);

function sameValue(a: FieldValue | undefined, b: FieldValue | undefined): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  if (typeof a === "number") return a === b;
  const notation = (value: unknown): string =>
    JSON.stringify(value, (_, v: unknown) => (v instanceof Uint8Array ? [...v] : v));
  return notation(a) === notation(b);
}

function samePdu(a: Pdu, b: Pdu): boolean {
  const names = Object.keys(a.fields);
  return (
    a.commandId === b.commandId &&
    a.commandStatus === b.commandStatus &&
    a.sequenceNumber === b.sequenceNumber &&
    a.flags === b.flags &&
    names.length === Object.keys(b.fields).length &&
    names.every((name) => sameValue(a.fields[name], b.fields[name])) &&
    a.tlvs.length === b.tlvs.length &&
    a.tlvs.every((tlv, i) => tlv.tag === b.tlvs[i]!.tag && sameValue(tlv.value, b.tlvs[i]!.value))
  );
}

describe(`round trip: ${count} random PDUs, seed ${seed}`, () => {
  it("returns to the same PDU", () => {
    const random = createRandom(seed);
    const out = new Uint8Array(8192);
    const again = new Uint8Array(8192);
    const view = new SmView();
    for (let i = 0; i < count; i++) {
      const pdu = randomPdu(random);
      const length = encodePdu(out, 0, pdu);
      const decoded = decodePdu(out, 0, length);
      assert.ok(typeof decoded !== "number" && samePdu(decoded, pdu), `PDU ${i}`);
      if (pdu.commandId !== COMMAND_ID.submit_sm && pdu.commandId !== COMMAND_ID.deliver_sm)
        continue;
      assert.equal(decodeSm(out, 0, length, view), 0, `PDU ${i}`);
      const size = encodeSm(pdu.commandId, again, 0, pdu.sequenceNumber, view, null, 0);
      const isSame = Buffer.compare(again.subarray(0, size), out.subarray(0, length)) === 0;
      assert.ok(isSame, `PDU ${i} by hand`);
    }
  });
});
