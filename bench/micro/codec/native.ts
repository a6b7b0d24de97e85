/**
 * Builds and runs the bench's C programs: the physical limit, and libsmpp34.
 *
 * Each program prints one JSON line. Programs that cannot be built are reported as null, so that
 * the bench still runs without a compiler or without the library.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface NativeResult {
  nsPerPdu: number;
  checksum: number;
  count: number;
}

/** The repository's root, from the source file as well as from its compiled copy. */
export function repositoryRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, "package.json"))) at = dirname(at);
  return at;
}

/** A scratch directory for corpora and binaries. */
export function createScratch(): string {
  return mkdtempSync(join(tmpdir(), "codec-bench-"));
}

/**
 * Compiles bench/micro/codec/native/<name>.c with -O2; returns the binary, or null with the reason
 * logged.
 */
export function buildNative(
  scratch: string,
  name: string,
  flags: readonly string[],
): string | null {
  const source = join(repositoryRoot(), "bench/micro/codec/native", `${name}.c`);
  const binary = join(scratch, name);
  try {
    execFileSync("gcc", ["-O2", "-o", binary, source, ...flags], { stdio: "pipe" });
    return binary;
  } catch (cause) {
    console.error(
      `${name}.c was not built, its column stays empty: ${String(cause).split("\n")[0]}`,
    );
    return null;
  }
}

/** Runs a binary in a mode over a corpus. */
export function runNative(
  binary: string | null,
  mode: string,
  corpus: string,
): NativeResult | null {
  if (binary === null) return null;
  return JSON.parse(execFileSync(binary, [mode, corpus], { encoding: "utf8" })) as NativeResult;
}
