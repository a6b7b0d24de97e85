/** The storm of receipts at small size, from a few seeds; run.ts has the large one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryStore } from "../../support/memory-store.ts";
import { runStorm } from "./storm.ts";

for (const seed of [1, 2, 3]) {
  test(`4,000 receipts in disorder find their messages, seed ${seed}`, async () => {
    const report = await runStorm(4000, seed, new MemoryStore(), () => Promise.resolve());
    assert.ok(report.early > 600 && report.duplicates > 100 && report.contradictions > 10);
    assert.equal(report.wrong, 0);
    assert.equal(report.parkedLeft, 0);
    assert.equal(report.booksAgree, true);
  });
}
