import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzzHttp } from "./fuzz.ts";

const COUNT = 4000;

test("hostile requests get no 5xx, and stable problems where they are refused", async (t) => {
  const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const { failures, failureCount, statuses } = await fuzzHttp(seed, COUNT);
  assert.equal(failureCount, 0, failures.join("\n"));
  assert.ok((statuses["202"] ?? 0) > COUNT / 50, "some are accepted");
  assert.ok((statuses["400"] ?? 0) > COUNT / 10, "many are refused");
});
