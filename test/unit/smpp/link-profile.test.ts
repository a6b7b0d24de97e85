/** What a link's profile makes of a submit_sm, and of its answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMAND_STATUS as S, CONCAT_METHOD, decodeSm, SmView } from "../../../src/codec/index.ts";
import { FLAG_MAYBE_DUP, Outcome } from "../../../src/records/attempt.ts";
import { profileOf } from "../../support/profile.ts";
import { decodeSubmit, type Pdu } from "./fake-smsc.ts";
import { type SubmitOptions, World } from "./world.ts";

const TON_NPI = {
  international: 0x11,
  national: 0x21,
  shortCode: 0x30,
  alphanumeric: 0x50,
  none: 0,
} as const;

/** The PDUs of these messages on a link of this profile. */
function sent(profile: string, ...messages: SubmitOptions[]): Pdu[] {
  const world = new World({ profiles: [profileOf(profile)] });
  world.smsc.onSubmit = () => "ok";
  world.bindAll();
  const count = messages.reduce((sum, { parts }) => sum + (parts?.length ?? 1), 0);
  for (const message of messages) world.submit(message);
  world.runUntil(() => world.smsc.submits().length === count);
  return world.smsc.submits();
}

function decoded(pdu: Pdu): { view: SmView; serviceType: string; tlvs: string; text: string } {
  const view = new SmView();
  assert.equal(decodeSm(pdu.bytes, 0, pdu.bytes.length, view), 0);
  const bytes = Buffer.from(pdu.bytes);
  return {
    view,
    serviceType: bytes.toString("latin1", view.serviceTypeStart, view.serviceTypeEnd),
    tlvs: bytes.toString("hex", view.tlvStart, view.tlvEnd),
    text: bytes.toString("hex", view.shortMessageStart, view.shortMessageEnd),
  };
}

test("each kind of source address gets its type and its digits", () => {
  const profile = `
source:
  alphanumeric: { ton: 5, npi: 1 }
  short_code: { ton: 6, npi: 9 }
  international: { ton: 2, npi: 8, strip: "44", add: "0" }
  national: { ton: 1, npi: 1, strip: "0", add: "44" }
  none: { ton: 0, npi: 1 }`;
  const messages = [
    { from: "ACME", sourceTonNpi: TON_NPI.alphanumeric },
    { from: "88600", sourceTonNpi: TON_NPI.shortCode },
    { from: "447700900000", sourceTonNpi: TON_NPI.international },
    { from: "998901112233", sourceTonNpi: TON_NPI.international },
    { from: "07700900000", sourceTonNpi: TON_NPI.national },
    { from: "", sourceTonNpi: TON_NPI.none },
  ];
  const seen = sent(profile, ...messages).map(decodeSubmit);
  assert.deepEqual(
    seen.map(({ from, sourceTon, sourceNpi }) => [from, sourceTon, sourceNpi]),
    [
      ["ACME", 5, 1],
      ["88600", 6, 9],
      ["07700900000", 2, 8],
      ["998901112233", 2, 8],
      ["447700900000", 1, 1],
      ["", 0, 1],
    ],
  );
});

test("the longest matching rule writes the destination", () => {
  const profile = `
destination:
  - { strip: "", add: "00", ton: 0, npi: 0 }
  - { strip: "44", add: "0", ton: 2, npi: 8 }
  - { strip: "4477", add: "4477", ton: 3, npi: 1 }`;
  const to = ["998901234567", "441234567890", "447700900123"];
  const seen = sent(profile, ...to.map((number) => ({ to: number }))).map(decodeSubmit);
  assert.deepEqual(
    seen.map((submit) => [submit.to, submit.destTon, submit.destNpi]),
    [
      ["00998901234567", 0, 0],
      ["01234567890", 2, 8],
      ["447700900123", 3, 1],
    ],
  );
  const only = sent(`destination: [{ strip: "44", add: "0", ton: 2 }]`, { to: "998901234567" });
  const { to: untouched, destTon, destNpi } = decodeSubmit(only[0]!);
  assert.deepEqual([untouched, destTon, destNpi], ["998901234567", 1, 1]);
});

test("service_type and TLVs stand in every part", () => {
  const profile = `
service_type: CMT
tlvs:
  - { tag: 0x1400, string: "1101", nul: true }
  - { tag: 0x1401, hex: "00FF" }
  - { tag: 0x0204, int: 258, bytes: 2 }
  - { tag: 0x130c, hex: "" }`;
  const parts = [Buffer.from("a"), Buffer.from("b")];
  for (const pdu of sent(profile, { parts })) {
    const { serviceType, tlvs } = decoded(pdu);
    assert.equal(serviceType, "CMT");
    assert.equal(tlvs, "1400000531313031001401000200ff020400020102130c0000");
  }
});

test("parts find each other by the record's method, and TLVs of the profile follow", () => {
  const parts = [Buffer.from("a"), Buffer.from("b")];
  const reference = 0x1a7;
  const of = (method: keyof typeof CONCAT_METHOD): SubmitOptions => ({
    parts,
    concatReference: reference,
    flags: FLAG_MAYBE_DUP,
    concatMethod: CONCAT_METHOD[method],
  });
  const tlv = "tlvs: [{ tag: 0x1400, int: 7 }]";
  const show = (method: keyof typeof CONCAT_METHOD): [string, string, number][] =>
    sent(tlv, of(method)).map((pdu) => {
      const { text, tlvs, view } = decoded(pdu);
      return [text, tlvs, view.esmClass];
    });
  assert.deepEqual(show("udh8"), [
    ["050003a7020161", "1400000107", 0x40],
    ["050003a7020262", "1400000107", 0x40],
  ]);
  assert.deepEqual(show("udh16"), [
    ["06080401a7020161", "1400000107", 0x40],
    ["06080401a7020262", "1400000107", 0x40],
  ]);
  for (const method of ["sar", "sar16"] as const) {
    assert.deepEqual(show(method), [
      ["61", "020c000201a7020e000102020f0001011400000107", 0],
      ["62", "020c000201a7020e000102020f0001021400000107", 0],
    ]);
  }
});

test("a message_payload takes the whole text, however long; a short one stays as it is", () => {
  const long = { concatMethod: CONCAT_METHOD.payload, segments: 10, text: "x".repeat(1530) };
  const short = { concatMethod: CONCAT_METHOD.payload, segments: 1, text: "short" };
  const [first, second] = sent("tlvs: [{ tag: 0x1400, int: 7 }]", long, short).map(decoded);
  assert.equal(first?.text, "");
  assert.equal(first?.tlvs, `042405fa${"78".repeat(1530)}1400000107`);
  assert.equal(second?.text, Buffer.from("short").toString("hex"));
  assert.equal(second?.tlvs, "1400000107");
});

test("everything at its longest still fits, and does so for every part in hand", () => {
  const tlvs = [0x1400, 0x1401].map((tag) => `{ tag: ${tag}, hex: "${"5a".repeat(508)}" }`);
  const profile = `
service_type: ABCDE
tlvs: [${tlvs.join(", ")}]
source: { international: { add: "+0000" } }
destination: [{ strip: "", add: "+0000" }]`;
  const message = {
    to: "123456789012345",
    from: "543210987654321",
    sourceTonNpi: TON_NPI.international,
    concatMethod: CONCAT_METHOD.payload,
    segments: 10,
    text: "x".repeat(3060),
  };
  const messages = Array.from({ length: 60 }, () => message);
  for (const pdu of sent(profile, ...messages)) {
    const { to, from } = decodeSubmit(pdu);
    assert.deepEqual([from, to], ["+0000543210987654321", "+0000123456789012345"]);
    assert.equal(decoded(pdu).tlvs.length, 2 * (4 + 3060 + 1024));
  }
});

test("an operator's own codes decide what becomes of a message", () => {
  const profile = `
command_status:
  - { code: 0x0400, class: retry }
  - { code: 0x0401, class: throttle }
  - { code: 0x0402, class: reject }
  - { code: ${S.ESME_RINVDSTADR}, class: retry }
  - { code: ${S.ESME_RTHROTTLED}, class: reject }
  - { code: 0x500, class: reject }`;
  for (const [status, outcome] of [
    [0x400, Outcome.RETRY],
    [0x401, Outcome.KEPT],
    [0x402, Outcome.REJECTED],
    [0x403, Outcome.RETRY],
    [S.ESME_RINVDSTADR, Outcome.RETRY],
    [S.ESME_RTHROTTLED, Outcome.REJECTED],
    [0x12345678, Outcome.REJECTED],
    [S.ESME_ROK, Outcome.ACCEPTED],
  ]) {
    const world = new World({ profiles: [profileOf(profile)] });
    world.bindAll();
    world.submit();
    world.runUntil(() => world.smsc.submits().length === 1);
    world.smsc.last().answer(world.smsc.submits()[0]!, status === 0 ? "id" : (status as number));
    world.runUntil(() => world.answers().length === 1);
    assert.equal(world.answers()[0]?.outcome, outcome, `status ${status}`);
  }
});

test("a code of class unbind ends the session, and the message goes again", () => {
  const profile = "command_status: [{ code: 0x0400, class: unbind }]";
  const world = new World({ profiles: [profileOf(profile)] });
  world.bindAll();
  world.submit();
  world.runUntil(() => world.smsc.submits().length === 1);
  world.smsc.last().answer(world.smsc.submits()[0]!, 0x400);
  world.runUntil(() => world.boundCount() === 0, 60_000);
  assert.equal(world.answers()[0]?.outcome, Outcome.RETRY);
});
