/** Starts one of the scripts in references/ as a process of its own. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../../test/support/processes.ts";

const START_MS_MAX = 20_000;

export interface RunningScript {
  readonly port: number;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Runs `references/<name>.js` until it prints `listening on PORT`. */
export function startScript(name: string, args: readonly string[]): Promise<RunningScript> {
  const path = fileURLToPath(new URL(`../references/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  endWithUs(child);
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${name} does not listen after ${START_MS_MAX / 1000} s`));
    }, START_MS_MAX);
    void gone.then(() => reject(new Error(`${name} ended before it listened`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const port = /^listening on (\d+)$/.exec(line)?.[1];
      if (port === undefined) return;
      clearTimeout(late);
      const stop = (): Promise<void> => {
        child.kill("SIGKILL");
        return gone;
      };
      resolve({ port: Number(port), pid: child.pid as number, stop });
    });
  });
}
