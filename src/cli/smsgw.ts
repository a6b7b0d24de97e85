#!/usr/bin/env node
/**
 * Entry of the command `smsgw`: picks the command, runs it, turns its outcome into an exit code.
 *
 * Results go to stdout, everything else to stderr. Exit codes: EXIT_CODES in errors.ts.
 */
import { readFileSync } from "node:fs";
import { ConfigError } from "../config/problems.ts";
import { EXIT_CODES } from "../errors.ts";
import { COMMANDS } from "./commands.ts";
import { isParseArgsError, UsageError } from "./output.ts";
import type { CliIo, Command } from "./output.ts";

/** From dist/src/cli up to the package. */
const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

function helpText(): string {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length));
  const lines = [...COMMANDS].map(([name, entry]) => `  ${name.padEnd(width)}  ${entry.summary}`);
  return [
    "Usage: smsgw <command> [options]",
    "",
    "Commands:",
    ...lines,
    "",
    "Options:",
    "  -h, --help     this text; after a command, that command's",
    "  -V, --version  the version",
    "",
  ].join("\n");
}

function versionText(): string {
  const parsed = JSON.parse(readFileSync(PACKAGE_FILE, "utf8")) as { version: string };
  return `${parsed.version}\n`;
}

/** Whether help is asked for among the options, that is before a `--`. */
function asksHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const options = end === -1 ? args : args.slice(0, end);
  return options.includes("--help") || options.includes("-h");
}

async function run(argv: string[], io: CliIo): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined || name === "") {
    io.stderr(helpText());
    return EXIT_CODES.usage.code;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    io.stdout(helpText());
    return EXIT_CODES.ok.code;
  }
  if (name === "--version" || name === "-V") {
    io.stdout(versionText());
    return EXIT_CODES.ok.code;
  }
  const entry = COMMANDS.get(name);
  if (entry === undefined) {
    const what = name.startsWith("-") ? "option" : "command";
    io.stderr(`smsgw: unknown ${what} ${JSON.stringify(name)}\n\n${helpText()}`);
    return EXIT_CODES.usage.code;
  }
  const command = await entry.load();
  if (asksHelp(args)) {
    io.stdout(command.usage);
    return EXIT_CODES.ok.code;
  }
  return await runCommand(name, command, args, io);
}

async function runCommand(
  name: string,
  command: Command,
  args: string[],
  io: CliIo,
): Promise<number> {
  try {
    return await command.run(args, io);
  } catch (error) {
    if (error instanceof UsageError || isParseArgsError(error)) {
      io.stderr(`smsgw ${name}: ${error.message}\n\n${command.usage}`);
      return EXIT_CODES.usage.code;
    }
    if (error instanceof ConfigError) {
      io.stderr(`${error.message}\n`);
      return error.exitCode;
    }
    const reason = error instanceof Error ? error.message : String(error);
    io.stderr(`smsgw ${name}: ${reason}\n`);
    return EXIT_CODES.failure.code;
  }
}

function realIo(): CliIo {
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    readFile: (path) => readFileSync(path),
    wallMs: () => Date.now(),
    isTerminal: process.stdout.isTTY,
    ...(process.stdout.isTTY
      ? {
          columns: (): number => process.stdout.columns,
          rows: (): number => process.stdout.rows,
        }
      : {}),
  };
}

// A reader that went away (`smsgw … | head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? EXIT_CODES.ok.code : EXIT_CODES.failure.code);
});
const code = await run(process.argv.slice(2), realIo());
// What failed half-way may have left threads and listeners behind, which would go on without us.
if (code !== EXIT_CODES.ok.code) process.exit(code);
process.exitCode = code;
