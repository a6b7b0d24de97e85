/**
 * Writes what is generated from the tables into docs/: `npm run docs`. Entry point of its own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { configMarkdown, errorsMarkdown } from "./docs.ts";
import { configJsonSchema } from "./json-schema.ts";

const folder = join(process.cwd(), "docs");
writeFileSync(join(folder, "CONFIG.md"), configMarkdown());
writeFileSync(join(folder, "ERRORS.md"), errorsMarkdown());
writeFileSync(join(folder, "config.schema.json"), configJsonSchema());
