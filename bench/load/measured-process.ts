/** What a run is judged by: CPU and memory of whole processes from /proc, and wrk's own figures. */
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const TICKS_PER_S = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const SCRIPT = fileURLToPath(new URL("../../../bench/load/post.lua", import.meta.url));

/** CPU seconds, user and system, that process `pid` and all its threads have used. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** CPUs that process `pid` may run on, as the kernel prints them. */
export function cpuSet(pid: number): string {
  return /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "?";
}

/** The machine, in one line. */
export function machine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown CPU";
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model}, ${gib} GiB, Linux ${release()}, Node ${process.version}`;
}

export interface WrkResult {
  readonly requests: number;
  readonly duration_us: number;
  readonly p50_us: number;
  readonly p90_us: number;
  readonly p99_us: number;
  readonly p999_us: number;
  readonly max_us: number;
  readonly status_errors: number;
  readonly socket_errors: number;
}

/** Runs wrk with the shared script against `port` for `seconds`, one thread. */
export function runWrk(options: {
  port: number;
  connections: number;
  seconds: number;
  token: string;
  extra: string;
}): Promise<WrkResult> {
  const args = [
    "-t1",
    `-c${options.connections}`,
    `-d${options.seconds}s`,
    "--latency",
    "-s",
    SCRIPT,
  ];
  return new Promise((resolve, reject) => {
    execFile(
      "wrk",
      [...args, `http://127.0.0.1:${options.port}`],
      { env: { ...process.env, TOKEN: options.token, EXTRA: options.extra } },
      (error, stdout) => {
        const line = stdout.split("\n").find((text) => text.startsWith("{"));
        if (error !== null || line === undefined) {
          reject(new Error(`wrk failed (apt-get install wrk): ${error?.message ?? stdout}`));
          return;
        }
        resolve(JSON.parse(line) as WrkResult);
      },
    );
  });
}
