/** wrk with the shared script: closed-loop load at saturation, the same for every contender. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../test/support/processes.ts";
import type { LoadSettings, Standing } from "./contenders/contender.ts";

const SCRIPT = fileURLToPath(new URL("../../../bench/load/post.lua", import.meta.url));

/** wrk's figures of one run; times in microseconds. */
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

/** Runs wrk, one thread, against a contender. Rejects if wrk is missing or fails. */
export function runWrk(
  standing: Pick<Standing, "port" | "token" | "tokensFile" | "dialect">,
  settings: LoadSettings,
): Promise<WrkResult> {
  const { connections, seconds, batch, receipts } = settings;
  const args = ["-t1", `-c${connections}`, `-d${seconds}s`, "--latency", "-s", SCRIPT];
  const env = {
    ...process.env,
    TOKEN: standing.token,
    TOKENS_FILE: standing.tokensFile ?? "",
    DIALECT: standing.dialect,
    BATCH: String(batch),
    EXTRA: receipts === "none" ? ',"dlr":"none"' : "",
    DLR_MASK: receipts === "none" ? "0" : "3",
  };
  return new Promise((resolve, reject) => {
    const url = `http://127.0.0.1:${standing.port}`;
    const child = execFile("wrk", [...args, url], { env }, (error, stdout) => {
      const line = stdout.split("\n").find((text) => text.startsWith("{"));
      if (error !== null || line === undefined) {
        reject(new Error(`wrk failed (apt-get install wrk): ${error?.message ?? stdout}`));
        return;
      }
      resolve(JSON.parse(line) as WrkResult);
    });
    endWithUs(child);
  });
}
