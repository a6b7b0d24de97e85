/**
 * Clients that ask and do not read: what the gateway keeps for them is one answer a connection, and
 * then they are let go.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { HttpAnswer } from "./http-rig.ts";
import { HttpRig } from "./http-rig.ts";

const HOST = "Host: gateway\r\n";
/** Far more than the kernel keeps for a connection on either side, and far less than memory. */
const ANSWERS_BYTES = 400_000_000;
const ROUNDS_MAX = 20_000;
/** The lines of a stream are answered within this time. */
const STREAM_MS = 8;

/** Sends `requests` again and again, reads nothing; returns how many rounds until it is let go. */
async function roundsUnread(http: HttpRig, requests: string, pauseMs = 0): Promise<number> {
  const socket = http.open();
  socket.pause();
  socket.on("error", () => undefined);
  let rounds = 0;
  for (; !socket.closed && rounds < ROUNDS_MAX; rounds++) {
    await Promise.race([new Promise((done) => socket.write(requests, done)), sleep(50)]);
    // The listener shares this thread.
    await (pauseMs === 0 ? turn() : sleep(pauseMs));
  }
  socket.destroy();
  return rounds;
}

test("answers given at once, in a pipeline that is not read", async () => {
  const http = new HttpRig();
  try {
    const { text } = await http.get("/openapi.json");
    const before = process.memoryUsage.rss();
    const request = `GET /openapi.json HTTP/1.1\r\n${HOST}\r\n`;
    const rounds = await roundsUnread(http, request.repeat(20));
    const bytes = rounds * 20 * text.length;
    assert.ok(bytes < ANSWERS_BYTES, `${bytes} bytes of answers were asked for`);
    const grown = process.memoryUsage.rss() - before;
    assert.ok(grown < 200_000_000, `${grown} bytes more in memory`);
    const refused = `GET /none${"x".repeat(200)} HTTP/1.1\r\n${HOST}\r\n`;
    assert.ok((await roundsUnread(http, refused.repeat(500))) < ROUNDS_MAX);
    assert.equal((await http.get("/healthz")).status, 200);
  } finally {
    await http.close();
  }
});

test("answers of calls, one after the other, that are not read", async () => {
  const http = new HttpRig();
  try {
    const fields = Object.entries(http.headers()).map(([name, value]) => `${name}: ${value}\r\n`);
    const call = (path: string, body: string): string =>
      `POST /v1/messages${path} HTTP/1.1\r\n${HOST}${fields.join("")}` +
      `Content-Length: ${body.length}\r\n\r\n${body}`;
    const batch = `{"messages":[${Array.from({ length: 400 }, () => "{}").join(",")}]}`;
    assert.ok((await roundsUnread(http, call(":batch", batch))) < ROUNDS_MAX);
    const lines = call(":stream", "{}\n".repeat(400)).replace(
      "application/json",
      "application/x-ndjson",
    );
    // One stream at a time: uWS lets go whoever asks for more before one has ended.
    assert.ok((await roundsUnread(http, lines, STREAM_MS)) < 400);
  } finally {
    await http.close();
  }
});

test("a long answer that is read slowly comes whole, and the connection goes on", async () => {
  const http = new HttpRig();
  try {
    const padding = "p".repeat(12_000_000);
    http.reads = (_question, done) => {
      done({ data: [{ padding }], next: null } as never);
      return true;
    };
    const answers: HttpAnswer[] = [];
    for (let i = 0; i < 2; i++) answers.push(await http.get("/v1/messages?reference=a"));
    for (const { status, json } of answers) {
      assert.equal(status, 200);
      assert.equal((json["data"] as { padding: string }[])[0]?.padding, padding);
    }
  } finally {
    await http.close();
  }
});
