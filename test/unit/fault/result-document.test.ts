/** A file of a large run: one sitting, several, and none that counts twice. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { earlierRuns, resultDocument, runOf } from "../../fault/recovery/result-document.ts";

test("sittings add up by row; one with a row and seed of an earlier one is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-test-"));
  try {
    const path = join(folder, "result.json");
    assert.deepEqual(earlierRuns(path, ["F1"], "1"), [], "there is no file yet");
    const first = runOf("recovery", { seed: "1" }, [{ row: "F1", trials: 20, failures: 0 }]);
    writeFileSync(path, resultDocument([first]));
    assert.deepEqual(JSON.parse(resultDocument([first])), first, "one alone is the document");
    assert.throws(() => earlierRuns(path, ["F2", "F1"], "1"), /F1 with seed 1/);
    assert.deepEqual(earlierRuns(path, ["F2"], "1"), [first]);

    const second = runOf("recovery", { seed: "2" }, [
      { row: "F1", trials: 40, failures: 0 },
      { row: "F2", trials: 7, failures: 1 },
    ]);
    writeFileSync(path, resultDocument([...earlierRuns(path, ["F1", "F2"], "2"), second]));
    const { total } = JSON.parse(resultDocument([first, second])) as { total: object };
    assert.deepEqual(total, {
      F1: { trials: 60, failures: 0, bound_95: 0.05 },
      F2: { trials: 7, failures: 1, bound_95: null },
    });
    assert.deepEqual(earlierRuns(path, ["F1"], "3"), [first, second]);
    assert.throws(() => earlierRuns(path, ["F1"], "1"), /another one by --seed/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
