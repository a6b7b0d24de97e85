import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeText, dataCodingOf, ENCODING } from "../../../src/codec/index.ts";
import { Admission, Admit, ScopeBit } from "../../../src/ingress/admission/admission.ts";
import {
  Accept,
  acceptBodyOffset,
  acceptCampaignOffset,
  acceptFromOffset,
  acceptIsConsistent,
  acceptPartEnd,
  acceptReferenceOffset,
  acceptToOffset,
  acceptUdhOffset,
} from "../../../src/records/accept.ts";
import { epochOf, producerOf, sequenceWallMs } from "../../../src/records/message-key.ts";
import { RING_EMPTY } from "../../../src/ring/layout.ts";
import { LEDGER_LAG_BYTES_MAX, LogWord } from "../../../src/tables/log-table.ts";
import { ringConsumer } from "../../../src/workers/shared-memory.ts";
import { IngressRig } from "./rig.ts";

const TO = "+998901234567";
const rig = new IngressRig();

/** Pointers of the problems of a body, in order of being found. */
function pointers(body: unknown): string[] {
  const admission = rig.admission();
  const code = admission.admit(1, body, ScopeBit.SEND | ScopeBit.PIN);
  assert.equal(code, Admit.INVALID, JSON.stringify(body));
  for (const { detail } of admission.outcome.problems) assert.match(detail, /\w/);
  return admission.outcome.problems.map(({ pointer }) => pointer);
}

/** The ACCEPT that `body` is staged as, on a fresh rig. */
function stage(body: unknown, appIndex = 0, scopes: number = ScopeBit.SEND) {
  const own = new IngressRig();
  const admission = own.admission();
  const code = admission.admit(appIndex, body, scopes);
  assert.equal(code, Admit.STAGED, JSON.stringify(admission.outcome));
  own.appender.publish();
  const ring = ringConsumer(own.memory.staging[0]);
  const at = ring.next();
  assert.notEqual(at, RING_EMPTY);
  const { view, bytes } = ring;
  const length = view.getUint32(at, true);
  assert.ok(acceptIsConsistent(ring, at, length));
  const text = (from: number, to: number): string => Buffer.from(bytes.slice(from, to)).toString();
  const u8 = (field: number): number => view.getUint8(at + field);
  const parts = u8(Accept.PART_COUNT);
  const body_ = acceptBodyOffset(view, at);
  return {
    rig: own,
    admission,
    record: Buffer.from(bytes.slice(at, at + length)),
    appId: view.getUint32(at + Accept.APP_ID, true),
    sequence: view.getFloat64(at + Accept.SEQUENCE, true),
    origin: view.getUint32(at + Accept.ORIGIN, true),
    acceptedAt: view.getFloat64(at + Accept.ACCEPTED_AT, true),
    expiresAt: view.getFloat64(at + Accept.EXPIRES_AT, true),
    poolId: view.getUint32(at + Accept.POOL_ID, true),
    priority: u8(Accept.PRIORITY),
    messageClass: u8(Accept.CLASS),
    dlr: u8(Accept.DLR),
    encoding: u8(Accept.ENCODING),
    dataCoding: u8(Accept.DATA_CODING),
    sourceTonNpi: u8(Accept.SOURCE_TON_NPI),
    to: text(acceptToOffset(view, at), acceptFromOffset(view, at)),
    from: text(acceptFromOffset(view, at), acceptReferenceOffset(view, at)),
    reference: text(acceptReferenceOffset(view, at), acceptCampaignOffset(view, at)),
    campaign: text(acceptCampaignOffset(view, at), acceptUdhOffset(view, at)),
    udh: Buffer.from(bytes.slice(acceptUdhOffset(view, at), body_)).toString("hex"),
    body: bytes.slice(body_, at + length),
    partEnds: Array.from({ length: parts }, (_, part) => acceptPartEnd(view, at, part)),
  };
}

test("an ACCEPT holds the message, byte for byte", () => {
  const staged = stage({
    to: "+998901234567",
    from: "MYBRAND",
    text: "Hi {é}",
    reference: "order-17 ✓",
    campaign: "spring",
    class: "otp",
    priority: 1,
    dlr: "all",
    ttl_s: 60,
    policy: "default",
    transliterate: false,
    max_parts: 1,
    encoding: "auto",
  });
  const { clock } = staged.rig;
  assert.equal(staged.record.readUInt32LE(0), staged.record.length);
  assert.equal(
    staged.record.subarray(40).toString("hex"),
    "e8030000" + // pool 1000
      "01" + // priority
      "00" + // class otp
      "02" + // dlr all
      "00" + // gsm7
      "01" + // one part
      "50" + // alphanumeric, NPI unknown
      "0000" + // reserved
      "00000000" + // data_coding, esm_class, protocol_id, UDH length
      "0c070c06" + // lengths of to, from, reference, campaign
      "0800" + // body length
      "0003" + // routed by the table, by three digits
      "00000000" + // at once
      "00010000" + // 8-bit references, one segment
      "0800" + // end of part 1
      Buffer.from("998901234567MYBRANDorder-17 ✓spring").toString("hex") +
      "4869201b2805" + // "Hi ", ESC (, é
      "1b29", // ESC )
  );
  assert.equal(staged.appId, 1);
  assert.equal(staged.acceptedAt, clock.wallMs());
  assert.equal(staged.expiresAt, clock.wallMs() + 60_000);
  assert.equal(sequenceWallMs(staged.sequence), clock.wallMs());
  assert.equal(epochOf(staged.origin), 7);
  assert.equal(producerOf(staged.origin), 0);
});

test("transliterate keeps a text in GSM 7-bit where it can, and says what it replaced", () => {
  const quotes = stage({ to: "998901234567", text: "“Hi” – ok…", transliterate: true });
  assert.equal(quotes.encoding, ENCODING.gsm7);
  assert.equal(Buffer.from(quotes.body).toString("latin1"), '"Hi" - ok...');
  assert.equal(quotes.admission.outcome.transliterated, "“”–…");
  const plain = stage({ to: "998901234567", text: "Hi", transliterate: true });
  assert.equal(plain.admission.outcome.transliterated, "");
  const cyrillic = stage({ to: "998901234567", text: "“Привет”", transliterate: true });
  assert.equal(cyrillic.encoding, ENCODING.ucs2, "nothing is gained: sent as it is");
  assert.equal(cyrillic.admission.outcome.transliterated, "");
  const unasked = stage({ to: "998901234567", text: "“Hi”" });
  assert.equal(unasked.encoding, ENCODING.ucs2);
});

test("classes set priority and validity, dlr is final", () => {
  for (const [name, priority, ttlS] of [
    [undefined, 2, 86_400],
    ["otp", 3, 300],
    ["transactional", 2, 86_400],
    ["promotional", 1, 86_400],
  ] as const) {
    const staged = stage({ to: TO, text: "x", ...(name === undefined ? {} : { class: name }) });
    assert.equal(staged.priority, priority);
    assert.equal(staged.expiresAt - staged.acceptedAt, ttlS * 1000);
    assert.equal(staged.dlr, 1);
    assert.equal(staged.from, "");
    assert.equal(staged.sourceTonNpi, 0);
  }
});

test("sources get their type of number", () => {
  for (const [from, written, tonNpi] of [
    ["MYBRAND", "MYBRAND", 0x50],
    ["1 Brand & Co", null, 0],
    ["A.b_c-d &1", "A.b_c-d &1", 0x50],
    ["+447700900123", "447700900123", 0x11],
    ["447700900123", "447700900123", 0x11],
    ["12345", "12345", 0x30],
    ["012", "012", 0x30],
    ["0901234567", "0901234567", 0x21],
    ["00901234567", null, 0],
    ["+0901234567", null, 0],
  ] as const) {
    if (written === null) {
      assert.deepEqual(pointers({ to: TO, text: "x", from }), ["/from"]);
      continue;
    }
    const staged = stage({ to: TO, text: "x", from });
    assert.equal(staged.from, written);
    assert.equal(staged.sourceTonNpi, tonNpi);
  }
});

test("the text chooses its alphabet, and is cut into parts that decode back", () => {
  const long = "Ab{€}".repeat(100);
  const cyrillic = "Привет, мир! 👋🏽 ".repeat(20);
  for (const [text, asked, encoding] of [
    ["hello", "auto", ENCODING.gsm7],
    ["привет", "auto", ENCODING.ucs2],
    ["hello", "ucs2", ENCODING.ucs2],
    ["größe", "latin1", ENCODING.latin1],
    [long, "gsm7", ENCODING.gsm7],
    [cyrillic, "auto", ENCODING.ucs2],
    ["line\r\nbreak", "auto", ENCODING.gsm7],
    ["tab\there", "auto", ENCODING.ucs2],
  ] as const) {
    const staged = stage({ to: TO, text, encoding: asked });
    assert.equal(staged.encoding, encoding);
    assert.equal(staged.dataCoding, dataCodingOf(encoding));
    assert.equal(decodeText(encoding, staged.body, 0, staged.body.length), text);
    assert.equal(staged.partEnds.at(-1), staged.body.length);
    assert.equal(staged.admission.outcome.parts, staged.partEnds.length);
  }
});

test("binary goes out as it is", () => {
  const staged = stage({
    to: TO,
    binary: { data: Buffer.from([0, 1, 255]).toString("base64"), udh: "05040b8423f0" },
  });
  assert.deepEqual([...staged.body], [0, 1, 255]);
  assert.equal(staged.udh, "05040b8423f0");
  assert.equal(staged.encoding, 3);
  assert.equal(staged.dataCoding, 4);
  const coded = stage({ to: TO, binary: { data: "AAAA", data_coding: 245 } });
  assert.equal(coded.dataCoding, 245);
  assert.equal(coded.udh, "");
});

test("every field's bad values are named by pointer", () => {
  const wrong: Record<string, unknown[]> = {
    to: [
      5,
      null,
      "",
      "+",
      "123456",
      "1234567890123456",
      "0998901234567",
      "+99890 1234567",
      "++1234567",
    ],
    from: [5, null, "", "+", "+12", "12", "ABCDEFGHIJKL", "Ünal", "a\u0000b", "a\nb", " ", "1.2.3"],
    text: [5, null, "", "a\u0000b", "a\u001bb", "a\u007fb", "a\u0085b", "\ud800", "a\udc00b", {}],
    reference: [5, null, "", "x".repeat(256), "é".repeat(128), "a\nb", "\udc00"],
    campaign: [5, null, "", "x".repeat(256), "a\tb"],
    class: [5, null, "OTP", "", "bulk"],
    priority: [-1, 4, 1.5, "2", null, 3],
    route: [0, -1, 1.5, "1000", null, 2 ** 31],
    encoding: ["GSM7", "", 0, null, "gsm8"],
    transliterate: ["yes", 1, null],
    max_parts: [0, 11, 1.5, "3", null],
    send_at: [
      "2026-11-22",
      "2026-11-22T08:00:00",
      "2026-02-30T99:00:00Z",
      "2026-11-21T23:59:04Z",
      "2026-12-22T00:00:06Z",
      5,
      null,
    ],
    ttl_s: [0, -5, 172_801, 1.5, "60", null, Number.MAX_VALUE],
    policy: ["", 5, null, "other"],
    dlr: ["yes", true, null, 1],
    webhook: ["https://example.org/", null],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      assert.deepEqual(pointers({ to: TO, text: "x", [field]: value }), [`/${field}`]);
    }
  }
});

test("binary's bad values are named by pointer", () => {
  for (const [binary, ...expected] of [
    [5, "/binary"],
    [[], "/binary"],
    [{}, "/binary/data"],
    [{ data: "" }, "/binary/data"],
    [{ data: "AAA" }, "/binary/data"],
    [{ data: "A-_=" }, "/binary/data"],
    [{ data: "AB==" }, "/binary/data"],
    [{ data: Buffer.alloc(141).toString("base64") }, "/binary/data"],
    [{ data: Buffer.alloc(136).toString("base64"), udh: "0401020304" }, "/binary/data"],
    [{ data: "AAAA", udh: 5 }, "/binary/udh"],
    [{ data: "AAAA", udh: "0" }, "/binary/udh"],
    [{ data: "AAAA", udh: "0501" }, "/binary/udh"],
    [{ data: "AAAA", data_coding: 256 }, "/binary/data_coding"],
    [{ data: "AAAA", data_coding: "4" }, "/binary/data_coding"],
    [{ data: "AAAA", coding: 4 }, "/binary/coding"],
    [{ data: 1, udh: 2, data_coding: -1 }, "/binary/data", "/binary/udh", "/binary/data_coding"],
  ] as const) {
    assert.deepEqual(pointers({ to: TO, binary }), expected, JSON.stringify(binary));
  }
  assert.deepEqual(pointers({ to: TO, text: "x", binary: { data: "AAAA" } }), ["/binary"]);
  const coded = { to: TO, binary: { data: "AAAA" }, encoding: "gsm7" };
  assert.deepEqual(pointers(coded), ["/encoding"]);
});

test("what is not a message object is refused whole, unknown members by name", () => {
  for (const body of [null, 5, "x", [], [{ to: TO }], true]) assert.deepEqual(pointers(body), [""]);
  assert.deepEqual(pointers({}), ["/to", "/text"]);
  assert.deepEqual(pointers({ to: TO }), ["/text"]);
  assert.deepEqual(pointers({ text: "x" }), ["/to"]);
  const unknown = JSON.parse(
    `{"to":"${TO}","text":"x","__proto__":{},"constructor":1,"a/b~c":1,"To":1}`,
  ) as unknown;
  assert.deepEqual(pointers(unknown), ["/__proto__", "/constructor", "/a~1b~0c", "/To"]);
});

test("all problems are listed, within a bound", () => {
  const body = { to: 1, text: 2, class: "x", ttl_s: 0, maxparts: 1 };
  assert.deepEqual(pointers(body), ["/to", "/text", "/class", "/ttl_s", "/maxparts"]);
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  assert.equal(pointers(many).length, 50);
});

test("problems never repeat what the client wrote", () => {
  const admission = rig.admission();
  const secret = "SECRETTEXT\u0000";
  admission.admit(0, { to: secret, from: secret, text: secret, reference: secret }, ScopeBit.SEND);
  assert.equal(admission.outcome.problems.length, 4);
  assert.ok(!JSON.stringify(admission.outcome).includes("SECRET"));
});

test("a priority may be lowered, not raised above its class", () => {
  assert.equal(stage({ to: TO, text: "x", class: "otp", priority: 0 }).priority, 0);
  assert.deepEqual(pointers({ to: TO, text: "x", class: "promotional", priority: 2 }), [
    "/priority",
  ]);
});

test("a text that an alphabet or the number of parts cannot hold is refused", () => {
  assert.deepEqual(pointers({ to: TO, text: "привет", encoding: "gsm7" }), ["/encoding"]);
  assert.deepEqual(pointers({ to: TO, text: "привет", encoding: "latin1" }), ["/encoding"]);
  assert.deepEqual(pointers({ to: TO, text: "x".repeat(161), max_parts: 1 }), ["/text"]);
  assert.deepEqual(pointers({ to: TO, text: "x".repeat(1531) }), ["/text"]);
  assert.deepEqual(pointers({ to: TO, text: "ж".repeat(671) }), ["/text"]);
  assert.equal(stage({ to: TO, text: "x".repeat(1530) }).partEnds.length, 10);
  assert.equal(stage({ to: TO, text: "ж".repeat(670) }).partEnds.length, 10);
});

test("routes: by prefix, pinned with the scope, or none", () => {
  const admission = rig.admission();
  const send = (body: object, scopes: number = ScopeBit.SEND) =>
    admission.admit(0, { text: "x", ...body }, scopes);
  assert.equal(send({ to: "12025550100" }), Admit.NO_ROUTE);
  assert.equal(send({ to: TO, route: 1000 }), Admit.FORBIDDEN);
  assert.equal(send({ to: TO, route: 5 }, ScopeBit.SEND | ScopeBit.PIN), Admit.NO_ROUTE);
  assert.equal(stage({ to: "79001234567", text: "x" }).poolId, 101);
  const pinned = stage({ to: TO, text: "x", route: 101 }, 1, ScopeBit.SEND | ScopeBit.PIN);
  assert.equal(pinned.poolId, 101);
});

test("an app's bucket is charged per segment and says when to come back", () => {
  const own = new IngressRig();
  const admission = own.admission();
  const send = (text: string): number => admission.admit(1, { to: TO, text }, ScopeBit.SEND);
  for (let i = 0; i < 9; i++) assert.equal(send("x".repeat(200)), Admit.STAGED, `message ${i}`);
  assert.equal(send("x".repeat(400)), Admit.RATE_LIMITED);
  assert.equal(admission.outcome.retryAfterS, 1);
  assert.equal(admission.outcome.limit?.rateTps, 10);
  assert.equal(send("x".repeat(200)), Admit.STAGED);
  assert.equal(send("x"), Admit.RATE_LIMITED);
  own.clock.nowMs += 1000;
  for (let i = 0; i < 10; i++) assert.equal(send("x"), Admit.STAGED);
  assert.equal(send("x".repeat(1530)), Admit.RATE_LIMITED);
  assert.equal(admission.outcome.retryAfterS, 1);
});

test("an app that was idle for a whole turn of its bucket's clock finds the bucket full", () => {
  const own = new IngressRig();
  const admission = own.admission();
  const send = (): number => admission.admit(1, { to: TO, text: "x" }, ScopeBit.SEND);
  while (send() === Admit.STAGED);
  // 10 segments/s of 64 units each: the clock's word comes round after 2^32 units.
  const turnMs = (2 ** 32 / 640) * 1000;
  const steps = 100;
  for (let i = 0; i < steps; i++) {
    own.clock.nowMs += (turnMs - 500) / steps;
    admission.refresh();
  }
  for (let i = 0; i < 20; i++) assert.equal(send(), Admit.STAGED, `message ${i}`);
});

test("rate 0 is closed; the node's bucket bounds all, and the app gets its tokens back", () => {
  const closed = rig.admission();
  assert.equal(closed.admit(3, { to: TO, text: "x" }, ScopeBit.SEND), Admit.RATE_LIMITED);
  assert.equal(closed.outcome.retryAfterS, 60);
  const own = new IngressRig();
  const admission = new Admission(
    { ...own.admissionOptions(), pools: { ...own.pools, nodeRateTps: 15 } },
    () => own.ingress.dispatcher,
  );
  const send = (app: number): number => admission.admit(app, { to: TO, text: "x" }, ScopeBit.SEND);
  for (let i = 0; i < 15; i++) assert.equal(send(i % 2), Admit.STAGED);
  assert.equal(send(0), Admit.RATE_LIMITED);
  for (let i = 0; i < 50; i++) assert.equal(send(1), Admit.RATE_LIMITED);
  assert.equal(admission.outcome.detail, "the gateway is over its rate");
  own.clock.nowMs += 1000;
  for (let i = 0; i < 10; i++) assert.equal(send(1), Admit.STAGED, "the app was not charged");
});

test("no space, a lagging ledger and a full staging ring refuse, and take nothing", () => {
  const own = new IngressRig();
  const admission = own.admission();
  const send = (): number => admission.admit(1, { to: TO, text: "x" }, ScopeBit.SEND);
  const words = new Int32Array(own.memory.apps);
  own.logTable.store(LogWord.OPEN_LIFE_BYTES, own.config.journal.bytesMax - 100);
  admission.refresh();
  assert.equal(send(), Admit.OVERLOADED);
  assert.equal(admission.outcome.retryAfterS, 1);
  own.logTable.store(LogWord.OPEN_LIFE_BYTES, own.config.journal.bytesMax - 5000);
  admission.refresh();
  assert.equal(send(), Admit.STAGED, "close to the bound it is looked up for each message");
  own.logTable.store(LogWord.OPEN_LIFE_BYTES, 0);
  own.logTable.store(LogWord.COMMITTED, LEDGER_LAG_BYTES_MAX + 8);
  admission.refresh();
  assert.equal(send(), Admit.OVERLOADED);
  assert.match(admission.outcome.detail, /ledger/);
  own.logTable.store(LogWord.LEDGER_APPLIED, 8);
  own.logTable.store(LogWord.OLDEST, LEDGER_LAG_BYTES_MAX);
  const full = own.admissionWithFullStaging();
  const before = words[1];
  assert.equal(full.admit(1, { to: TO, text: "x" }, ScopeBit.SEND), Admit.OVERLOADED);
  assert.match(full.outcome.detail, /journal/);
  assert.equal(words[1], before, "the tokens went back");
});

test("what finds no room in the staging ring takes no promise of a reference", () => {
  const own = new IngressRig();
  const text = "x".repeat(200);
  const promises = new Int32Array(own.memory.referencePromises);
  const full = own.admissionWithFullStaging();
  const before = promises.slice();
  assert.equal(full.admit(0, { to: TO, text }, ScopeBit.SEND), Admit.OVERLOADED);
  assert.match(full.outcome.detail, /journal/);
  assert.deepEqual(promises, before);
});

test("sequences count strictly up, also when the clock stands or goes back", () => {
  const own = new IngressRig();
  const admission = own.admission();
  let last = 0;
  for (let i = 0; i < 5000; i++) {
    if (i % 1000 === 999) own.clock.nowMs += (i % 2000) - 1000;
    assert.equal(admission.admit(0, { to: TO, text: "x" }, ScopeBit.SEND), Admit.STAGED);
    assert.ok(admission.outcome.sequence > last);
    last = admission.outcome.sequence;
  }
});

test("a message for later carries its delay, and its validity counts from then", () => {
  const { record, acceptedAt, expiresAt, admission } = stage({
    to: TO,
    text: "x",
    send_at: "2026-11-22T05:00:10.500+05:00",
    ttl_s: 60,
  });
  // The clock stands at 00:00:05 UTC; the wait is rounded up to whole seconds.
  assert.equal(record.readUInt32LE(Accept.SEND_DELAY_S), 6);
  assert.equal(expiresAt - acceptedAt, 66_000);
  assert.equal(admission.outcome.isScheduled, true);
  const late = stage({ to: TO, text: "x", send_at: "2026-11-21T23:59:30Z", ttl_s: 60 });
  assert.equal(late.record.readUInt32LE(Accept.SEND_DELAY_S), 0);
  assert.equal(late.expiresAt - late.acceptedAt, 60_000);
  assert.equal(late.admission.outcome.isScheduled, false);
});
