/**
 * The reference: a bare uWebSockets.js server that parses the same body and answers the same 202,
 * and does nothing else. Prints `listening on PORT`.
 */
import { loadUws } from "../../../src/ingress/http/uws.ts";

const uws = loadUws();
let count = 0;

uws
  .App()
  .post("/v1/messages", (response) => {
    let body: Buffer | null = null;
    response.onAborted(() => undefined);
    response.onData((chunk, isLast) => {
      const part = Buffer.from(chunk);
      if (!isLast) {
        body = body === null ? Buffer.from(part) : Buffer.concat([body, part]);
        return;
      }
      const whole = body === null ? part : Buffer.concat([body, part]);
      const message = JSON.parse(whole.toString()) as { reference: string };
      count += 1;
      const answer = JSON.stringify({
        id: `bare-${count}`,
        status: "accepted",
        segments: 1,
        encoding: "gsm7",
        reference: message.reference,
      });
      response.cork(() => {
        response.writeStatus("202 Accepted");
        response.writeHeader("Location", `/v1/messages/bare-${count}`);
        response.writeHeader("Content-Type", "application/json");
        response.end(answer);
      });
    });
  })
  .listen("127.0.0.1", 0, (socket) => {
    if (socket === false) throw new Error("cannot listen on 127.0.0.1");
    console.log(`listening on ${uws.us_socket_local_port(socket)}`);
  });
