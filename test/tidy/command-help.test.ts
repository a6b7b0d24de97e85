/** Every command of package.json that tries or measures something answers --help. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const scripts = (
  JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  }
).scripts;

/** The source of a command and of what it imports from its own folder. */
function sourcesOf(path: string): string[] {
  const own = readFileSync(path, "utf8");
  const beside = [...own.matchAll(/ from "(\.\/[^"/]+)"/g)].map(([, name]) =>
    readFileSync(join(dirname(path), name as string), "utf8"),
  );
  return [own, ...beside];
}

for (const [name, command] of Object.entries(scripts)) {
  const program = /dist\/((?:test|bench)\/\S+)\.js/.exec(command)?.[1];
  if (program === undefined) continue;
  test(`npm run ${name} reads its options by readFlags`, () => {
    const sources = sourcesOf(join(ROOT, `${program}.ts`));
    assert.ok(sources.some((source) => source.includes("readFlags(")));
    assert.ok(!sources.some((source) => /import \{[^}]*\bparseArgs\b/.test(source)));
  });
}

test("--help prints what the command is for and its options, and does nothing", () => {
  const program = join(ROOT, "dist/test/fault/recovery/run.js");
  const text = execFileSync(process.execPath, [program, "--help"], { encoding: "utf8" });
  assert.match(text, /^Recovery at large: /);
  assert.match(text, /\n {2}--log-gib … +\(0\)\n/);
});
