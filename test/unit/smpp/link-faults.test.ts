/** The fault rows about links with few trials; `npm run fault:links` runs them at full length. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ROWS } from "../../fault/links/rows.ts";

const SEED = 20_261_122;

for (const row of ROWS) {
  test(`${row.id}: ${row.trialsQuick} trials, seed ${SEED}`, async () => {
    const report = await row.run(row.trialsQuick, SEED);
    assert.deepEqual(report.failures, []);
    assert.ok(report.trials >= row.trialsQuick);
  });
}
