/** The tables of docs/BENCHMARKS.md are those of the results in the repository. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { judge } from "../../../bench/load/bars.ts";
import { withTables } from "../../../bench/load/docs-tables.ts";
import { barsText, readSteps } from "../../../bench/load/headline-folder.ts";
import { ROOT } from "../../tidy/source-tree.ts";

const FOLDER = join(ROOT, "bench/results/headline");
const HINT = "run `npm run docs`";

test("the tables are made from the results", () => {
  const page = readFileSync(join(ROOT, "docs/BENCHMARKS.md"), "utf8");
  const results = readSteps(FOLDER);
  assert.ok(results.size > 0);
  assert.equal(withTables(page, results), page, HINT);
  assert.equal(page.match(/<!-- bench:\w+ -->/g)?.length, 3);
});

test("the bars are judged by the results", () => {
  const text = readFileSync(join(FOLDER, "bars.json"), "utf8");
  assert.equal(text, barsText(judge(readSteps(FOLDER))), HINT);
});

test("a table that there is not is an error", () => {
  const page = "<!-- bench:none -->\n<!-- /bench -->";
  assert.throws(() => withTables(page, new Map()), /no table none/);
});
