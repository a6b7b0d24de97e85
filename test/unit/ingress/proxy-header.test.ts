/** PROXY headers: both versions, whole and octet by octet, and what is no header. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addressBytes,
  encodeProxyHeader,
  HEADER_BYTES_MAX,
  readProxyHeader,
  SIGNATURE,
  SignatureWatch,
} from "../../../src/ingress/http/proxy-header.ts";

function v2(command: number, family: number, body: readonly number[], length = body.length) {
  const fixed = Buffer.alloc(4);
  fixed.set([command, family]);
  fixed.writeUInt16BE(length, 2);
  return Buffer.concat([SIGNATURE, fixed, Buffer.from(body)]);
}

const V4_BODY = [203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 1, 187];
const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const V6_BODY = [...V6, ...V6, 0x30, 0x39, 1, 187];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 7];
const TLV = [0x03, 0, 4, 1, 2, 3, 4];

const GOOD: readonly (readonly [string, Buffer, readonly number[] | null])[] = [
  ["v1 IPv4", line("PROXY TCP4 203.0.113.7 10.0.0.1 12345 443"), [203, 0, 113, 7]],
  ["v1 IPv6", line("PROXY TCP6 2001:db8::7 ::1 65535 0"), V6],
  ["v1 mapped", line("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2"), [203, 0, 113, 7]],
  ["v1 UNKNOWN", line("PROXY UNKNOWN"), null],
  ["v1 UNKNOWN with addresses", line("PROXY UNKNOWN ffff::1 ffff::2 1 2"), null],
  [
    "v1, the longest",
    line(`PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535`),
    null,
  ],
  ["v2 IPv4", v2(0x21, 0x11, V4_BODY), [203, 0, 113, 7]],
  ["v2 IPv4 with TLVs", v2(0x21, 0x11, [...V4_BODY, ...TLV]), [203, 0, 113, 7]],
  ["v2 IPv6", v2(0x21, 0x21, V6_BODY), V6],
  ["v2 mapped", v2(0x21, 0x21, [...MAPPED, ...V6, 0, 1, 0, 2]), [203, 0, 113, 7]],
  ["v2 LOCAL", v2(0x20, 0x00, []), null],
  ["v2 LOCAL with addresses", v2(0x20, 0x11, V4_BODY), null],
  ["v2 of no family", v2(0x21, 0x00, TLV), null],
  [
    "v2, the longest",
    v2(0x21, 0x11, [...V4_BODY, ...zeros(HEADER_BYTES_MAX - 28)]),
    V4_BODY.slice(0, 4),
  ],
];

const BAD: readonly (readonly [string, Buffer])[] = [
  ["a request", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["POST, which begins like PROXY", Buffer.from("POST / HTTP/1.1\r\n\r\n")],
  ["TLS", Buffer.from([0x16, 3, 1, 2, 0, 1])],
  ["a line of 108 octets", Buffer.from(`PROXY UNKNOWN ${"x".repeat(93)}\r\n`)],
  ["a line without CR", Buffer.from("PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n")],
  ["TCP5", line("PROXY TCP5 203.0.113.7 10.0.0.1 1 2")],
  ["IPv6 as TCP4", line("PROXY TCP4 2001:db8::7 ::1 1 2")],
  ["IPv4 as TCP6", line("PROXY TCP6 203.0.113.7 10.0.0.1 1 2")],
  ["a name", line("PROXY TCP4 localhost 10.0.0.1 1 2")],
  ["a zone", line("PROXY TCP6 fe80::1%lo ::1 1 2")],
  ["leading zeros", line("PROXY TCP4 203.0.113.007 10.0.0.1 1 2")],
  ["a port of 65536", line("PROXY TCP4 203.0.113.7 10.0.0.1 65536 2")],
  ["a port less", line("PROXY TCP4 203.0.113.7 10.0.0.1 1")],
  ["a field more", line("PROXY TCP4 203.0.113.7 10.0.0.1 1 2 3")],
  ["two spaces", line("PROXY TCP4  203.0.113.7 10.0.0.1 1 2")],
  ["version 1 in binary", v2(0x11, 0x11, V4_BODY)],
  ["an unknown command", v2(0x22, 0x11, V4_BODY)],
  ["UDP", v2(0x21, 0x12, V4_BODY)],
  ["a Unix socket", v2(0x21, 0x31, zeros(216))],
  ["an unknown family", v2(0x21, 0x41, V6_BODY)],
  ["11 octets for IPv4", v2(0x21, 0x11, V4_BODY.slice(0, 11))],
  ["IPv4 addresses for IPv6", v2(0x21, 0x21, V4_BODY)],
  ["a length over the bound", v2(0x21, 0x11, V4_BODY, HEADER_BYTES_MAX - 15)],
];

function line(text: string): Buffer {
  return Buffer.from(`${text}\r\n`, "latin1");
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}

for (const [name, header, address] of GOOD) {
  test(`read whole, with bytes behind, and at every length: ${name}`, () => {
    for (const behind of ["", "GET / HTTP/1.1\r\n\r\n", "PROXY ", "\r\n\r\n"]) {
      const read = readProxyHeader(Buffer.concat([header, Buffer.from(behind)]));
      assert.ok(read.kind === "header", read.kind);
      assert.equal(read.lengthBytes, header.length);
      assert.deepEqual(read.address && [...read.address], address);
    }
    for (let length = 0; length < header.length; length++) {
      assert.equal(readProxyHeader(header.subarray(0, length)).kind, "incomplete", `${length}`);
    }
  });
}

for (const [name, bytes] of BAD) {
  test(`refused, and never a header at any length: ${name}`, () => {
    for (let length = 0; length <= bytes.length; length++) {
      assert.notEqual(readProxyHeader(bytes.subarray(0, length)).kind, "header", `${length}`);
    }
    assert.equal(readProxyHeader(bytes).kind, "malformed");
  });
}

test("what is written is read back", () => {
  for (const text of ["203.0.113.7", "0.0.0.0", "2001:db8::7", "::", "1:2:3:4:5:6:7:8"]) {
    const address = addressBytes(text) as Uint8Array;
    const header = encodeProxyHeader(address);
    assert.deepEqual(readProxyHeader(header), {
      kind: "header",
      lengthBytes: header.length,
      address,
    });
  }
});

test("addresses in text become octets", () => {
  const cases: readonly (readonly [string, string | null])[] = [
    ["1.2.3.4", "01020304"],
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["2001:DB8::", `20010db8${"0".repeat(24)}`],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::ffff:1.2.3.4", "01020304"],
    ["::ffff:102:304", "01020304"],
    ["64:ff9b::1.2.3.4", "0064ff9b000000000000000001020304"],
    ["1:2:3:4:5:6:255.254.253.252", "000100020003000400050006fffefdfc"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["1.2.3", null],
    ["", null],
    ["host", null],
  ];
  for (const [text, hex] of cases) {
    const address = addressBytes(text);
    assert.equal(address && Buffer.from(address).toString("hex"), hex, text);
  }
});

test("a signature is seen wherever the segments end, and nothing else is", () => {
  const stream = Buffer.concat([Buffer.from("{}\r\n\r\n\r\n"), SIGNATURE, Buffer.from("rest")]);
  const end = stream.indexOf(SIGNATURE) + SIGNATURE.length;
  for (let size = 1; size <= stream.length; size++) {
    const watch = new SignatureWatch();
    let passed = 0;
    while (passed < stream.length) {
      const segment = stream.subarray(passed, passed + size);
      if (watch.sees(segment)) break;
      passed += segment.length;
    }
    assert.ok(passed < end && passed + size >= end, `segments of ${size}`);
  }
  const watch = new SignatureWatch();
  for (const almost of [
    "\r\n\r\n\0\r\nQUIT",
    "\r\n\r\n\0\r\nQUIT",
    " \r\n\r\n\0\r\n",
    "QUIT",
    " \n",
  ]) {
    assert.equal(watch.sees(Buffer.from(almost, "latin1")), false);
  }
});
