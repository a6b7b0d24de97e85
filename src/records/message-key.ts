/**
 * The key of a message and its text form, the message id.
 *
 *   sequence   53 bits: milliseconds since 2025-01-01 in the upper 41, a counter in the lower 12
 *   origin     32 bits: epoch (one more at each start) << 8 | producer
 *   id         <node>-<sequence, 14 hex digits><origin, 8 hex digits>
 *
 * A producer's sequences strictly increase, so ids sort by time, name their node, and never repeat:
 * a clock that was set back meets another epoch. Pure; any thread.
 */

const BASE_MS = Date.UTC(2025, 0, 1);
const COUNTER_PER_MS = 4096;
/** Words in a line of the CPU's caches. */
const NEIGHBOURS = 8;
/** The digits of an id, behind its node and a hyphen. */
export const ID_HEX_DIGITS = 22;

export const EPOCH_MAX = 0xffffff;
export const PRODUCER_COUNT_MAX = 256;
/**
 * Bytes of a key in the ledger's store: sequence, then origin, both big-endian, so that keys sort
 * by time.
 */
export const MESSAGE_KEY_BYTES = 12;

export interface MessageKey {
  readonly sequence: number;
  readonly origin: number;
}

export function originOf(epoch: number, producer: number): number {
  return ((epoch << 8) | producer) >>> 0;
}

export function epochOf(origin: number): number {
  return origin >>> 8;
}

export function producerOf(origin: number): number {
  return origin & 0xff;
}

/** The next sequence of a producer whose last one was `last`, at wall-clock `wallMs`. */
export function nextSequence(last: number, wallMs: number): number {
  const byClock = Math.floor(wallMs - BASE_MS) * COUNTER_PER_MS;
  return byClock > last ? byClock : last + 1;
}

/** Wall-clock milliseconds at which `sequence` was given out (approximate under extreme rates). */
export function sequenceWallMs(sequence: number): number {
  return Math.floor(sequence / COUNTER_PER_MS) + BASE_MS;
}

/**
 * A hash of the key. Of messages that a thread accepts one after the other each eight differ in the
 * lowest bits only, so that their places in a table share a line of the CPU's caches. The bits
 * above the 32 that the first factor takes, 2.3 hours and more, have a factor of their own:
 * messages that come every 2^n ms differ in few of the lower ones.
 */
export function neighbourHash(sequence: number, origin: number): number {
  const low = Math.imul(Math.floor(sequence / NEIGHBOURS) | 0, 0x9e3779b1);
  const high = Math.imul(Math.floor(sequence / (NEIGHBOURS * 0x100000000)), 0xc2b2ae35);
  let hash = low ^ high ^ origin;
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13) ^ (sequence & (NEIGHBOURS - 1));
}

/** The id that users see, ≤ 64 ASCII characters. */
export function formatMessageId(node: string, sequence: number, origin: number): string {
  const high = Math.floor(sequence / 0x100000000);
  const low = sequence >>> 0;
  return `${node}-${hex8(high).slice(2)}${hex8(low)}${hex8(origin)}`;
}

/** Writes the ID_HEX_DIGITS of an id as ASCII to `out` at `at`. */
export function writeIdDigits(sequence: number, origin: number, out: Uint8Array, at: number): void {
  writeHex(Math.floor(sequence / 0x100000000), 6, out, at);
  writeHex(sequence >>> 0, 8, out, at + 6);
  writeHex(origin, 8, out, at + 14);
}

/**
 * Splits an id into its node and key; null if it is none. Only ids as `formatMessageId` writes them
 * pass.
 */
export function parseMessageId(id: string): { node: string; key: MessageKey } | null {
  const digits = id.length - ID_HEX_DIGITS;
  if (digits < 2 || id.length > 64 || id.charCodeAt(digits - 1) !== 0x2d) return null;
  const text = id.slice(digits);
  if (!/^[0-9a-f]{22}$/.test(text)) return null;
  const sequence = Number.parseInt(text.slice(0, 14), 16);
  if (!Number.isSafeInteger(sequence)) return null;
  return {
    node: id.slice(0, digits - 1),
    key: { sequence, origin: Number.parseInt(text.slice(14), 16) },
  };
}

/** 32 bits as digits: four times as fast as `toString(16)` and padding, once a message. */
function hex8(value: number): string {
  return String.fromCharCode(
    digit(value >>> 28),
    digit(value >>> 24),
    digit(value >>> 20),
    digit(value >>> 16),
    digit(value >>> 12),
    digit(value >>> 8),
    digit(value >>> 4),
    digit(value),
  );
}

/** The lowest `digits` of `value`. */
function writeHex(value: number, digits: number, out: Uint8Array, at: number): void {
  for (let i = 0; i < digits; i++) out[at + i] = digit(value >>> (4 * (digits - 1 - i)));
}

/** Character code of the lowest four bits. */
function digit(value: number): number {
  const nibble = value & 15;
  return nibble < 10 ? 0x30 + nibble : 0x57 + nibble;
}
