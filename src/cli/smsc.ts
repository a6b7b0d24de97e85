/**
 * `smsgw smsc`: an operator to test against, with its faults on order.
 *
 * The first line of stdout is where it listens; counts follow at intervals if asked for, and at the
 * end. SIGINT and SIGTERM unbind from everybody, print the final counts and end it.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT_CODES } from "../errors.ts";
import { type RunningControl, startControl } from "../smsc/control.ts";
import { PROTOCOL_ERROR_MEANINGS, type SmscStats } from "../smsc/counters.ts";
import { MALFORMED_KINDS } from "../smsc/malformed.ts";
import type { IdFormat } from "../smsc/message-id.ts";
import {
  parseOutcomes,
  parseRange,
  parseRefusals,
  parseShare,
  parseStorms,
  resolveSmscOptions,
  type SmscOptions,
} from "../smsc/options.ts";
import { SCENARIOS, scenarioOptions } from "../smsc/scenarios.ts";
import { type RunningSmsc, startSmsc } from "../smsc/server.ts";
import { type CliIo, printJson, UsageError } from "./output.ts";

const MALFORMED = wrap(Object.keys(MALFORMED_KINDS), 60).join("\n                           ");

export const usage = `Usage: smsgw smsc [options]

Runs an SMPP v3.4 operator: takes binds and submit_sm, answers, sends receipts. Prints where it
listens, and counts as JSON when it is stopped.

  --scenario NAME          an operator by name; may be given more than once, and combined with
                           all that follows (--list-scenarios)

Listening:
  --host HOST              address to listen on (127.0.0.1)
  --port N                 port; 0 takes a free one (2775)
  --system-id ID           the only system_id that may bind (any)
  --password WORD          the only password that may bind (any)
  --tls-cert FILE --tls-key FILE [--tls-ca FILE]
                           TLS; with --tls-ca clients need a certificate signed by it
  --refuse-binds MIX       share of binds by command_status: 0x0d=50%
  --bind-silence P%        share of binds that get no answer
  --bind-delay-ms DELAY    from a bind to its answer (0)
  --no-transceiver         do not know bind_transceiver
  --ignore-enquire-link    do not answer enquire_link
  --binds-max N            sessions a system_id may have bound; one more gets ESME_RALYBND
  --enquire-interval-ms N  enquire_link after this silence; no answer for as long closes (never)

Answers:
  --latency-ms DELAY       from submit_sm to its answer: 20 fixed, 5:50 uniform, exp:20 exponential
                           with that mean, tail:20 long tail with that median (0)
  --refuse MIX             share of submits by command_status: 0x58=5%,ESME_RINVDSTADR=1%
  --storm STATUS=FROM:TO[:EVERY]
                           everything gets this status from and to these seconds after the first
                           submit, and again every so many: 0x58=5:65 or 0x58=5:15:60
  --tps N                  submits a second of a system_id; beyond it ESME_RTHROTTLED
  --window N               unanswered submits of a session; beyond it ESME_RMSGQFUL
  --drop-answers P%        share of accepted messages that are never answered (1 means 1%)
  --late-answers P%        share of answers that come --late-ms (45000) late
  --disconnect-every N     cut the connection at every Nth submit, which is taken, not answered
  --id-format FORMAT       decimal, hex, uuid, hex-resp-decimal-receipt, zero-padded (decimal)
  --id-base N              the first SMSC id follows this number (1000000000)

Receipts:
  --receipts final|none    whether registered_delivery is honoured (final)
  --receipt-delay-ms DELAY from the answer to the receipt (0)
  --outcomes MIX           weights: delivered=90,undelivered=5,expired=3,rejected=2
                           also deleted, unknown, none (delivered=1)
  --receipt-before-answer P%
  --duplicate-receipts P%  share of receipts that come again
  --contradict-receipts P% share followed by a receipt with another final state
  --stray-receipts P%      share followed by a receipt for an id that was never given
  --receipt-window N       unanswered receipts of a session (200)
  --receipt-timeout-ms N   until an unanswered receipt is sent again (30000)
  --waiting-max N          messages waiting for answer or receipt; beyond it ESME_RMSGQFUL (4194304)

Mischief, at every Nth submit, to its connection:
  --cut-mid-pdu-every N    cut within a PDU      --unbind-every N   unbind
  --deaf-every N           read nothing more     --silent-every N   answer nothing more, stay open
  --malformed-every N      send a PDU that no SMSC should: each of --malformed KIND[,KIND…] in turn
                           ${MALFORMED}
  --write-bytes N          cut all output into writes of so many octets
  --read-bytes-per-s N     read so slowly

Running:
  --magic                  let the end of the destination number decide:
                             0000 never answered           0058 throttled once, then accepted
                             0011 ESME_RINVDSTADR          0008 ESME_RSYSERR once, then accepted
                             0100 no receipt               010S receipt with message_state S
                                                           (3 expired, 5 undeliverable, 8 rejected)
  --seed N                 repeats a run's draws; 0 to 4294967295 (drawn, and printed)
  --log FILE               append a JSON line for every submit, delayed answer and receipt
  --stats-interval S       print counts every S seconds; SIGUSR2 prints them once
  --control-port N         GET /counts and POST /drop on loopback; 0 takes a free port
  --check                  report what the ESMEs did wrong; exit code 1 if there was anything
  --list-checks            print what --check knows, and end
  --list-scenarios         print the scenarios, and end
  --json                   print the first line as JSON, too
`;

const FLAGS = {
  scenario: { type: "string", multiple: true },
  host: { type: "string" },
  port: { type: "string" },
  "system-id": { type: "string" },
  password: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  "tls-ca": { type: "string" },
  "refuse-binds": { type: "string" },
  "bind-silence": { type: "string" },
  "bind-delay-ms": { type: "string" },
  "no-transceiver": { type: "boolean" },
  "ignore-enquire-link": { type: "boolean" },
  "binds-max": { type: "string" },
  "enquire-interval-ms": { type: "string" },
  "latency-ms": { type: "string" },
  refuse: { type: "string" },
  storm: { type: "string" },
  tps: { type: "string" },
  window: { type: "string" },
  "drop-answers": { type: "string" },
  "late-answers": { type: "string" },
  "late-ms": { type: "string" },
  "disconnect-every": { type: "string" },
  "cut-mid-pdu-every": { type: "string" },
  "deaf-every": { type: "string" },
  "silent-every": { type: "string" },
  "unbind-every": { type: "string" },
  "malformed-every": { type: "string" },
  malformed: { type: "string" },
  "write-bytes": { type: "string" },
  "read-bytes-per-s": { type: "string" },
  "id-format": { type: "string" },
  "id-base": { type: "string" },
  receipts: { type: "string" },
  "receipt-delay-ms": { type: "string" },
  outcomes: { type: "string" },
  "receipt-before-answer": { type: "string" },
  "duplicate-receipts": { type: "string" },
  "contradict-receipts": { type: "string" },
  "stray-receipts": { type: "string" },
  "receipt-window": { type: "string" },
  "receipt-timeout-ms": { type: "string" },
  "waiting-max": { type: "string" },
  magic: { type: "boolean" },
  seed: { type: "string" },
  log: { type: "string" },
  "stats-interval": { type: "string" },
  "control-port": { type: "string" },
  "list-checks": { type: "boolean", default: false },
  "list-scenarios": { type: "boolean", default: false },
  check: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

type FlagName = keyof typeof FLAGS;
type Values = Readonly<Partial<Record<FlagName, string | boolean | string[]>>>;

/** What the command line asks for beside the simulator's own options. */
export interface SmscRun {
  readonly options: SmscOptions;
  /** null prints counts only at the end. */
  readonly statsIntervalMs: number | null;
  /** null: no control port. */
  readonly controlPort: number | null;
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
  take("storm", "storms", parseStorms);
  tlsOf(values, cwd, options);
  take("refuse-binds", "bindRefusals", (value) => parseRefusals(value, "refuse-binds"));
  share("bind-silence", "bindSilence");
  take("bind-delay-ms", "bindDelayMs", (value) => parseRange("bind-delay-ms", value));
  share("late-answers", "lateAnswers");
  number("late-ms", "lateMs");
  number("cut-mid-pdu-every", "cutMidPduEvery");
  number("deaf-every", "deafEvery");
  number("silent-every", "silentEvery");
  number("unbind-every", "unbindEvery");
  number("malformed-every", "malformedEvery");
  take("malformed", "malformed", (value) => value.split(","));
  number("write-bytes", "writeBytes");
  number("read-bytes-per-s", "readBytesPerS");
  share("contradict-receipts", "contradictReceipts");
  share("stray-receipts", "strayReceipts");
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
  if (values.magic === true) options.magic = true;
  if (values["no-transceiver"] === true) options.transceiver = false;
  if (values["ignore-enquire-link"] === true) options.answersEnquireLink = false;
  return { ...scenarioOptions(scenariosOf(values)), ...options };
}

function scenariosOf(values: Values): string[] {
  return Array.isArray(values.scenario) ? values.scenario : [];
}

function tlsOf(values: Values, cwd: string, options: Record<string, unknown>): void {
  const { "tls-cert": cert, "tls-key": key, "tls-ca": ca } = values;
  if (cert === undefined && key === undefined && ca === undefined) return;
  if (typeof cert !== "string" || typeof key !== "string") {
    throw new UsageError("TLS needs --tls-cert and --tls-key");
  }
  options.tls = {
    certFile: resolve(cwd, cert),
    keyFile: resolve(cwd, key),
    caFile: typeof ca === "string" ? resolve(cwd, ca) : null,
  };
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
    const control = values["control-port"];
    const controlPort = control === undefined ? null : wholeNumber("control-port", control);
    return {
      options,
      statsIntervalMs,
      controlPort,
      isChecking: values.check,
      isJson: values.json,
    };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

function announce(
  io: CliIo,
  smsc: RunningSmsc,
  control: RunningControl | null,
  isJson: boolean,
): void {
  const { host, port, seed } = smsc;
  const controlPort = control === null ? {} : { control_port: control.port };
  if (isJson) printJson(io, { listening: `${host}:${port}`, host, port, seed, ...controlPort });
  else io.stdout(`listening on ${host}:${port}\n`);
  if (control !== null && !isJson) io.stdout(`control on 127.0.0.1:${control.port}\n`);
}

/** Words in lines of at most `width` columns. */
function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** What `--check` has to say: a line of JSON for each kind of mistake, and one for all. */
function report(io: CliIo, stats: SmscStats): void {
  for (const finding of stats.findings) printJson(io, { check: "wrong", ...finding });
  const { sessionsOpened: sessions, submits, protocolErrorCount: errors } = stats;
  printJson(io, { check: errors === 0 ? "passed" : "failed", errors, sessions, submits });
}

/** Prints a table of names and what they are, if the command line asks for it. */
function listed(args: string[], io: CliIo): boolean {
  const { values } = parseArgs({ args, options: FLAGS });
  const rows = values["list-scenarios"]
    ? Object.entries(SCENARIOS).map(([name, { summary }]) => [name, summary] as const)
    : values["list-checks"]
      ? Object.entries(PROTOCOL_ERROR_MEANINGS)
      : null;
  if (rows === null) return false;
  for (const [name, text] of rows) io.stdout(`${name.padEnd(24)} ${text}\n`);
  return true;
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

export async function run(args: string[], io: CliIo): Promise<number> {
  if (listed(args, io)) return EXIT_CODES.ok.code;
  const run = parseSmscArgs(args, io.cwd);
  const { options, statsIntervalMs, controlPort, isChecking, isJson } = run;
  const stopped = stopSignal();
  const smsc = await startSmsc(options);
  const actions = { counts: () => smsc.stats(), drop: () => smsc.dropConnections() };
  const control = controlPort === null ? null : await startControl(controlPort, actions);
  const onAsked = (): void => printJson(io, smsc.stats());
  process.on("SIGUSR2", onAsked);
  announce(io, smsc, control, isJson);
  const ticker =
    statsIntervalMs === null
      ? null
      : setInterval(() => printJson(io, smsc.stats()), statsIntervalMs);
  await stopped;
  if (ticker !== null) clearInterval(ticker);
  process.off("SIGUSR2", onAsked);
  control?.close();
  const stats: SmscStats = await smsc.close();
  printJson(io, stats);
  if (isChecking) report(io, stats);
  return isChecking && stats.protocolErrorCount > 0 ? EXIT_CODES.failure.code : EXIT_CODES.ok.code;
}
