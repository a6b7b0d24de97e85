/**
 * Clients that send many requests at once and reset the connection amid the answers: the gateway
 * goes on. Without a listener for the client's end uWebSockets.js ends the process there.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, test } from "node:test";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";

const ROUNDS = 60;
const COUNTS = [1, 2, 10, 40, 100] as const;
const PATIENCE_MS = 40;
const workspace = new Workspace();
after(() => workspace.dispose());

const BODY = "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const REQUESTS = {
  openapi: "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n",
  health: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  list: "GET /v1/messages HTTP/1.1\r\nHost: x\r\n\r\n",
  post: `POST /v1/messages HTTP/1.1\r\nHost: x\r\n${BODY}`,
  stream: `POST /v1/messages:stream HTTP/1.1\r\nHost: x\r\n${BODY}`,
  "no path": "GET /x HTTP/1.1\r\nHost: x\r\n\r\n",
};

/** Sends `text` and resets the connection after `bytes` of answers, or soon. */
function sendAndReset(port: number, text: string, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let received = 0;
    const late = setTimeout(() => socket.resetAndDestroy(), PATIENCE_MS);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(late);
      resolve();
    });
    socket.on("data", (segment: Buffer) => {
      received += segment.length;
      if (received > bytes) socket.resetAndDestroy();
    });
    socket.write(text);
  });
}

test("a reset amid pipelined requests ends the connection, not the process", async () => {
  const gateway = await startGateway(workspace, gatewayYaml(1));
  for (const [name, request] of Object.entries(REQUESTS)) {
    for (let round = 0; round < ROUNDS; round++) {
      const text = request.repeat(COUNTS[round % COUNTS.length] as number);
      await sendAndReset(gateway.httpPort, text, (round % 3) * 50_000);
      assert.equal(gateway.child.signalCode, null, `${name}: ${gateway.lines.slice(-2).join(" ")}`);
    }
  }
  assert.equal((await fetch(`http://127.0.0.1:${gateway.httpPort}/healthz`)).status, 200);
});
