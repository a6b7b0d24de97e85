/**
 * What a command may touch of the world, and how it says what went wrong.
 *
 * smsgw.ts makes the real one; a command gets it as a parameter.
 */
import type { Environment } from "../config/env.ts";
import type { ReadFile } from "../config/check.ts";

export interface CliIo {
  /** Writes text as it is; a command adds its own line ends. */
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly env: Environment;
  /** Folder that relative paths of options start from. */
  readonly cwd: string;
  readonly readFile: ReadFile;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: () => number;
  /** Whether a person looks at stdout: progress bars only then. */
  readonly isTerminal: boolean;
  /** Columns and rows of that terminal now; left out where there is none. */
  readonly columns?: () => number;
  readonly rows?: () => number;
}

/** What each file of a command exports. */
export interface Command {
  /** Text of `smsgw <command> --help`. */
  readonly usage: string;
  /** Runs the command; gives its exit code. Throws UsageError, ConfigError, or any Error (1). */
  readonly run: (args: string[], io: CliIo) => Promise<number>;
}

/** The command line cannot be understood: exit code 2, with the usage on stderr. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Whether node:util's parseArgs threw because of what the user typed. */
export function isParseArgsError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    error.code.startsWith("ERR_PARSE_ARGS_")
  );
}

/** One line of JSON. */
export function printJson(io: CliIo, value: unknown): void {
  io.stdout(`${JSON.stringify(value)}\n`);
}
