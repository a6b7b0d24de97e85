/**
 * The house rules that a program can check: sizes, names, leftovers. CONTRIBUTING.md says them in
 * words.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceFiles } from "./source-tree.ts";

const LINES_MAX = 600;
const COLUMNS_MAX = 100;
const FUNCTION_LINES_MAX = 70;
const FOLDERS_BANNED = /(^|\/)(utils?|common|helpers?|core|lib|misc)\//;
const NAMES_BANNED =
  /\bfunction\s+(process|handle|manage|do)[A-Z]\w*|^\s+#?(process|handle|manage)[A-Z]\w*\(.*\{$/m;
const LEFTOVERS = new RegExp(["TO", "DO|FIX", "ME|XX", "X|HA", "CK"].join(""));

/** Only entry points read the clock, make randomness or start timers. */
const ENVIRONMENT =
  /\bDate\.now\(|\bMath\.random\(|\bperformance\.now\(|\bsetTimeout\(|\bsetInterval\(/;
const ENTRY_POINTS = /^src\/(cli|workers)\/|^src\/main\.ts$|^src\/smsc\/(server|start)[^/]*\.ts$/;

const files = sourceFiles(["src", "test", "bench"]);
const sources = files.filter((file) => file.path.startsWith("src/"));

/** Lists what `find` says of each file. */
function findings(among: typeof files, find: (file: (typeof files)[number]) => string[]): string[] {
  return among.flatMap((file) => find(file).map((what) => `${file.path}: ${what}`));
}

test("files stay short and narrow", () => {
  const broken = findings(files, ({ lines }) => [
    ...(lines.length > LINES_MAX + 1 ? [`${lines.length} lines`] : []),
    ...lines.flatMap((line, i) =>
      line.length > COLUMNS_MAX && !/https?:\/\//.test(line) ? [`line ${i + 1} is too wide`] : [],
    ),
  ]);
  assert.deepEqual(broken, []);
});

test("functions stay short", () => {
  const broken = findings(sources, ({ lines }) => longFunctions(lines));
  assert.deepEqual(broken, []);
});

test("folders and files are named for what they hold", () => {
  const broken = findings(files, ({ path }) => [
    ...(FOLDERS_BANNED.test(path) ? ["a drawer folder"] : []),
    ...(/^[a-z0-9.-]+$/.test(path.split("/").at(-1) as string) ? [] : ["not kebab-case"]),
  ]);
  assert.deepEqual(broken, []);
});

test("functions say what they do", () => {
  const broken = findings(sources, ({ text }) => {
    const match = NAMES_BANNED.exec(text);
    return match === null ? [] : [match[0].trim()];
  });
  assert.deepEqual(broken, []);
});

test("every source file starts with what it is", () => {
  const broken = findings(sources, ({ text }) =>
    /^(#![^\n]*\n)?\/\*\*/.test(text) ? [] : ["no header comment"],
  );
  assert.deepEqual(broken, []);
});

test("no default exports, enums, marks or lone tests are left", () => {
  const broken = findings(files, ({ path, text }) => [
    ...(/^export default/m.test(text) ? ["default export"] : []),
    ...(/^\s*(export )?(const )?enum /m.test(text) ? ["enum"] : []),
    ...(LEFTOVERS.test(text) && !path.startsWith("test/tidy/") ? ["a leftover mark"] : []),
    ...(/\b(test|it|describe)\.(only|todo)\(/.test(text) ? ["a lone test"] : []),
  ]);
  assert.deepEqual(broken, []);
});

test("only entry points touch clock, timers and randomness", () => {
  const broken = findings(
    sources.filter((file) => !ENTRY_POINTS.test(file.path)),
    ({ text }) => {
      const match = ENVIRONMENT.exec(text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""));
      return match === null ? [] : [match[0]];
    },
  );
  assert.deepEqual(broken, []);
});

/** Start of a function or method, by its look; its indentation is captured. */
const FUNCTION =
  /^(\s*)(?:export )?(?:async )?(?:function\b|(?:static |override )?#?\w+\([^)]*\)?.*\{$)/;

/** Functions and methods whose body, by indentation, is longer than allowed. */
function longFunctions(lines: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    const start = FUNCTION.exec(line);
    if (start === null || /^\s*(if|for|while|switch|return|const|let)\b/.test(line)) continue;
    const indent = start[1] as string;
    const end = lines.findIndex((other, j) => j > i && other.startsWith(`${indent}}`));
    if (end - i + 1 > FUNCTION_LINES_MAX) found.push(`line ${i + 1}: ${end - i + 1} lines`);
  }
  return found;
}
