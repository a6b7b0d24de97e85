/**
 * What an operator simulator can be told: defaults, the little languages of mixes and ranges, and
 * their bounds.
 *
 * Shares are fractions in [0, 1]. Cold path: everything here throws RangeError on nonsense. Pure;
 * any thread may call it.
 */
import { COMMAND_STATUS, MESSAGE_STATE, PDU_LENGTH_MAX_DEFAULT } from "../codec/index.ts";
import { ID_FORMATS, type IdFormat } from "./message-id.ts";

/** From and to: uniform between both, inclusive; equal ends mean a fixed value. */
export type Range = readonly [number, number];

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
  readonly latencyMs: Range;
  readonly receipts: "final" | "none";
  /** From the answer to the receipt. */
  readonly receiptDelayMs: Range;
  readonly outcomes: readonly Outcome[];
  readonly refusals: readonly Refusal[];
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
  /** Share of receipts that are sent a second time after they were answered. */
  readonly duplicateReceipts: number;
  /** Every so many submits the connection that brought the last one is cut; null never. */
  readonly disconnectEvery: number | null;
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
  tps: null,
  window: null,
  idFormat: "decimal",
  idBase: 1_000_000_000,
  receiptBeforeAnswer: 0,
  dropAnswers: 0,
  duplicateReceipts: 0,
  disconnectEvery: null,
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

/**
 * Longest delay: a wheel tick is a millisecond in a signed 32-bit integer, of which half may lie
 * ahead.
 */
const DELAY_MS_MAX = 0x3fff_ffff;

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

function requireRange(name: string, range: Range): void {
  requireInteger(name, range[0], 0, DELAY_MS_MAX);
  requireInteger(name, range[1], range[0], DELAY_MS_MAX);
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
  requireRange("latencyMs", options.latencyMs);
  requireRange("receiptDelayMs", options.receiptDelayMs);
  requireShare("receiptBeforeAnswer", options.receiptBeforeAnswer);
  requireShare("dropAnswers", options.dropAnswers);
  requireShare("duplicateReceipts", options.duplicateReceipts);
  requireOptional("tps", options.tps, 1_000_000);
  requireOptional("window", options.window, 1_000_000);
  requireOptional("disconnectEvery", options.disconnectEvery, Number.MAX_SAFE_INTEGER);
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

function requireMixes(options: SmscOptions): void {
  let weights = 0;
  for (const { state, weight } of options.outcomes) {
    requireInteger("outcomes: state", state, STATE_NONE, MESSAGE_STATE.REJECTED);
    if (!(weight >= 0)) throw new RangeError(`outcomes: weight is ${weight}, must not be negative`);
    weights += weight;
  }
  if (!(weights > 0)) throw new RangeError("outcomes: the weights add up to nothing");
  let shares = 0;
  for (const { status, share } of options.refusals) {
    requireInteger("refusals: status", status, 1, 0xffff_ffff);
    requireShare("refusals: share", share);
    shares += share;
  }
  if (shares > 1 + 1e-9) throw new RangeError("refusals: the shares add up to more than 100 %");
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

/** "20" or "5:50", in milliseconds. */
export function parseRange(name: string, text: string): Range {
  const [first = "", second, ...more] = text.split(":");
  if (more.length > 0) throw new RangeError(`${name}: "${text}" is not a or a:b`);
  const min = numberOf(name, first);
  return [min, second === undefined ? min : numberOf(name, second)];
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

/**
 * "0x58=5%,0x0b=1%": a command_status by number or by name, and the percentage of submits it meets.
 */
export function parseRefusals(text: string): Refusal[] {
  return pairsOf("refuse", text).map(([code, share]) => {
    const named = (COMMAND_STATUS as Readonly<Record<string, number>>)[code];
    const status = named ?? (/^(0x[0-9a-f]{1,8}|\d+)$/i.test(code) ? Number(code) : Number.NaN);
    if (Number.isNaN(status)) throw new RangeError(`refuse: "${code}" is no command_status`);
    return { status, share: parseShare("refuse", share) };
  });
}
