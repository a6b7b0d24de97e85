/** The project's own source files, read once, for the house rules to look at. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the repository; the tests run from dist/test/tidy. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

export interface SourceFile {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

/** Every file below `folders` whose name ends in `ending`. */
export function sourceFiles(folders: readonly string[], ending = ".ts"): SourceFile[] {
  return folders.flatMap((folder) => walk(join(ROOT, folder), ending)).map(read);
}

function walk(folder: string, ending: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path, ending);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

function read(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  return { path: relative(ROOT, path).split(sep).join("/"), text, lines: text.split("\n") };
}
