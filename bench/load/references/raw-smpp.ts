/**
 * Reference: submit_sm over net.Socket and nothing else, two sessions. Prints `listening on PORT`
 * of the operator; SIGUSR2 starts the sending, another one stops it.
 *
 *   node raw-smpp.js SMSC_PORT
 */
import { RawSender } from "../raw-sender.ts";

const SESSIONS = 2;
const WINDOW = 1000;
const TEXT_BYTES = 74;

const port = Number(process.argv[2]);
const plan = {
  port,
  window: WINDOW,
  textBytes: TEXT_BYTES,
  hasReceipts: false,
  encodesEach: true,
};
let senders: RawSender[] = [];
process.on("SIGUSR2", () => {
  if (senders.length === 0) {
    senders = Array.from({ length: SESSIONS }, () => new RawSender(plan));
  } else for (const sender of senders) sender.finish();
});
// Signals alone do not keep a process alive.
setInterval(() => undefined, 60_000);
console.log(`listening on ${port}`);
