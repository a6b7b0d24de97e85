/** The programs of the bench suite, run as a user runs them, and what they wrote. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** A folder for results that goes when the test file ends. */
export function resultFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "smsgw-bench-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs a bench to its end; rejects if that is a failure. */
export function bench(name: string, ...args: string[]): Promise<{ stdout: string }> {
  const path = fileURLToPath(new URL(`../../bench/${name}.js`, import.meta.url));
  return promisify(execFile)(process.execPath, ["--expose-gc", path, ...args]);
}

/** The names of the measures that a bench wrote; each has a finite value a run. */
export function measureNames(file: string): string[] {
  const { measures } = JSON.parse(readFileSync(file, "utf8")) as {
    measures: { name: string; values: (number | null)[] }[];
  };
  for (const { name, values } of measures) {
    assert.ok(values.length > 0 && values.every(Number.isFinite), `${name}: ${values.join()}`);
  }
  return measures.map(({ name }) => name);
}
