/**
 * A thread that is an SMSC which answers the bind, reads nothing more, and sends deliver_sm as fast
 * as they are taken.
 *
 * It posts its port, and at its end the wall time (ms) at which anything was taken last.
 */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { parentPort } from "node:worker_threads";
import { COMMAND_ID, readCommandId, readSequenceNumber } from "../../../src/codec/index.ts";
import { bindResp } from "../../support/scripted-smsc.ts";
import { deliverSm } from "../../unit/smpp/deliver-pdus.ts";

const PDUS_A_WRITE = 500;

// No receipt: each is answered at once, and nothing of it is kept.
const inbound = deliverSm(7, 0, "hello");
const many = new Uint8Array(inbound.length * PDUS_A_WRITE);
for (let i = 0; i < PDUS_A_WRITE; i++) many.set(inbound, i * inbound.length);

const server = createServer((socket) => {
  socket.on("error", () => undefined);
  socket.once("data", (bytes: Uint8Array) => {
    if (readCommandId(bytes, 0) !== COMMAND_ID.bind_transceiver) return;
    socket.pause();
    socket.write(bindResp(COMMAND_ID.bind_transceiver, 0, readSequenceNumber(bytes, 0)));
    flood(socket);
  });
});
server.listen(0, "127.0.0.1", () => {
  parentPort?.postMessage((server.address() as AddressInfo).port);
});

function flood(socket: Socket): void {
  let lastTakenAt = Date.now();
  const write = (): void => {
    lastTakenAt = Date.now();
    while (socket.write(many));
  };
  socket.on("drain", write);
  socket.on("close", () => parentPort?.postMessage(lastTakenAt));
  write();
}
