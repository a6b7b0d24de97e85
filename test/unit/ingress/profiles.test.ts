/** What a pool's profile makes of a message at admission: its octets, its parts, its sender. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CONCAT_METHOD,
  decodeText,
  ENCODING,
  nationalAlphabet,
  decodeGsm7,
  packedFillBits,
  REASSEMBLY_MS,
  unpackSeptets,
} from "../../../src/codec/index.ts";
import { type Admission, Admit, ScopeBit } from "../../../src/ingress/admission/admission.ts";
import {
  Accept,
  acceptBodyOffset,
  acceptIsConsistent,
  acceptPartEnd,
  acceptPartStart,
  acceptSegments,
  acceptUdhOffset,
} from "../../../src/records/accept.ts";
import { bodyEncodingName } from "../../../src/records/types.ts";
import { ringConsumer } from "../../../src/workers/shared-memory.ts";
import { CONFIG, IngressRig } from "./rig.ts";

const TO = "+998901234567";

/** The rig's configuration with this profile for all links. */
function rigWith(profile: string): IngressRig {
  return new IngressRig({ config: `${CONFIG}\nprofiles: { default: ${profile} }` });
}

interface Staged {
  readonly encoding: number;
  readonly dataCoding: number;
  readonly method: number;
  readonly segments: number;
  readonly udh: Uint8Array;
  readonly parts: readonly Uint8Array[];
}

function readStaged(rig: IngressRig): Staged {
  rig.appender.publish();
  const { view, bytes, at } = nextRecord(rig);
  assert.ok(acceptIsConsistent({ view, bytes }, at, view.getUint32(at, true)));
  const u8 = (field: number): number => view.getUint8(at + field);
  const body = at + acceptBodyOffset(view, at);
  const udh = at + acceptUdhOffset(view, at);
  return {
    encoding: u8(Accept.ENCODING),
    dataCoding: u8(Accept.DATA_CODING),
    method: u8(Accept.CONCAT_METHOD),
    segments: acceptSegments(view, at),
    udh: bytes.slice(udh, udh + u8(Accept.UDH_LENGTH)),
    parts: Array.from({ length: u8(Accept.PART_COUNT) }, (_, part) =>
      bytes.slice(body + acceptPartStart(view, at, part), body + acceptPartEnd(view, at, part)),
    ),
  };
}

const rings = new WeakMap<IngressRig, ReturnType<typeof ringConsumer>>();

function nextRecord(rig: IngressRig) {
  const ring = rings.get(rig) ?? ringConsumer(rig.memory.staging[0]);
  rings.set(rig, ring);
  return { view: ring.view, bytes: ring.bytes, at: ring.next() };
}

function send(admission: Admission, fields: Record<string, unknown>): number {
  return admission.admit(0, { to: TO, ...fields }, ScopeBit.SEND);
}

function stage(profile: string, fields: Record<string, unknown>): Staged & { partCount: number } {
  const rig = rigWith(profile);
  const admission = rig.admission();
  const code = send(admission, fields);
  assert.equal(code, Admit.STAGED, JSON.stringify(admission.outcome));
  const staged = readStaged(rig);
  assert.equal(admission.outcome.parts, staged.segments);
  const shown = bodyEncodingName(staged.encoding, staged.dataCoding);
  assert.equal(bodyEncodingName(admission.outcome.encoding, 255), shown);
  return { ...staged, partCount: staged.parts.length };
}

function refusalsOf(profile: string, fields: Record<string, unknown>): string[] {
  const admission = rigWith(profile).admission();
  assert.equal(send(admission, fields), Admit.INVALID);
  return admission.outcome.problems.map(({ pointer, detail }) => `${pointer} ${detail}`);
}

test("each method leaves its parts the room that its header does not take", () => {
  for (const [concatenation, method, sizes] of [
    ["udh8", CONCAT_METHOD.udh8, [153, 153, 14]],
    ["udh16", CONCAT_METHOD.udh16, [152, 152, 16]],
    ["sar", CONCAT_METHOD.sar, [153, 153, 14]],
    ["sar16", CONCAT_METHOD.sar16, [152, 152, 16]],
    ["payload", CONCAT_METHOD.payload, [320]],
  ] as const) {
    const staged = stage(`{ concatenation: ${concatenation} }`, { text: "x".repeat(320) });
    assert.equal(staged.method, method);
    assert.deepEqual(
      staged.parts.map((part) => part.length),
      sizes,
    );
    assert.equal(staged.segments, 3, "the sender pays for what reaches the handset");
    const short = stage(`{ concatenation: ${concatenation} }`, { text: "x".repeat(160) });
    assert.deepEqual([short.partCount, short.segments], [1, 1]);
  }
});

test("data_coding 0 is spelled as the SMSC reads it, and counted as the handset gets it", () => {
  const text = `Price: 5$ for you@home_now, ${"é".repeat(140)}`;
  const latin1 = stage("{ default_alphabet: latin1 }", { text });
  assert.deepEqual([latin1.encoding, latin1.dataCoding], [ENCODING.latin1, 0]);
  const octets = Buffer.concat(latin1.parts);
  assert.equal(octets.toString("latin1"), text);
  assert.deepEqual(
    latin1.parts.map((part) => part.length),
    [153, text.length - 153],
  );
  // An escaped character is one octet to the SMSC, and two septets on the way to the handset.
  const braces = stage("{ default_alphabet: ascii }", { text: "[".repeat(100) });
  assert.deepEqual(
    braces.parts.map((part) => part.length),
    [76, 24],
  );
  assert.equal(Buffer.concat(braces.parts).toString("latin1"), "[".repeat(100));
  // What either of the two lacks goes as UCS-2: é is no ASCII, € no Latin-1, á no GSM 7-bit.
  for (const [alphabet, one] of [
    ["ascii", "é"],
    ["latin1", "€"],
    ["latin1", "á"],
    ["ascii", "Δ"],
  ]) {
    const wide = stage(`{ default_alphabet: ${alphabet} }`, { text: `a${one}` });
    assert.deepEqual([wide.encoding, wide.dataCoding], [ENCODING.ucs2, 8]);
    const problems = refusalsOf(`{ default_alphabet: ${alphabet} }`, {
      text: `a${one}`,
      encoding: "gsm7",
    });
    assert.match(problems.join(), /^\/encoding cannot hold/);
  }
});

test("packed septets start behind the fill bits of each part's header", () => {
  for (const [concatenation, udhLength] of [
    ["udh8", 6],
    ["udh16", 7],
    ["sar", 0],
  ] as const) {
    const profile = `{ default_alphabet: gsm7_packed, concatenation: ${concatenation} }`;
    const text = "The {quick} brown fox @ 5€. ".repeat(12);
    const staged = stage(profile, { text });
    assert.equal(staged.encoding, ENCODING.gsm7_packed);
    assert.ok(staged.partCount > 2);
    let read = "";
    for (const part of staged.parts) {
      assert.ok(part.length + udhLength <= 140);
      const septets = new Uint8Array(160);
      const fill = udhLength === 0 ? 0 : packedFillBits(udhLength);
      const count = unpackSeptets(part, 0, part.length, fill, septets, 0);
      read += decodeGsm7(septets, 0, count);
    }
    assert.equal(read, text);
  }
  const one = stage("{ default_alphabet: gsm7_packed }", { text: "hellohello" });
  assert.equal(Buffer.from(one.parts[0] as Uint8Array).toString("hex"), "e8329bfd4697d9ec37");
});

test("national tables are used where they save a part, and named in the header", () => {
  const profile = "{ languages: [turkish] }";
  const text = "Şişli'de ığdır çiçeği ".repeat(5);
  const staged = stage(profile, { text });
  assert.equal(staged.encoding, ENCODING.gsm7);
  assert.equal(staged.partCount, 1);
  assert.equal(staged.udh[0], staged.udh.length - 1);
  const shifts = new Map<number, number>();
  for (let i = 1; i < staged.udh.length; i += 3) {
    shifts.set(staged.udh[i] as number, staged.udh[i + 2] as number);
  }
  const alphabet = nationalAlphabet(shifts.get(0x25) ?? 0, shifts.get(0x24) ?? 0);
  const part = staged.parts[0] as Uint8Array;
  assert.equal(decodeGsm7(part, 0, part.length, alphabet), text);
  // One UCS-2 part is as good, and every handset knows it.
  const short = stage(profile, { text: "ığ" });
  assert.deepEqual([short.encoding, short.udh.length], [ENCODING.ucs2, 0]);
  const asked = stage(profile, { text: "ığ", encoding: "gsm7" });
  assert.deepEqual([asked.encoding, asked.udh.length > 0], [ENCODING.gsm7, true]);
  assert.equal(stage("{}", { text }).encoding, ENCODING.ucs2);
  assert.equal(stage("{ languages: [turkish, spanish] }", { text: "á".repeat(80) }).partCount, 2);
  const plain = stage(profile, { text: "plain" });
  assert.equal(plain.udh.length, 0);
});

test("what the request asks for goes before the profile", () => {
  const profile = "{ default_alphabet: latin1, concatenation: sar }";
  const wide = stage(profile, { text: "hello", encoding: "ucs2" });
  assert.deepEqual([wide.encoding, wide.dataCoding], [ENCODING.ucs2, 8]);
  const latin1 = stage(profile, { text: "größe á", encoding: "latin1" });
  assert.deepEqual([latin1.encoding, latin1.dataCoding], [ENCODING.latin1, 3]);
  assert.equal(decodeText(ENCODING.latin1, latin1.parts[0] as Uint8Array, 0, 7), "größe á");
  const binary = stage(profile, { binary: { data: "AAEC", udh: "05040b8423f0" } });
  assert.deepEqual([binary.encoding, binary.dataCoding, binary.udh.length], [3, 4, 6]);
});

test("senders that the operator does not let through are refused with their pointer", () => {
  const rules = "senders: { allow: [MYBRAND, 'OTP*', '44#########?'], deny: ['*bank*', OTPX] }";
  const profile = `{ ${rules} }`;
  for (const from of ["MYBRAND", "OTP", "OTP-1", "+447700900123", "447700900123"]) {
    stage(profile, { text: "x", from });
  }
  for (const from of ["mybrand", "MYBRAND2", "otpx", "OTP BANK", "+44770090012", "12345"]) {
    const [problem] = refusalsOf(profile, { text: "x", from });
    assert.equal(problem, "/from may not be used to this number", from);
  }
  // A handset shows "OTPX " as OTPX: it must not pass as another sender.
  for (const from of ["OTPX ", " OTPX"]) {
    assert.match(
      refusalsOf("{ senders: { deny: [OTPX] } }", { text: "x", from })[0] ?? "",
      /^\/from must be an international number.* no space at an end$/,
    );
  }
  assert.deepEqual(refusalsOf(profile, { text: "x" }), ["/from is required for this number"]);
  stage("{ senders: { deny: [MyBank] } }", { text: "x" });
  assert.equal(
    refusalsOf("{ senders: { deny: [MyBank] } }", { text: "x", from: "MYBANK" }).length,
    1,
  );
});

test("a message without sender gets the operator's default one", () => {
  const rig = rigWith("{ senders: { allow: [INFO], default: INFO } }");
  const admission = rig.admission();
  assert.equal(send(admission, { text: "x" }), Admit.STAGED);
  rig.appender.publish();
  const { view, bytes, at } = nextRecord(rig);
  assert.equal(view.getUint8(at + Accept.SOURCE_TON_NPI) >> 4, 5);
  assert.ok(Buffer.from(bytes.slice(at, at + view.getUint32(at, true))).includes("INFO"));
});

test("when the 8-bit references to a handset run out, 16 bits or patience take over", () => {
  const long = { text: "x".repeat(306), from: "BRAND" };
  for (const overflow of ["widen", "refuse"] as const) {
    const rig = rigWith(`{ reference_overflow: ${overflow} }`);
    const admission = rig.admission();
    for (let i = 0; i < 127; i++) {
      const to = i % 2 === 0 ? TO : TO.slice(1);
      assert.equal(send(admission, { ...long, to }), Admit.STAGED);
      assert.equal(readStaged(rig).method, CONCAT_METHOD.udh8);
    }
    assert.equal(send(admission, { ...long, from: "OTHER" }), Admit.STAGED);
    assert.equal(readStaged(rig).method, CONCAT_METHOD.udh8, "another sender has its own");
    const code = send(admission, long);
    if (overflow === "widen") {
      assert.equal(code, Admit.STAGED);
      const widened = readStaged(rig);
      assert.equal(widened.method, CONCAT_METHOD.udh16);
      assert.deepEqual([widened.parts.length, admission.outcome.parts], [3, 3]);
      // Where the wider header needs a part more than is allowed, it says so.
      assert.equal(send(admission, { ...long, max_parts: 2 }), Admit.INVALID);
    } else {
      const words = new Int32Array(rig.memory.apps);
      const before = [...words];
      assert.equal(code, Admit.OVERLOADED);
      assert.match(admission.outcome.detail, /long messages to this number/);
      assert.deepEqual([...words], before, "nothing was charged");
    }
    rig.clock.nowMs += REASSEMBLY_MS;
    assert.equal(send(admission, long), Admit.STAGED);
    assert.equal(readStaged(rig).method, CONCAT_METHOD.udh8);
  }
});
