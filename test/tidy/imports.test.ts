/** Who may import whom: docs/ARCHITECTURE.md carries the same table in words. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT, sourceFiles } from "./source-tree.ts";

/** Folder of src → folders (or files) of src it may import. Itself is always allowed. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  codec: [],
  ring: [],
  "errors.ts": [],
  "environment.ts": [],
  records: ["codec", "ring"],
  tables: ["ring", "records"],
  metrics: ["ring", "tables"],
  journal: ["ring", "records", "tables", "metrics", "environment.ts", "errors.ts"],
  limit: ["tables", "environment.ts"],
  routing: ["tables", "config"],
  config: ["errors.ts", "records", "codec"],
  dispatch: ["ring", "tables", "journal", "records", "routing", "limit", "environment.ts"],
  ingress: [
    "dispatch",
    "limit",
    "records",
    "routing",
    "journal",
    "ring",
    "tables",
    "metrics",
    "codec",
    "config",
    "errors.ts",
    "environment.ts",
  ],
  smpp: [
    "codec",
    "records",
    "tables",
    "limit",
    "routing",
    "journal",
    "ring",
    "metrics",
    "config",
    "environment.ts",
  ],
  ledger: [
    "journal",
    "records",
    "dispatch",
    "ring",
    "tables",
    "metrics",
    "config",
    "environment.ts",
  ],
  sink: ["ledger", "records", "tables", "metrics", "config", "environment.ts"],
  admin: [
    "smpp",
    "metrics",
    "tables",
    "config",
    "errors.ts",
    "environment.ts",
    "ingress",
    "limit",
    "ring",
    "journal",
  ],
  smsc: ["codec", "environment.ts"],
  workers: [
    "admin",
    "codec",
    "config",
    "dispatch",
    "ingress",
    "journal",
    "ledger",
    "limit",
    "metrics",
    "records",
    "ring",
    "routing",
    "sink",
    "smpp",
    "smsc",
    "tables",
    "environment.ts",
    "errors.ts",
  ],
  "main.ts": ["*"],
  cli: ["*"],
};

/** Third-party packages and the one folder that may import each. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@aws-sdk/client-s3": "sink",
  hyparquet: "sink",
  "hyparquet-writer": "sink",
  jose: "ingress",
  lmdb: "ledger",
  pino: "workers",
  piscina: "workers",
  "uWebSockets.js": "ingress",
  "@trufflesuite/uws-js-unofficial": "ingress",
  yaml: "config",
};

const IMPORT =
  /^\s*(?:import|export)\s[^"']*?from\s*["']([^"']+)["']|import\(\s*["']([^"']+)["']\s*\)/gm;

function imports(text: string): string[] {
  return [...text.matchAll(IMPORT)].map((match) => (match[1] ?? match[2]) as string);
}

/** The room of a file: its folder under src, or its own name directly under src. */
function roomOf(path: string): string {
  return path.split("/")[1] as string;
}

const files = sourceFiles(["src"]);

test("every folder imports only what the table allows", () => {
  const broken: string[] = [];
  for (const file of files) {
    const room = roomOf(file.path);
    const allowed = ALLOWED[room];
    assert.ok(allowed, `src/${room} has no row in the import table`);
    for (const target of imports(file.text)) {
      if (!target.startsWith(".")) continue;
      const resolved = new URL(target, `file:///${file.path}`).pathname.slice(1);
      const targetRoom = roomOf(resolved);
      if (targetRoom === room || allowed.includes(targetRoom) || allowed.includes("*")) continue;
      broken.push(`${file.path} imports ${resolved}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("each package is imported in one folder only", () => {
  const broken: string[] = [];
  for (const file of files) {
    for (const target of imports(file.text)) {
      if (target.startsWith(".") || target.startsWith("node:")) continue;
      const name = target.startsWith("@")
        ? target.split("/").slice(0, 2).join("/")
        : target.split("/")[0];
      if (PACKAGES[name as string] !== roomOf(file.path))
        broken.push(`${file.path} imports ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test("docs/ARCHITECTURE.md names every folder and its row of the import table", () => {
  const page = readFileSync(join(ROOT, "docs/ARCHITECTURE.md"), "utf8");
  for (const room of Object.keys(ALLOWED)) {
    assert.ok(page.includes(`\`src/${room}`), `docs/ARCHITECTURE.md does not mention src/${room}`);
  }
});
