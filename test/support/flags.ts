/**
 * The options of a command of the tests or benches, and its answer to --help: the comment that its
 * file begins with, and every option with its default.
 *
 * Main thread of an entry point.
 */
import { readFileSync } from "node:fs";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { isParseArgsError } from "../../src/cli/output.ts";

const USAGE_EXIT_CODE = 2;

/**
 * Reads the command line as `parseArgs` does. Ends the process with 0 when --help is asked for, and
 * with 2 when the options are not understood.
 */
export function readFlags<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(`${headerOf(process.argv[1] as string)}\n${optionsText(config)}`);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    if (!isParseArgsError(error)) throw error;
    process.stderr.write(`${error.message}\n${optionsText(config)}`);
    process.exit(USAGE_EXIT_CODE);
  }
}

/** The text of the comment at the top of a program. */
function headerOf(path: string): string {
  const [, comment = ""] = /^\/\*\*\n([^]*?) \*\//.exec(readFileSync(path, "utf8")) ?? [];
  return comment.replaceAll(/^ \* ?/gm, "");
}

function optionsText({ options = {} }: ParseArgsConfig): string {
  const lines = Object.entries(options).map(([name, { type, default: value }]) => {
    const shown = type === "boolean" ? `--${name}` : `--${name} …`;
    return value === undefined || value === "" ? shown : `${shown.padEnd(20)} (${String(value)})`;
  });
  return `Options:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
