/** F12, one network that disappears; `npm run fault:links -- --rows F12-network` runs twenty. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { lostNetworks, networkRefusal } from "./lost-networks.ts";

const refusal = networkRefusal();

test("a link whose network disappears is found out, and nothing is lost", {
  skip: refusal ?? false,
}, async (context) => {
  const { failures, worst } = await lostNetworks(1);
  context.diagnostic(JSON.stringify(worst));
  assert.deepEqual(failures, []);
});
