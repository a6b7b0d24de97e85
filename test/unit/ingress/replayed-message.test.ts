/** What is read back from an ACCEPT is admitted to the same ACCEPT, in every encoding. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Admit, ScopeBit } from "../../../src/ingress/admission/admission.ts";
import { requestOf } from "../../../src/ingress/admission/replayed-message.ts";
import { Accept, acceptIsConsistent, acceptReplayOffset } from "../../../src/records/accept.ts";
import { ringConsumer } from "../../../src/workers/shared-memory.ts";
import { CONFIG, IngressRig } from "./rig.ts";

const OLD = { sequence: 123_456_789_012, origin: 77 };
/** Differs between two acceptances: sequence, times, and the tail's kinds. */
const OWN: readonly (readonly [number, number])[] = [
  [Accept.TAIL_KINDS, 1],
  [Accept.SEQUENCE, 8],
  [Accept.ACCEPTED_AT, 16],
];

/** The ACCEPT of a message, and that of its replay; both with their headers. */
function twice(profile: string, fields: Record<string, unknown>): [Uint8Array, Uint8Array] {
  const config = `${CONFIG}\nprofiles: { default: ${profile} }`;
  const rig = new IngressRig({ config });
  const admission = rig.admission();
  const ring = ringConsumer(rig.memory.staging[0]);
  const take = (): Uint8Array => {
    rig.appender.publish();
    const at = ring.next();
    return ring.bytes.slice(at, at + ring.view.getUint32(at, true));
  };
  const message = { to: "+998901234567", from: "BRAND", ...fields };
  const code = admission.admit(0, message, ScopeBit.SEND | ScopeBit.PIN);
  assert.equal(code, Admit.STAGED, JSON.stringify(admission.outcome));
  const first = take();
  rig.clock.nowMs += 3_600_000;
  const again = admission.admitReplay(0, requestOf(first), new ArrayBuffer(4), OLD);
  assert.equal(again, Admit.STAGED, JSON.stringify(admission.outcome));
  return [first, take()];
}

function check(profile: string, fields: Record<string, unknown>, partsMin: number): void {
  const [first, second] = twice(profile, fields);
  const view = new DataView(second.buffer, second.byteOffset, second.length);
  assert.ok(acceptIsConsistent({ view, bytes: second }, 0, second.length));
  const at = acceptReplayOffset(view, 0);
  assert.equal(view.getFloat64(at, true), OLD.sequence);
  assert.equal(view.getUint32(at + 8, true), OLD.origin);
  assert.ok((first[Accept.PART_COUNT] as number) >= partsMin);
  const before = new DataView(first.buffer, first.byteOffset, first.length);
  const validMs = (of: DataView): number =>
    of.getFloat64(Accept.EXPIRES_AT, true) - of.getFloat64(Accept.ACCEPTED_AT, true);
  assert.equal(validMs(view), validMs(before));
  for (const [offset, length] of OWN) {
    first.fill(0, offset, offset + length);
    second.fill(0, offset, offset + length);
  }
  const length = new DataView(first.buffer).getUint32(0, true);
  assert.deepEqual(second.slice(4, at), first.slice(4, length), JSON.stringify(fields));
}

const LONG = "Each part of this text is cut where it fits, [not] within an escape {or} €. ";

test("texts of every encoding come back octet for octet, part for part", () => {
  check("{}", { text: "Hi @£ €{}" }, 1);
  check("{}", { text: LONG.repeat(5) }, 2);
  check("{ concatenation: sar16 }", { text: LONG.repeat(5) }, 2);
  check("{ concatenation: payload }", { text: LONG.repeat(5) }, 1);
  check("{}", { text: "Привет 😀".repeat(20) }, 2);
  check("{}", { text: "naïve ÿ", encoding: "latin1" }, 1);
  check("{ default_alphabet: gsm7_packed }", { text: LONG.repeat(5) }, 2);
  check("{ default_alphabet: gsm7_packed, concatenation: udh16 }", { text: LONG.repeat(4) }, 2);
  check("{ default_alphabet: gsm7_packed }", { text: "1234567" }, 1);
  check("{ default_alphabet: ascii }", { text: LONG.replaceAll("€", "").repeat(5) }, 2);
  check("{ default_alphabet: latin1 }", { text: "naive è é".repeat(30) }, 2);
  const turkish = "{ languages: [turkish] }";
  check(turkish, { text: "İstanbul'da ışık ş ğ ".repeat(10) }, 2);
  check(
    "{ languages: [turkish], default_alphabet: gsm7_packed }",
    { text: "ışık ş ğ".repeat(30) },
    2,
  );
});

test("so do a binary and all other fields", () => {
  const binary = { data: "AAECAwQF", udh: "0605040b8423f0", data_coding: 245 };
  check("{}", { binary }, 1);
  check("{}", { binary: { data: "AAECAwQF" } }, 1);
  const fields = { reference: "Заказ-1", campaign: "c", class: "promotional", priority: 0 };
  check("{}", { text: "x", ...fields, dlr: "all", ttl_s: 61 }, 1);
  for (const from of ["+447700900123", "0901234567", "12345", "My Brand"]) {
    check("{}", { text: "x", from }, 1);
  }
  check("{}", { text: "x", route: 101 }, 1);
});
