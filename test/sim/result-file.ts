/** Writes what a long run came to, with commit, date and machine. For the commands only. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { resolve } from "node:path";

/**
 * Refuses a tree with changes, other than to the result in `except`: a result belongs to a commit.
 * Throws, or returns the commit.
 */
export function committedState(except: string): string {
  const git = (...args: string[]): string => execFileSync("git", args, { encoding: "utf8" });
  const root = git("rev-parse", "--show-toplevel").trim();
  const changed = git("status", "--porcelain", "--untracked-files=no")
    .split("\n")
    .map((line) => line.slice("XY ".length))
    .filter((name) => name !== "" && resolve(root, name) !== resolve(except));
  if (changed.length > 0)
    throw new Error(`a result needs a commit, and the tree has changes: ${changed.join(", ")}`);
  return git("rev-parse", "HEAD").trim();
}

/** `facts` behind what `command` was run on `commit`, which `committedState` told at the start. */
export function writeResult(path: string, command: string, commit: string, facts: object): void {
  const machine = {
    cpus: cpus().length,
    model: cpus()[0]?.model ?? "",
    memory_bytes: totalmem(),
    kernel: release(),
    node: process.version,
  };
  const date = new Date().toISOString();
  writeFileSync(path, `${JSON.stringify({ command, commit, date, machine, ...facts }, null, 2)}\n`);
}
