/** The file that a large run leaves: results, with commit, date and machine. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg } from "node:os";

/** Its text, JSON. */
export function resultDocument(test: string, options: object, results: readonly object[]): string {
  const document = {
    test,
    commit: execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" }).trim(),
    date: new Date().toISOString(),
    machine: `${availableParallelism()} × ${cpus()[0]?.model ?? "?"}, Node ${process.version}`,
    /** Over 1, 5 and 15 minutes: how busy the machine was with other work as well. */
    load_average: loadavg().map((load) => Number(load.toFixed(1))),
    options,
    results,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
