/**
 * Writes docs/METRICS.md from the table: part of `npm run docs`. Entry point of its own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { metricsMarkdown } from "./docs.ts";

writeFileSync(join(process.cwd(), "docs", "METRICS.md"), metricsMarkdown());
