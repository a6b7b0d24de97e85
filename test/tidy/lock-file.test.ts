/** `npm ci` must accept the lock file on every platform. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./source-tree.ts";

interface LockEntry {
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

test("the lock file has every platform's binaries, and names no registry", () => {
  const text = readFileSync(join(ROOT, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, LockEntry> };
  const missing = Object.values(packages)
    .flatMap((entry) => Object.keys(entry.optionalDependencies ?? {}))
    .filter((name) => packages[`node_modules/${name}`] === undefined);
  assert.deepEqual(missing, [], "run node .ci/complete-lock.mjs after npm install");
  assert.ok(!text.includes('"resolved"'), "install with omit-lockfile-registry-resolved");
});
