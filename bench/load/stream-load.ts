/**
 * Load by NDJSON streams: every stream keeps a bound of lines unacknowledged, closed loop.
 *
 *   lines of 10,000 distinct messages ──► POST /v1/messages:stream ──► an acknowledgement a line
 *
 * A process of its own, started by `runStreams`: `node stream-load.js PORT TOKEN SECONDS STREAMS
 * RECEIPTS`; prints the figures as wrk's script does. Times in microseconds, from the write of a
 * line's chunk to the read of its acknowledgement.
 */
import { execFile } from "node:child_process";
import { request } from "node:http";
import { createHistogram } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../test/support/processes.ts";
import { messageText } from "../../src/cli/load/requests.ts";
import type { LoadSettings, Standing } from "./contenders/contender.ts";
import type { WrkResult } from "./wrk.ts";

const DISTINCT = 10_000;
const STREAMS = 16;
/** Half of what the gateway reads ahead of its acknowledgements. */
const CHUNK_LINES = 128;
const UNANSWERED_MAX = 512;
const NEW_LINE = 10;

/** Runs the streams in a process of its own. */
export function runStreams(
  { port, token }: Standing,
  { seconds, receipts }: LoadSettings,
): Promise<WrkResult> {
  const script = fileURLToPath(import.meta.url);
  const args = [script, port, token, seconds, STREAMS, receipts].map(String);
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`stream load: ${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as WrkResult);
    });
    endWithUs(child);
  });
}

const histogram = createHistogram();
let acknowledged = 0;
let problems = 0;
let broken = 0;

/** One stream; resolves when the gateway has acknowledged every line and ended it. */
function runStream(
  port: number,
  token: string,
  chunks: readonly Buffer[],
  endMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const call = request({
      port,
      host: "127.0.0.1",
      method: "POST",
      path: "/v1/messages:stream",
      headers: {
        authorization: `Bearer ${token}`,
        "x-app-id": "1",
        "content-type": "application/x-ndjson",
      },
    });
    const sentAt: number[] = [];
    let sent = 0;
    let answered = 0;
    const fill = (): void => {
      while (sent - answered + CHUNK_LINES <= UNANSWERED_MAX && performance.now() < endMs) {
        sentAt.push(performance.now());
        call.write(chunks[(sent / CHUNK_LINES) % chunks.length]);
        sent += CHUNK_LINES;
      }
      if (performance.now() >= endMs && !call.writableEnded) call.end();
    };
    call.on("response", (response) => {
      if (response.statusCode !== 200) problems++;
      response.on("data", (data: Buffer) => {
        problems += data.toString("latin1").split('"problem"').length - 1;
        for (let at = data.indexOf(NEW_LINE); at >= 0; at = data.indexOf(NEW_LINE, at + 1)) {
          answered++;
          acknowledged++;
          if (answered % CHUNK_LINES > 0) continue;
          const us = (performance.now() - (sentAt.shift() as number)) * 1000;
          histogram.record(Math.max(1, Math.round(us)));
        }
        fill();
      });
      response.on("end", () => resolve());
    });
    call.on("error", () => {
      broken++;
      resolve();
    });
    fill();
  });
}

async function main(): Promise<void> {
  const [port, token = "", seconds, streams, receipts] = process.argv.slice(2);
  const chunks = Array.from({ length: Math.floor(DISTINCT / CHUNK_LINES) }, (_, chunk) =>
    Buffer.from(
      Array.from(
        { length: CHUNK_LINES },
        (_line, k) => `${messageText(chunk * CHUNK_LINES + k, receipts === "final")}\n`,
      ).join(""),
    ),
  );
  const startMs = performance.now();
  const endMs = startMs + Number(seconds) * 1000;
  await Promise.all(
    Array.from({ length: Number(streams) }, () => runStream(Number(port), token, chunks, endMs)),
  );
  const [p50_us, p90_us, p99_us, p999_us] = [50, 90, 99, 99.9].map((p) => histogram.percentile(p));
  const figures = {
    requests: acknowledged,
    duration_us: Math.round((performance.now() - startMs) * 1000),
    p50_us,
    p90_us,
    p99_us,
    p999_us,
    max_us: histogram.max,
    status_errors: problems,
    socket_errors: broken,
  };
  console.log(JSON.stringify(figures));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
