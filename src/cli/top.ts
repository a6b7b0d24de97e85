/**
 * `smsgw top`: what a running gateway is at, read from its admin port every second or so. On a
 * terminal it stays while the gateway is away, so that a restart can be watched.
 */
import { parseArgs } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import { type CliIo, printJson, UsageError } from "./output.ts";
import { readPrometheus } from "./prometheus-read.ts";
import { type AdminStatus, fittedLines, frameLines, type Look } from "./top-frame.ts";

export const usage = `Usage: smsgw top [options]

Shows threads, rings, links, latencies and lag of a running gateway, from its admin port. On a
terminal the screen is drawn anew each time, and it waits for a gateway that is away; elsewhere
frames follow each other, and it ends when the gateway does. Ctrl-C ends it.

Options:
  --url URL         admin listener (http://127.0.0.1:9090)
  --token-file FILE bearer token of the admin listener, if it has one
  --interval-s N    seconds between two looks, 1 to 60 (1)
  --once            one frame, then end
  --json            the two looks of each frame as JSON
`;

const HOME_AND_CLEAR = "\u001b[H\u001b[J";
const COLUMNS_MAX = 100;
const TIMEOUT_MS = 5000;

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: "string", default: "http://127.0.0.1:9090" },
      "token-file": { type: "string" },
      "interval-s": { type: "string", default: "1" },
      once: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const seconds = Number(values["interval-s"]);
  if (!(seconds >= 1 && seconds <= 60)) throw new UsageError("--interval-s takes 1 to 60");
  if (!URL.canParse(values.url)) throw new UsageError("--url is not a URL");
  const file = values["token-file"];
  const token = file === undefined ? null : new TextDecoder().decode(io.readFile(file)).trim();
  const look = (): Promise<Look> => lookAt(values.url, token);
  const stays = io.isTerminal && !values.once && !values.json;
  let before: Look | null = await look();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const now = await look().catch((error: unknown) => {
      if (!stays) throw error;
      show(io, [`${error instanceof Error ? error.message : String(error)}; waiting for it`]);
      return null;
    });
    if (now !== null && before !== null && !hasRestarted(before, now)) {
      if (values.json) printJson(io, jsonOf(before, now));
      else show(io, fittedLines(frameLines(before, now, columnsOf(io)), stays ? rowsOf(io) : null));
      if (values.once) return EXIT_CODES.ok.code;
    }
    before = now;
  }
}

/** Counters of another process begin at 0: nothing can be said of the time between. */
function hasRestarted(before: Look, now: Look): boolean {
  return now.status.uptime_s < before.status.uptime_s;
}

/** A longer line would break on a narrow terminal, and the frame with it. */
function columnsOf(io: CliIo): number {
  return Math.min(COLUMNS_MAX, io.columns?.() ?? COLUMNS_MAX);
}

/** The last row is the cursor's. */
function rowsOf(io: CliIo): number | null {
  const rows = io.rows?.();
  return rows === undefined ? null : rows - 1;
}

function show(io: CliIo, lines: readonly string[]): void {
  io.stdout(`${io.isTerminal ? HOME_AND_CLEAR : ""}${lines.join("\n")}\n`);
}

/** Two looks as plain objects: metric → labels → value. */
function jsonOf(before: Look, now: Look): object {
  const plain = ({ atMs, metrics, status }: Look): object => ({
    at_ms: atMs,
    status,
    metrics: Object.fromEntries(
      [...metrics].map(([name, values]) => [name, Object.fromEntries(values)]),
    ),
  });
  return { before: plain(before), now: plain(now) };
}

async function lookAt(url: string, token: string | null): Promise<Look> {
  const [metrics, status] = await Promise.all([
    get(new URL("/metrics", url), token),
    get(new URL("/status", url), token),
  ]);
  return {
    atMs: performance.now(),
    metrics: readPrometheus(metrics),
    status: JSON.parse(status) as AdminStatus,
  };
}

async function get(url: URL, token: string | null): Promise<string> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const { cause } = error as Error;
    const why = cause instanceof Error ? cause.message : String(error);
    throw new Error(`no gateway answers at ${url.origin}: ${why}`, { cause: error });
  }
  if (response.status === 401) throw new Error(`${url.origin} wants a token: use --token-file`);
  if (!response.ok) throw new Error(`${url.href} answers ${response.status}`);
  return response.text();
}
