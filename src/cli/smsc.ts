/**
 * `smsgw smsc`: an operator to test against, with its faults on order.
 *
 * The first line of stdout is where it listens; counts follow at intervals if asked for, and at the
 * end. SIGINT and SIGTERM unbind from everybody, print the final counts and end it.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import type { SmscStats } from "../smsc/counters.ts";
import type { IdFormat } from "../smsc/message-id.ts";
import {
  parseOutcomes,
  parseRange,
  parseRefusals,
  parseShare,
  resolveSmscOptions,
  type SmscOptions,
} from "../smsc/options.ts";
import { type RunningSmsc, startSmsc } from "../smsc/server.ts";
import { type CliIo, printJson, UsageError } from "./output.ts";

export const usage = `Usage: smsgw smsc [options]

Runs an SMPP v3.4 operator: takes binds and submit_sm, answers, sends receipts. Prints where it
listens, and counts as JSON when it is stopped.

Listening:
  --host HOST              address to listen on (127.0.0.1)
  --port N                 port; 0 takes a free one (2775)
  --system-id ID           the only system_id that may bind (any)
  --password WORD          the only password that may bind (any)
  --binds-max N            sessions a system_id may have bound; one more gets ESME_RALYBND
  --enquire-interval-ms N  enquire_link after this silence; no answer for as long closes (never)

Answers:
  --latency-ms A[:B]       from submit_sm to its answer, fixed or uniform (0)
  --refuse MIX             share of submits by command_status: 0x58=5%,ESME_RINVDSTADR=1%
  --tps N                  submits a second of a system_id; beyond it ESME_RTHROTTLED
  --window N               unanswered submits of a session; beyond it ESME_RMSGQFUL
  --drop-answers P%        share of accepted messages that are never answered
  --disconnect-every N     cut the connection at every Nth submit, which is taken, not answered
  --id-format FORMAT       decimal, hex, uuid, hex-resp-decimal-receipt, zero-padded (decimal)
  --id-base N              the first SMSC id follows this number (1000000000)

Receipts:
  --receipts final|none    whether registered_delivery is honoured (final)
  --receipt-delay-ms A[:B] from the answer to the receipt (0)
  --outcomes MIX           weights: delivered=90,undelivered=5,expired=3,rejected=2
                           also deleted, unknown, none (delivered=1)
  --receipt-before-answer P%
  --duplicate-receipts P%
  --receipt-window N       unanswered receipts of a session (200)
  --receipt-timeout-ms N   until an unanswered receipt is sent again (30000)
  --waiting-max N          messages waiting for answer or receipt; beyond it ESME_RMSGQFUL (4194304)

Running:
  --magic                  let the end of the destination number decide:
                             0000 never answered           0058 throttled once, then accepted
                             0011 ESME_RINVDSTADR          0008 ESME_RSYSERR once, then accepted
                             0100 no receipt               010S receipt with message_state S
                                                           (3 expired, 5 undeliverable, 8 rejected)
  --seed N                 repeats a run's draws; 0 to 4294967295 (drawn, and printed)
  --log FILE               append a JSON line for every submit, delayed answer and receipt
  --stats-interval S       print counts every S seconds
  --check                  exit code 1 if an ESME made a protocol error
  --json                   print the first line as JSON, too
`;

const FLAGS = {
  host: { type: "string" },
  port: { type: "string" },
  "system-id": { type: "string" },
  password: { type: "string" },
  "binds-max": { type: "string" },
  "enquire-interval-ms": { type: "string" },
  "latency-ms": { type: "string" },
  refuse: { type: "string" },
  tps: { type: "string" },
  window: { type: "string" },
  "drop-answers": { type: "string" },
  "disconnect-every": { type: "string" },
  "id-format": { type: "string" },
  "id-base": { type: "string" },
  receipts: { type: "string" },
  "receipt-delay-ms": { type: "string" },
  outcomes: { type: "string" },
  "receipt-before-answer": { type: "string" },
  "duplicate-receipts": { type: "string" },
  "receipt-window": { type: "string" },
  "receipt-timeout-ms": { type: "string" },
  "waiting-max": { type: "string" },
  magic: { type: "boolean", default: false },
  seed: { type: "string" },
  log: { type: "string" },
  "stats-interval": { type: "string" },
  check: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

type FlagName = keyof typeof FLAGS;
type Values = Readonly<Partial<Record<FlagName, string | boolean>>>;

/** What the command line asks for beside the simulator's own options. */
export interface SmscRun {
  readonly options: SmscOptions;
  /** null prints counts only at the end. */
  readonly statsIntervalMs: number | null;
  readonly isChecking: boolean;
  readonly isJson: boolean;
}

function wholeNumber(name: FlagName, text: string): number {
  if (!/^\d{1,16}$/.test(text)) {
    throw new UsageError(`--${name} ${JSON.stringify(text)} is not a whole number`);
  }
  return Number(text);
}

function receiptsOf(text: string): "final" | "none" {
  if (text === "final" || text === "none") return text;
  throw new UsageError(`--receipts ${JSON.stringify(text)}: allowed are final and none`);
}

function optionsOf(values: Values, cwd: string): Partial<SmscOptions> {
  const options: Record<string, unknown> = {};
  const take = (name: FlagName, key: keyof SmscOptions, read: (text: string) => unknown): void => {
    const text = values[name];
    if (typeof text === "string") options[key] = read(text);
  };
  const number = (name: FlagName, key: keyof SmscOptions): void =>
    take(name, key, (text) => wholeNumber(name, text));
  const share = (name: FlagName, key: keyof SmscOptions): void =>
    take(name, key, (text) => parseShare(name, text));
  const text = (name: FlagName, key: keyof SmscOptions): void => take(name, key, (value) => value);
  text("host", "host");
  number("port", "port");
  text("system-id", "systemId");
  text("password", "password");
  number("binds-max", "bindsMax");
  number("enquire-interval-ms", "enquireLinkIntervalMs");
  take("latency-ms", "latencyMs", (value) => parseRange("latency-ms", value));
  take("refuse", "refusals", parseRefusals);
  number("tps", "tps");
  number("window", "window");
  share("drop-answers", "dropAnswers");
  number("disconnect-every", "disconnectEvery");
  take("id-format", "idFormat", (value) => value as IdFormat);
  number("id-base", "idBase");
  take("receipts", "receipts", receiptsOf);
  take("receipt-delay-ms", "receiptDelayMs", (value) => parseRange("receipt-delay-ms", value));
  take("outcomes", "outcomes", parseOutcomes);
  share("receipt-before-answer", "receiptBeforeAnswer");
  share("duplicate-receipts", "duplicateReceipts");
  number("receipt-window", "receiptWindow");
  number("receipt-timeout-ms", "receiptTimeoutMs");
  number("waiting-max", "waitingMax");
  number("seed", "seed");
  take("log", "logFile", (value) => resolve(cwd, value));
  return { ...options, magic: values.magic === true };
}

/** Reads the command line; throws UsageError naming what is wrong with it. */
export function parseSmscArgs(args: string[], cwd: string): SmscRun {
  const { values } = parseArgs({ args, options: FLAGS });
  const interval = values["stats-interval"];
  const statsIntervalMs =
    interval === undefined ? null : wholeNumber("stats-interval", interval) * 1000;
  if (statsIntervalMs !== null && !(statsIntervalMs >= 1000 && statsIntervalMs <= 0x7fff_ffff)) {
    throw new UsageError("--stats-interval: allowed are 1 to 2147483 seconds");
  }
  try {
    const options = resolveSmscOptions(optionsOf(values, cwd));
    return { options, statsIntervalMs, isChecking: values.check, isJson: values.json };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

function announce(io: CliIo, smsc: RunningSmsc, isJson: boolean): void {
  const { host, port, seed } = smsc;
  if (isJson) printJson(io, { listening: `${host}:${port}`, host, port, seed });
  else io.stdout(`listening on ${host}:${port}\n`);
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { options, statsIntervalMs, isChecking, isJson } = parseSmscArgs(args, io.cwd);
  const stopped = stopSignal();
  const smsc = await startSmsc(options);
  announce(io, smsc, isJson);
  const ticker =
    statsIntervalMs === null
      ? null
      : setInterval(() => printJson(io, smsc.stats()), statsIntervalMs);
  await stopped;
  if (ticker !== null) clearInterval(ticker);
  const stats: SmscStats = await smsc.close();
  printJson(io, stats);
  return isChecking && stats.protocolErrorCount > 0 ? EXIT_CODES.failure.code : EXIT_CODES.ok.code;
}
