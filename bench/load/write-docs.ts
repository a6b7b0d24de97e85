/**
 * Writes the tables of docs/BENCHMARKS.md from the headline's results in the repository, and its
 * bars.json.
 *
 *   npm run docs
 *
 * Run from the root of the repository.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { readFlags } from "../../test/support/flags.ts";
import { withTables } from "./docs-tables.ts";
import { readSteps, writeBars } from "./headline-folder.ts";

const FOLDER = "bench/results/headline";
const PAGE = "docs/BENCHMARKS.md";

readFlags({ options: {} });
writeBars(FOLDER);
writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8"), readSteps(FOLDER)));
console.log(`wrote the tables of ${PAGE}`);
