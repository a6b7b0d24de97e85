/** The ledger bench at small size: it counts every message once, and its figures are figures. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runLedgerBench } from "../../../bench/pipeline/ledger-run.ts";

test("the ledger bench delivers what it fed and says what that took", async () => {
  const directory = mkdtempSync(join(tmpdir(), "smsgw-ledger-bench-"));
  try {
    const told: number[] = [];
    const onProgress = (count: number): void => void told.push(count);
    const stored = [5000, 12_000];
    const report = await runLedgerBench({
      directory,
      stored,
      sample: 2000,
      open: 4000,
      waiting: 500,
      onProgress,
    });
    assert.equal(report.delivered, 12_000);
    assert.ok(report.booksAgree);
    assert.deepEqual(told, [3000, 10_000]);
    assert.deepEqual(
      report.points.map((point) => point.stored),
      stored,
    );
    for (const point of report.points) {
      for (const figure of Object.values(point)) assert.ok(figure > 0, JSON.stringify(point));
      assert.ok(point.liveBytesPerMessage <= point.diskBytesPerMessage);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
