/**
 * Writes docs/openapi.json: `npm run docs`. Entry point of its own.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openapiJson } from "./openapi.ts";

writeFileSync(join(process.cwd(), "docs", "openapi.json"), openapiJson());
