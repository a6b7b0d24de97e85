/**
 * Requests whose end two readers could see at different places: the second one inside must never
 * run.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Counter } from "../../../src/metrics/block.ts";
import { HttpRig } from "./http-rig.ts";

const http = new HttpRig();
after(async () => await http.close());

const HEAD = Object.entries(http.headers())
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join("");
const OUTER = '{"to":"+998901234567","text":"x","reference":"outer"}';
const INNER = '{"to":"+998901234567","text":"x","reference":"hidden"}';
const HIDDEN =
  `POST /v1/messages HTTP/1.1\r\nhost: x\r\n${HEAD}` +
  `content-length: ${INNER.length}\r\n\r\n${INNER}`;

/** A request with the framing headers of `lines`, followed by `body`. */
function request(lines: string, body: string, start = "POST /v1/messages HTTP/1.1"): string {
  return `${start}\r\nhost: x\r\n${HEAD}${lines}\r\n\r\n${body}`;
}

const chunked = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
const length = OUTER.length;

/** Framings in which HIDDEN would run if the wrong one of two readings were taken. */
const VECTORS: Readonly<Record<string, string>> = {
  "length and chunked": request(
    `content-length: ${length + HIDDEN.length}\r\ntransfer-encoding: chunked`,
    chunked(OUTER) + HIDDEN,
  ),
  "chunked and length": request(
    `transfer-encoding: chunked\r\ncontent-length: ${length}`,
    OUTER + HIDDEN,
  ),
  "two lengths, short first": request(
    `content-length: ${length}\r\ncontent-length: ${length + HIDDEN.length}`,
    OUTER + HIDDEN,
  ),
  "two lengths, long first": request(
    `content-length: ${length + HIDDEN.length}\r\ncontent-length: ${length}`,
    OUTER + HIDDEN,
  ),
  "two equal lengths": request(
    `content-length: ${length}\r\ncontent-length: ${length}`,
    OUTER + HIDDEN,
  ),
  "length list": request(`content-length: ${length}, ${length}`, OUTER + HIDDEN),
  "length with plus": request(`content-length: +${length}`, OUTER + HIDDEN),
  "length with minus": request(`content-length: -${length}`, OUTER + HIDDEN),
  "length in hex": request(`content-length: 0x${length.toString(16)}`, OUTER + HIDDEN),
  "length with a letter": request(`content-length: ${length}a`, OUTER + HIDDEN),
  "length with a fraction": request(`content-length: ${length}.0`, OUTER + HIDDEN),
  "length with inner space": request(`content-length: ${length} 0`, OUTER + HIDDEN),
  "length over 2^64": request(`content-length: 18446744073709551616`, OUTER + HIDDEN),
  "name with space before colon": request(`content-length : ${length}`, OUTER + HIDDEN),
  "folded length": request(`content-length:\r\n ${length}`, OUTER + HIDDEN),
  "coding identity": request("transfer-encoding: identity", chunked(OUTER) + HIDDEN),
  "coding list": request("transfer-encoding: gzip, chunked", chunked(OUTER) + HIDDEN),
  "coding reversed": request("transfer-encoding: chunked, identity", chunked(OUTER) + HIDDEN),
  "coding twice": request(
    "transfer-encoding: chunked\r\ntransfer-encoding: identity",
    chunked(OUTER) + HIDDEN,
  ),
  "coding chunked twice": request(
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    chunked(OUTER) + HIDDEN,
  ),
  "coding misspelt": request("transfer-encoding: xchunked", chunked(OUTER) + HIDDEN),
  "coding with vertical tab": request("transfer-encoding: \u000bchunked", chunked(OUTER) + HIDDEN),
  "coding quoted": request('transfer-encoding: "chunked"', chunked(OUTER) + HIDDEN),
  "coding with space before colon": request("transfer-encoding : chunked", chunked(OUTER) + HIDDEN),
  "coding beside a length, odd name": request(
    `content-length: ${length}\r\ntransfer_encoding: chunked\r\ntransfer-encoding:\tchunked`,
    OUTER + HIDDEN,
  ),
  "folded coding": request("transfer-encoding:\r\n chunked", chunked(OUTER) + HIDDEN),
  "bare LF in the head": request(`content-length: ${length}`, OUTER).replaceAll("\r", "") + HIDDEN,
  "NUL in a name": request(`content-len\u0000gth: 5\r\ncontent-length: ${length}`, OUTER),
  "chunk size with sign": request("transfer-encoding: chunked", `+${chunked(OUTER)}${HIDDEN}`),
  "chunk size in 0x": request("transfer-encoding: chunked", `0x${chunked(OUTER)}${HIDDEN}`),
  "chunk size overflow": request(
    "transfer-encoding: chunked",
    `1${"0".repeat(16)}\r\n${OUTER}\r\n0\r\n\r\n${HIDDEN}`,
  ),
  "chunk size empty": request("transfer-encoding: chunked", `\r\n${OUTER}\r\n0\r\n\r\n${HIDDEN}`),
  "chunk without its end": request(
    "transfer-encoding: chunked",
    `${length.toString(16)}\r\n${OUTER}0\r\n\r\n${HIDDEN}`,
  ),
  "HTTP/1.0 with chunked": request(
    "transfer-encoding: chunked",
    chunked(OUTER) + HIDDEN,
    "POST /v1/messages HTTP/1.0",
  ),
  "bare CR in the head": request(`content-length: ${length}\rx: y`, OUTER + HIDDEN),
  "CR before the length": request(`x: y\rcontent-length: ${length}`, OUTER + HIDDEN),
  "length empty": request("content-length:", OUTER + HIDDEN),
  "length with NUL": request(`content-length: ${length}\u0000`, OUTER + HIDDEN),
  "length with a comma": request(`content-length: ${length},`, OUTER + HIDDEN),
  "coding with NUL": request("transfer-encoding: chunked\u0000", chunked(OUTER) + HIDDEN),
  "coding empty and a length": request(
    `transfer-encoding:\r\ncontent-length: ${length}`,
    OUTER + HIDDEN,
  ),
  "coding with a parameter": request("transfer-encoding: chunked;q=1", chunked(OUTER) + HIDDEN),
  "coding with a comma": request("transfer-encoding: ,chunked", chunked(OUTER) + HIDDEN),
  "negative chunk size": request("transfer-encoding: chunked", `-${chunked(OUTER)}${HIDDEN}`),
  "no version": request(`content-length: ${length}`, OUTER + HIDDEN, "POST /v1/messages"),
  "version 2.0": request(`content-length: ${length}`, OUTER + HIDDEN, "POST /v1/messages HTTP/2.0"),
};

/** uWS reads over a missing end of a chunk; the message in front of it is whole and counts. */
const ACCEPTED: readonly string[] = ["chunk without its end"];

test("no hidden request runs behind an ambiguous one", async () => {
  for (const [name, bytes] of Object.entries(VECTORS)) {
    const before = http.rig.metrics.read(Counter.messagesAccepted);
    const answer = await http.raw([bytes], 60);
    const accepted = http.rig.metrics.read(Counter.messagesAccepted) - before;
    assert.ok(!answer.text.includes('"hidden"'), `${name}: ${answer.text}`);
    assert.equal(accepted, ACCEPTED.includes(name) ? 1 : 0, name);
    assert.doesNotMatch(answer.text, /HTTP\/1\.1 5/, name);
    const answers = answer.text.split("HTTP/1.1 ").length - 1;
    assert.ok(answers <= 1, `${name}: a proxy in front would give the second answer to another`);
  }
});

/** Requests that are answered before their body is read; the body is a request. */
const REFUSED_EARLY: Readonly<Record<string, string>> = {
  "no token": `POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: ${HIDDEN.length}\r\n\r\n`,
  "another media type": request(`content-type: text/plain\r\ncontent-length: ${HIDDEN.length}`, ""),
  "no such path": request(
    `content-length: ${HIDDEN.length}`,
    "",
    "POST http://x/v1/nowhere HTTP/1.1",
  ),
  "a method without body": request(`content-length: ${HIDDEN.length}`, "", "GET /healthz HTTP/1.1"),
  HEAD: request(`content-length: ${HIDDEN.length}`, "", "HEAD /v1/messages HTTP/1.1"),
  DELETE: request(`content-length: ${HIDDEN.length}`, "", "DELETE /v1/messages HTTP/1.1"),
  "longer than allowed": request(`content-length: ${HIDDEN.length + 1_000_000}`, ""),
  "chunked to nowhere": request("transfer-encoding: chunked", "", "POST /nowhere HTTP/1.1"),
};

test("a body is never read as a request, however early the answer was", async () => {
  for (const [name, head] of Object.entries(REFUSED_EARLY)) {
    const before = http.rig.metrics.read(Counter.messagesAccepted);
    const body = name.startsWith("chunked") ? chunked(HIDDEN) : HIDDEN;
    for (const pieces of [[head + body], [head, body]]) {
      const answer = await http.raw(pieces, 60);
      assert.ok(!answer.text.includes('"hidden"'), `${name}: ${answer.text}`);
      assert.ok(answer.text.split("HTTP/1.1 ").length <= 2, `${name}: ${answer.text}`);
    }
    assert.equal(http.rig.metrics.read(Counter.messagesAccepted), before, name);
  }
});

test("nor behind an ambiguous one of any other method or path", async () => {
  const framings = [
    `content-length: 0\r\ncontent-length: ${HIDDEN.length}`,
    `content-length: ${HIDDEN.length}\r\ncontent-length: 0`,
    `transfer-encoding: chunked\r\ncontent-length: ${HIDDEN.length}`,
    "transfer-encoding: xchunked",
    "transfer-encoding:",
  ];
  const starts = ["GET /healthz", "GET /readyz", "GET /openapi.json", "GET /v1/messages/x"];
  starts.push("GET /v1/links", "GET /v1/events", "GET /v1/held", "POST /v1/held:resolve");
  starts.push("PUT /v1/messages", "DELETE /v1/messages:batch", "GET /nowhere", "POST /nowhere");
  starts.push("POST /v1/messages:stream", "POST /v1/messages:preview", "HEAD /healthz");
  for (const start of starts) {
    for (const lines of framings) {
      const bytes = `${start} HTTP/1.1\r\nhost: x\r\n${HEAD}${lines}\r\n\r\n0\r\n\r\n${HIDDEN}`;
      const { text, closed } = await http.raw([bytes], 60);
      assert.deepEqual([text, closed], ["", true], `${start}, ${lines}`);
    }
  }
});

test("absolute-form and chunk extensions mean what they say, once", async () => {
  const absolute = request(
    `content-length: ${length}`,
    OUTER,
    "POST http://other/v1/messages HTTP/1.1",
  );
  const extended = `${length.toString(16)};ext="a\\"\r\n${OUTER}\r\n0\r\n\r\n`;
  for (const bytes of [absolute, request("transfer-encoding: chunked", extended)]) {
    const { text } = await http.raw([bytes], 100);
    assert.ok(text.split("HTTP/1.1 ").length <= 2, text);
    assert.ok(!text.includes('"hidden"'));
  }
});

test("calls are not pipelined: a second one before the answer ends the connection", async () => {
  const before = http.rig.metrics.read(Counter.messagesAccepted);
  const first = request(`content-length: ${length}`, OUTER);
  const { text, closed } = await http.raw([first + HIDDEN]);
  assert.deepEqual([text, closed], ["", true]);
  assert.ok(http.rig.metrics.read(Counter.messagesAccepted) - before <= 1);
});

test("the server is well after all of it", async () => {
  const answer = await http.post({ to: "+998901234567", text: "x" });
  assert.equal(answer.status, 202);
});
