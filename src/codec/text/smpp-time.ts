/**
 * SMPP's times (spec 7.1.1), and the dates in delivery receipts.
 *
 *   YYMMDDhhmmsstnnp   t tenths, nn quarters of an hour, p '+' or '-' of UTC, or 'R' relative
 *
 * "Now" is a parameter, in milliseconds since 1970 UTC. Two-digit years mean the century nearest to
 * now. Pure; any thread may call it.
 */
import { FIELD_ILLEGAL, NO_ROOM } from "../pdu/sentinels.ts";

/** Characters of a time, without the NUL. */
export const SMPP_TIME_LENGTH = 16;

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const QUARTER_MS = 15 * MINUTE_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A relative time counts months of 30 and years of 365 days. */
const MONTH_DAYS = 30;
const YEAR_DAYS = 365;

const PLUS = 0x2b;
const MINUS = 0x2d;
const RELATIVE = 0x52;

function writeTwo(out: Uint8Array, at: number, value: number): void {
  out[at] = 0x30 + Math.floor(value / 10);
  out[at + 1] = 0x30 + (value % 10);
}

/** The number that `count` digits spell, or -1 if one is not a digit. */
function readDigits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) {
    const digit = bytes[at + i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/**
 * Writes a relative time of `seconds` to `out` at `at` and returns 16, or NO_ROOM, or FIELD_ILLEGAL
 * beyond 99 years. From 31 days on, months of 30 days are used, since the field holds at most 31
 * days.
 */
export function encodeRelativeTime(seconds: number, out: Uint8Array, at: number): number {
  if (at + SMPP_TIME_LENGTH > out.length) return NO_ROOM;
  if (!(seconds >= 0)) return FIELD_ILLEGAL;
  const whole = Math.floor(seconds);
  const days = Math.floor(whole / 86_400);
  const years = Math.floor(days / YEAR_DAYS);
  const rest = days - years * YEAR_DAYS;
  const months = Math.min(Math.floor(rest / MONTH_DAYS), 12);
  if (years > 99) return FIELD_ILLEGAL;
  writeTwo(out, at, years);
  writeTwo(out, at + 2, months);
  writeTwo(out, at + 4, rest - months * MONTH_DAYS);
  writeTwo(out, at + 6, Math.floor(whole / 3600) % 24);
  writeTwo(out, at + 8, Math.floor(whole / 60) % 60);
  writeTwo(out, at + 10, whole % 60);
  writeTwo(out, at + 12, 0);
  out[at + 14] = 0x30;
  out[at + 15] = RELATIVE;
  return SMPP_TIME_LENGTH;
}

/**
 * Writes an absolute time to `out` at `at` and returns 16, or NO_ROOM, or FIELD_ILLEGAL for an
 * offset beyond ±48 quarters. `offsetQuarters` is the zone in which the time is spelled: 0 is UTC,
 * 22 India.
 */
export function encodeAbsoluteTime(
  epochMs: number,
  out: Uint8Array,
  at: number,
  offsetQuarters = 0,
): number {
  if (at + SMPP_TIME_LENGTH > out.length) return NO_ROOM;
  if (!Number.isFinite(epochMs) || Math.abs(offsetQuarters) > 48) return FIELD_ILLEGAL;
  const local = new Date(epochMs + offsetQuarters * QUARTER_MS);
  writeTwo(out, at, local.getUTCFullYear() % 100);
  writeTwo(out, at + 2, local.getUTCMonth() + 1);
  writeTwo(out, at + 4, local.getUTCDate());
  writeTwo(out, at + 6, local.getUTCHours());
  writeTwo(out, at + 8, local.getUTCMinutes());
  writeTwo(out, at + 10, local.getUTCSeconds());
  out[at + 12] = 0x30 + Math.floor(local.getUTCMilliseconds() / 100);
  writeTwo(out, at + 13, Math.abs(offsetQuarters));
  out[at + 15] = offsetQuarters < 0 ? MINUS : PLUS;
  return SMPP_TIME_LENGTH;
}

/**
 * The moment of a UTC date with a two-digit year nearest to `nowMs`, or NaN if the date does not
 * exist.
 */
function nearestCentury(
  year: number,
  month: number,
  day: number,
  timeMs: number,
  nowMs: number,
): number {
  const century = Math.floor(new Date(nowMs).getUTCFullYear() / 100) * 100;
  let best = Number.NaN;
  for (const base of [century - 100, century, century + 100]) {
    const date = new Date(0);
    date.setUTCFullYear(base + year, month - 1, day);
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) continue;
    const moment = date.getTime() + timeMs;
    if (!(Math.abs(moment - nowMs) >= Math.abs(best - nowMs))) best = moment;
  }
  return best;
}

/** Milliseconds of hhmm or hhmmss at `at`, or NaN. */
function readClock(bytes: Uint8Array, at: number, hasSeconds: boolean): number {
  const hours = readDigits(bytes, at, 2);
  const minutes = readDigits(bytes, at + 2, 2);
  const seconds = hasSeconds ? readDigits(bytes, at + 4, 2) : 0;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 60) {
    return Number.NaN;
  }
  return hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS;
}

/**
 * Reads a time of 16 characters in bytes [start, end): milliseconds since 1970 UTC, or NaN if it is
 * none (an empty one included). Relative times count from `nowMs`.
 */
export function parseSmppTime(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
): number {
  if (end - start !== SMPP_TIME_LENGTH) return Number.NaN;
  const year = readDigits(bytes, start, 2);
  const month = readDigits(bytes, start + 2, 2);
  const day = readDigits(bytes, start + 4, 2);
  const clock = readClock(bytes, start + 6, true);
  const tenths = readDigits(bytes, start + 12, 1);
  const quarters = readDigits(bytes, start + 13, 2);
  const sign = bytes[start + 15]!;
  if (year < 0 || month < 0 || day < 0 || tenths < 0 || quarters < 0 || quarters > 48) {
    return Number.NaN;
  }
  if (sign === RELATIVE) {
    return nowMs + (year * YEAR_DAYS + month * MONTH_DAYS + day) * DAY_MS + clock;
  }
  if (sign !== PLUS && sign !== MINUS) return Number.NaN;
  const offset = (sign === PLUS ? quarters : -quarters) * QUARTER_MS;
  return nearestCentury(year, month, day, clock + tenths * 100, nowMs) - offset;
}

/**
 * Reads a receipt's submit or done date in bytes [start, end): YYMMDDhhmm, YYMMDDhhmmss or
 * yyyyMMddHHmmss. They carry no zone: `offsetMinutes` is the SMSC's distance from UTC. Returns
 * milliseconds since 1970 UTC, or NaN.
 */
export function parseReceiptDate(
  bytes: Uint8Array,
  start: number,
  end: number,
  nowMs: number,
  offsetMinutes = 0,
): number {
  const length = end - start;
  if (length !== 10 && length !== 12 && length !== 14) return Number.NaN;
  const yearDigits = length === 14 ? 4 : 2;
  const year = readDigits(bytes, start, yearDigits);
  const month = readDigits(bytes, start + yearDigits, 2);
  const day = readDigits(bytes, start + yearDigits + 2, 2);
  if (year < 0 || month < 1 || day < 1) return Number.NaN;
  const clock = readClock(bytes, start + yearDigits + 4, length > 10);
  if (yearDigits === 2) {
    return nearestCentury(year, month, day, clock, nowMs) - offsetMinutes * MINUTE_MS;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return Number.NaN;
  return date.getTime() + clock - offsetMinutes * MINUTE_MS;
}
