/**
 * Reference: Node's own HTTP server that parses the same body and answers the same 202, and does
 * nothing else. Prints `listening on PORT`.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

let count = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const message = JSON.parse(Buffer.concat(chunks).toString()) as { reference: string };
    count += 1;
    const answer = JSON.stringify({
      id: `bare-${count}`,
      status: "accepted",
      segments: 1,
      encoding: "gsm7",
      reference: message.reference,
    });
    response.writeHead(202, {
      Location: `/v1/messages/bare-${count}`,
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});

server.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${(server.address() as AddressInfo).port}`);
});
