import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { dueAfterMs, runLoad } from "../../../src/cli/load/generator.ts";

const REQUEST = Buffer.from("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
const ANSWERS = [
  "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n{1:2}",
  "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nContent-Length: 4\r\n\r\nbusy",
  "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
];

test("the rate grows evenly over the warm-up, and is constant after it", () => {
  assert.equal(dueAfterMs(0, 1000, 0), 0);
  assert.equal(dueAfterMs(500, 1000, 0), 500);
  // 2 s of warm-up at the end of which 1,000 a second are due: 1,000 in all, 250 in the first half.
  assert.equal(dueAfterMs(0, 1000, 2000), 0);
  assert.equal(dueAfterMs(250, 1000, 2000), 1000);
  assert.equal(dueAfterMs(1000, 1000, 2000), 2000);
  assert.equal(dueAfterMs(1500, 1000, 2000), 2500);
});

test("answers count by kind, whole or in pieces; those of the warm-up do not", async () => {
  let count = 0;
  const server = createServer((socket) => {
    socket.on("data", (bytes) => {
      assert.equal(bytes.toString(), REQUEST.toString(), "one request in flight a connection");
      const answer = ANSWERS[count++ % ANSWERS.length] as string;
      const cut = count % 2 === 0 ? answer.length : count % answer.length;
      socket.write(answer.slice(0, cut));
      setImmediate(() => socket.write(answer.slice(cut)));
    });
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const load = { port, requests: [REQUEST], rate: 300, seconds: 1, connections: 4 };
  const result = await runLoad({ ...load, warmUpS: 0.4 });
  server.close();
  // 60 in the warm-up, 180 after it.
  assert.equal(result.due, 240);
  assert.equal(count, 240);
  assert.equal(result.unanswered, 0);
  assert.equal(result.withoutRetryAfter, 80, "every third");
  assert.equal(result.accepted.count + result.refused.count, 180);
  assert.equal(result.unwritten.count, 180);
  assert.equal(result.samples.length, 80);
  assert.ok(result.samples.every((body) => body === "{1:2}"));
});
