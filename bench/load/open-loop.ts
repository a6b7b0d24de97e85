/**
 * The load generator at a constant rate in a process of its own, so that nothing else of a bench
 * delays it.
 *
 * Started by `runOpenLoop` with its options as JSON; prints one JSON line.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../test/support/processes.ts";
import { type Latencies, type LoadResult, runLoad } from "../../src/cli/load/generator.ts";
import { LOAD_DEFAULTS } from "./contenders/contender.ts";
import { BARE } from "./contenders/server.ts";
import { makeRequests, numbersFrom, PREFIX } from "../../src/cli/load/requests.ts";

const OUTPUT_BYTES_MAX = 16 * 2 ** 20;
const DISTINCT = 10_000;

export interface OpenLoopOptions {
  readonly port: number;
  readonly token: string;
  /** Messages a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Of these at the start: in no latencies. */
  readonly warmUpS?: number;
  readonly connections: number;
  readonly hasReceipts: boolean;
  readonly dialect?: "json" | "kannel";
  /** Of the token; 1 if left out. */
  readonly appId?: number;
  /** First digits of all destinations. */
  readonly prefix?: string;
}

/** Runs the generator in a process of its own. */
export function runOpenLoop(options: OpenLoopOptions): Promise<LoadResult> {
  const args = [fileURLToPath(import.meta.url), JSON.stringify(options)];
  const limits = { maxBuffer: OUTPUT_BYTES_MAX };
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, limits, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`open-loop generator: ${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as LoadResult);
    });
    endWithUs(child);
  });
}

/**
 * What the generator at a constant rate sees of the bare server, started for this: the floor of
 * machine and generator below which no server's latencies can be measured.
 */
export async function loadBare(
  options: Omit<OpenLoopOptions, "port" | "token" | "hasReceipts">,
): Promise<Latencies> {
  const bare = await BARE.start(LOAD_DEFAULTS);
  try {
    const { port, token } = bare;
    const { accepted } = await runOpenLoop({ ...options, port, token, hasReceipts: false });
    return accepted;
  } finally {
    await bare.stop();
  }
}

/** The same messages as Kannel's sendsms takes them. */
function kannelRequests(hasReceipts: boolean): Buffer[] {
  return Array.from({ length: DISTINCT }, (_, i) => {
    const to = `9989${String((i * 7919) % 100_000_000).padStart(8, "0")}`;
    const text = `Your+order+${i}+is+on+its+way+and+arrives+today+between+14:00+and+16:00.`;
    return Buffer.from(
      `GET /cgi-bin/sendsms?username=bench&password=bench&from=MYBRAND&to=%2B${to}` +
        `&dlr-mask=${hasReceipts ? 3 : 0}&text=${text} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
    );
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = JSON.parse(process.argv[2] ?? "") as OpenLoopOptions;
  const { token, hasReceipts, dialect, appId = 1, prefix = PREFIX } = options;
  const requests =
    dialect === "kannel"
      ? kannelRequests(hasReceipts)
      : makeRequests({ token, appId, numberOf: numbersFrom(prefix), batch: 1, hasReceipts });
  console.log(JSON.stringify(await runLoad({ ...options, requests })));
}
