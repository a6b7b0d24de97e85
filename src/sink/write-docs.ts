/**
 * Writes the columns into docs/CDR.md: part of `npm run docs`. Entry point of its own.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withColumns } from "./docs.ts";

const path = join(process.cwd(), "docs", "CDR.md");
writeFileSync(path, withColumns(readFileSync(path, "utf8")));
