/**
 * What the checks of depth and repeated names cost on top of JSON.parse.
 *
 *   npm run -s build && node dist/bench/micro/ingress/json-body.js
 */
import { bench, do_not_optimize, run } from "mitata";
import { readJson } from "../../../src/ingress/http/json-body.ts";

const message = JSON.stringify({
  to: "+998901234567",
  from: "MYBRAND",
  text: "Your order 17 is on its way and arrives today between 14:00 and 16:00.",
  reference: "order-17",
  class: "transactional",
});
const single = Buffer.from(message);
const batch = Buffer.from(`{"messages":[${Array.from({ length: 1000 }, () => message).join()}]}`);

for (const [name, bytes] of Object.entries({ single, batch })) {
  bench(`${name}: JSON.parse`, () => do_not_optimize(JSON.parse(bytes.toString("utf8"))));
  bench(`${name}: readJson`, () => do_not_optimize(readJson(bytes, [])));
}
await run();
