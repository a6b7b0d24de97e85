/**
 * What an operator simulator can be told: defaults, the little languages of mixes and ranges, and
 * their bounds.
 *
 * Shares are fractions in [0, 1]. Cold path: everything here throws RangeError on nonsense. Pure;
 * any thread may call it.
 */
import { COMMAND_STATUS, MESSAGE_STATE, PDU_LENGTH_MAX_DEFAULT } from "../codec/index.ts";
import { type Delay, DELAY_MS_MAX, parseDelay } from "./delay.ts";
import { MALFORMED_KINDS, type MalformedKind } from "./malformed.ts";
import { ID_FORMATS, type IdFormat } from "./message-id.ts";

/** A final state and the weight with which messages meet it; STATE_NONE sends no receipt. */
export interface Outcome {
  readonly state: number;
  readonly weight: number;
}

/** A command_status and the share of submits refused with it. */
export interface Refusal {
  readonly status: number;
  readonly share: number;
}

/** All submits get this status from and until these times after the first one, again and again. */
export interface Storm {
  readonly status: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** The time after which it comes again; null never. */
  readonly everyMs: number | null;
}

/** Files of a TLS listener, PEM. */
export interface SmscTls {
  readonly certFile: string;
  readonly keyFile: string;
  /** Clients must have a certificate signed by this; null: they need none. */
  readonly caFile: string | null;
}

/** In an Outcome: the message ends without a receipt. */
export const STATE_NONE = -1;

export interface SmscOptions {
  readonly host: string;
  /** 0 chooses a free one. */
  readonly port: number;
  /** The only system_id accepted; null accepts any. */
  readonly systemId: string | null;
  /** The only password accepted; null accepts any. */
  readonly password: string | null;
  /** Our own name in bind responses. */
  readonly smscSystemId: string;
  /** From a submit_sm to its answer. */
  readonly latencyMs: Delay;
  readonly receipts: "final" | "none";
  /** From the answer to the receipt. */
  readonly receiptDelayMs: Delay;
  readonly outcomes: readonly Outcome[];
  readonly refusals: readonly Refusal[];
  readonly storms: readonly Storm[];
  /** Most submits an account may have accepted within any second; null is unlimited. */
  readonly tps: number | null;
  /** Most submits a session may have unanswered; null is unlimited. */
  readonly window: number | null;
  readonly idFormat: IdFormat;
  /** The first SMSC id is this plus 1. */
  readonly idBase: number;
  /** Share of messages whose receipt goes out before their answer. */
  readonly receiptBeforeAnswer: number;
  /** Share of accepted messages that are never answered. */
  readonly dropAnswers: number;
  /** Share of answers that come `lateMs` late. */
  readonly lateAnswers: number;
  readonly lateMs: number;
  /** Share of receipts that are followed by one with another final state. */
  readonly contradictReceipts: number;
  /** Share of receipts that are followed by one for an id that was never given. */
  readonly strayReceipts: number;
  /** Share of receipts that are sent a second time after they were answered. */
  readonly duplicateReceipts: number;
  /** Every so many submits the connection that brought the last one is cut; null never. */
  readonly disconnectEvery: number | null;
  /** … half an answer is written, and the connection cut. */
  readonly cutMidPduEvery: number | null;
  /** … the connection is read no more. */
  readonly deafEvery: number | null;
  /** … the connection is answered no more, and stays open. */
  readonly silentEvery: number | null;
  /** … the session is ended with unbind. */
  readonly unbindEvery: number | null;
  /** … one of `malformed` is sent, each in turn. */
  readonly malformedEvery: number | null;
  readonly malformed: readonly MalformedKind[];
  /** Output is cut into writes of so many octets; null: as large as can be. */
  readonly writeBytes: number | null;
  /** Input is read so slowly; null: as it comes. */
  readonly readBytesPerS: number | null;
  /** Share of binds refused, by command_status. */
  readonly bindRefusals: readonly Refusal[];
  /** Share of binds that get no answer. */
  readonly bindSilence: number;
  readonly bindDelayMs: Delay;
  /** Whether bind_transceiver is known. */
  readonly transceiver: boolean;
  /** Whether enquire_link is answered. */
  readonly answersEnquireLink: boolean;
  readonly tls: SmscTls | null;
  /** Whether the last four digits of a destination choose what becomes of it, see verdict.ts. */
  readonly magic: boolean;
  /** Receipts a session may have unanswered. */
  readonly receiptWindow: number;
  /** After this time without an answer a receipt is sent again. */
  readonly receiptTimeoutMs: number;
  /** Messages that may wait for answer or receipt at once; beyond it submits get ESME_RMSGQFUL. */
  readonly waitingMax: number;
  /** Sessions that one system_id may have bound; beyond it ESME_RALYBND. */
  readonly bindsMax: number | null;
  /** Silence after which we send enquire_link, and twice after which we close; null never. */
  readonly enquireLinkIntervalMs: number | null;
  /** A connection that has not bound after this time is closed. */
  readonly bindTimeoutMs: number;
  readonly pduLengthMax: number;
  /** null: the entry point draws one and reports it. */
  readonly seed: number | null;
  /** File that gets a line for every submit, answer and receipt; null writes none. */
  readonly logFile: string | null;
}

export const SMSC_DEFAULTS: SmscOptions = {
  host: "127.0.0.1",
  port: 2775,
  systemId: null,
  password: null,
  smscSystemId: "smsgw-smsc",
  latencyMs: [0, 0],
  receipts: "final",
  receiptDelayMs: [0, 0],
  outcomes: [{ state: MESSAGE_STATE.DELIVERED, weight: 1 }],
  refusals: [],
  storms: [],
  tps: null,
  window: null,
  idFormat: "decimal",
  idBase: 1_000_000_000,
  receiptBeforeAnswer: 0,
  dropAnswers: 0,
  duplicateReceipts: 0,
  lateAnswers: 0,
  lateMs: 45_000,
  contradictReceipts: 0,
  strayReceipts: 0,
  disconnectEvery: null,
  cutMidPduEvery: null,
  deafEvery: null,
  silentEvery: null,
  unbindEvery: null,
  malformedEvery: null,
  malformed: Object.keys(MALFORMED_KINDS) as MalformedKind[],
  writeBytes: null,
  readBytesPerS: null,
  bindRefusals: [],
  bindSilence: 0,
  bindDelayMs: [0, 0],
  transceiver: true,
  answersEnquireLink: true,
  tls: null,
  magic: false,
  receiptWindow: 200,
  receiptTimeoutMs: 30_000,
  waitingMax: 4_194_304,
  bindsMax: null,
  enquireLinkIntervalMs: null,
  bindTimeoutMs: 30_000,
  pduLengthMax: PDU_LENGTH_MAX_DEFAULT,
  seed: null,
  logFile: null,
};

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${name} is ${value}, allowed are whole numbers from ${min} to ${max}`);
  }
}

function requireShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(`${name} is ${value * 100} %, allowed are 0 to 100 %`);
  }
}

function requireDelay(name: string, delay: Delay): void {
  requireInteger(name, delay[0], 0, DELAY_MS_MAX);
  // A tail reaches a hundred times as far.
  const max = delay[2] === undefined ? DELAY_MS_MAX : Math.floor(DELAY_MS_MAX / 100);
  requireInteger(name, delay[1], delay[0], max);
}

function requireOptional(name: string, value: number | null, max: number): void {
  if (value !== null) requireInteger(name, value, 1, max);
}

/**
 * Fills what is missing with defaults and checks every bound; throws RangeError naming the option.
 */
export function resolveSmscOptions(given: Partial<SmscOptions>): SmscOptions {
  const options: SmscOptions = { ...SMSC_DEFAULTS, ...given };
  requireInteger("port", options.port, 0, 65_535);
  for (const name of DELAYS) requireDelay(name, options[name]);
  for (const name of SHARES) requireShare(name, options[name]);
  for (const name of EVERY) requireOptional(name, options[name], Number.MAX_SAFE_INTEGER);
  requireInteger("lateMs", options.lateMs, 1, DELAY_MS_MAX);
  requireOptional("tps", options.tps, 1_000_000);
  requireOptional("window", options.window, 1_000_000);
  requireOptional("writeBytes", options.writeBytes, 65_536);
  requireOptional("readBytesPerS", options.readBytesPerS, 1_000_000_000);
  requireOptional("bindsMax", options.bindsMax, 65_536);
  requireOptional("enquireLinkIntervalMs", options.enquireLinkIntervalMs, DELAY_MS_MAX);
  requireInteger("receiptWindow", options.receiptWindow, 1, 65_536);
  requireInteger("receiptTimeoutMs", options.receiptTimeoutMs, 1, DELAY_MS_MAX);
  requireInteger("bindTimeoutMs", options.bindTimeoutMs, 1, DELAY_MS_MAX);
  requireInteger("waitingMax", options.waitingMax, 1, 16_777_216);
  requireInteger("pduLengthMax", options.pduLengthMax, 64, 1_048_576);
  requireInteger("idBase", options.idBase, 0, 2 ** 52);
  if (options.seed !== null) requireInteger("seed", options.seed, 0, 0xffff_ffff);
  if (!ID_FORMATS.includes(options.idFormat)) {
    throw new RangeError(`idFormat is ${options.idFormat}, allowed: ${ID_FORMATS.join(", ")}`);
  }
  if (!/^[\x21-\x7e]{1,15}$/.test(options.smscSystemId)) {
    throw new RangeError("smscSystemId must be 1 to 15 visible ASCII characters");
  }
  requireMixes(options);
  return Object.freeze(options);
}

const DELAYS = ["latencyMs", "receiptDelayMs", "bindDelayMs"] as const;
const SHARES = [
  "receiptBeforeAnswer",
  "dropAnswers",
  "lateAnswers",
  "duplicateReceipts",
  "contradictReceipts",
  "strayReceipts",
  "bindSilence",
] as const;
const EVERY = [
  "disconnectEvery",
  "cutMidPduEvery",
  "deafEvery",
  "silentEvery",
  "unbindEvery",
  "malformedEvery",
] as const;

function requireRefusals(name: string, refusals: readonly Refusal[]): void {
  let shares = 0;
  for (const { status, share } of refusals) {
    requireInteger(`${name}: status`, status, 1, 0xffff_ffff);
    requireShare(`${name}: share`, share);
    shares += share;
  }
  if (shares > 1 + 1e-9) throw new RangeError(`${name}: the shares add up to more than 100 %`);
}

function requireStorms(storms: readonly Storm[]): void {
  for (const { status, fromMs, toMs, everyMs } of storms) {
    requireInteger("storms: status", status, 1, 0xffff_ffff);
    requireInteger("storms: from", fromMs, 0, DELAY_MS_MAX);
    requireInteger("storms: to", toMs, fromMs + 1, DELAY_MS_MAX);
    if (everyMs !== null) requireInteger("storms: every", everyMs, toMs, DELAY_MS_MAX);
  }
}

function requireMixes(options: SmscOptions): void {
  let weights = 0;
  for (const { state, weight } of options.outcomes) {
    requireInteger("outcomes: state", state, STATE_NONE, MESSAGE_STATE.REJECTED);
    if (!(weight >= 0)) throw new RangeError(`outcomes: weight is ${weight}, must not be negative`);
    weights += weight;
  }
  if (!(weights > 0)) throw new RangeError("outcomes: the weights add up to nothing");
  requireRefusals("refusals", options.refusals);
  requireRefusals("bindRefusals", options.bindRefusals);
  requireStorms(options.storms);
  if (options.malformed.length === 0) throw new RangeError("malformed: no kind is given");
  for (const kind of options.malformed) {
    if (Object.hasOwn(MALFORMED_KINDS, kind)) continue;
    const allowed = Object.keys(MALFORMED_KINDS).join(", ");
    throw new RangeError(`malformed: "${kind}" is unknown, allowed: ${allowed}`);
  }
}

/** Words of `--outcomes`. */
export const OUTCOME_STATES: Readonly<Record<string, number>> = {
  delivered: MESSAGE_STATE.DELIVERED,
  undelivered: MESSAGE_STATE.UNDELIVERABLE,
  expired: MESSAGE_STATE.EXPIRED,
  rejected: MESSAGE_STATE.REJECTED,
  deleted: MESSAGE_STATE.DELETED,
  unknown: MESSAGE_STATE.UNKNOWN,
  none: STATE_NONE,
};

/** A number as people write one; Number() alone would read "" and " " as 0. */
function numberOf(name: string, text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new RangeError(`${name}: "${text}" is not a number`);
  return value;
}

/** "20", "5:50", "exp:20" or "tail:20", in milliseconds. */
export function parseRange(name: string, text: string): Delay {
  return parseDelay(name, text, numberOf);
}

/** "3", "3%" or "0.5%": a percentage as a share. */
export function parseShare(name: string, text: string): number {
  return numberOf(name, text.endsWith("%") ? text.slice(0, -1) : text) / 100;
}

function pairsOf(name: string, text: string): [string, string][] {
  return text.split(",").map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new RangeError(`${name}: "${pair}" is not key=value`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
}

/** "delivered=90,undelivered=5,expired=3,rejected=2": weights, which need not add up to 100. */
export function parseOutcomes(text: string): Outcome[] {
  return pairsOf("outcomes", text).map(([word, weight]) => {
    const state = OUTCOME_STATES[word];
    if (state === undefined) {
      const allowed = Object.keys(OUTCOME_STATES).join(", ");
      throw new RangeError(`outcomes: "${word}" is unknown, allowed: ${allowed}`);
    }
    return { state, weight: numberOf("outcomes", weight) };
  });
}

function parseStatus(name: string, code: string): number {
  const named = (COMMAND_STATUS as Readonly<Record<string, number>>)[code];
  const status = named ?? (/^(0x[0-9a-f]{1,8}|\d+)$/i.test(code) ? Number(code) : Number.NaN);
  if (Number.isNaN(status)) throw new RangeError(`${name}: "${code}" is no command_status`);
  return status;
}

/**
 * "0x58=5%,0x0b=1%": a command_status by number or by name, and the percentage of requests it
 * meets.
 */
export function parseRefusals(text: string, name = "refuse"): Refusal[] {
  return pairsOf(name, text).map(([code, share]) => ({
    status: parseStatus(name, code),
    share: parseShare(name, share),
  }));
}

/** "0x58=5:65" or "0x58=5:65:120": a status, from and to, and after how long again, in seconds. */
export function parseStorms(text: string): Storm[] {
  return pairsOf("storm", text).map(([code, times]) => {
    const [from = "", to = "", every, ...more] = times.split(":");
    if (more.length > 0) throw new RangeError(`storm: "${times}" is not from:to or from:to:every`);
    const ms = (seconds: string): number => Math.round(numberOf("storm", seconds) * 1000);
    const everyMs = every === undefined ? null : ms(every);
    return { status: parseStatus("storm", code), fromMs: ms(from), toMs: ms(to), everyMs };
  });
}
