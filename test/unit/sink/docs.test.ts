/** docs/CDR.md has the columns that rows have. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { withColumns } from "../../../src/sink/docs.ts";

test("docs/CDR.md lists the columns; npm run docs writes them", () => {
  const page = readFileSync(new URL("../../../../docs/CDR.md", import.meta.url), "utf8");
  assert.equal(page, withColumns(page));
});
