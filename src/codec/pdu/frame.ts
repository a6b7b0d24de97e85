/**
 * Framing and the 16-octet header that every PDU starts with.
 *
 *   0              4              8              12             16
 *   | command_length | command_id | command_status | sequence_number | body …
 *
 * The length is judged before anything is allocated or awaited; every other read in the codec is
 * bounded by the PDU's end. Pure functions; any thread may call them.
 */
import { LENGTH_TOO_LARGE, LENGTH_TOO_SMALL, NEED_MORE, NO_ROOM } from "./sentinels.ts";

/** Octets of the PDU header (spec 3.2). */
export const HEADER_LENGTH = 16;
/** Default cap for command_length: a full message_payload and every mandatory field fit. */
export const PDU_LENGTH_MAX_DEFAULT = 70_000;
/** The largest sequence_number a sender may choose (spec 5.1.4); 1 follows it. */
export const SEQUENCE_NUMBER_MAX = 0x7fffffff;

/** Reads an unsigned 32-bit big-endian integer; the caller has checked the bounds. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

/** Reads an unsigned 16-bit big-endian integer; the caller has checked the bounds. */
export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Writes an unsigned 32-bit big-endian integer; the caller has checked the bounds. */
export function writeUint32(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

/** Writes an unsigned 16-bit big-endian integer; the caller has checked the bounds. */
export function writeUint16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >>> 8;
  out[at + 1] = value;
}

/**
 * Looks for one whole PDU in bytes [start, end): its length in octets, NEED_MORE, or
 * LENGTH_TOO_SMALL / LENGTH_TOO_LARGE as soon as the first four octets show it.
 */
export function readFrame(
  bytes: Uint8Array,
  start: number,
  end: number,
  lengthMax: number = PDU_LENGTH_MAX_DEFAULT,
): number {
  const available = end - start;
  if (available < 4) return NEED_MORE;
  const length = readUint32(bytes, start);
  if (length < HEADER_LENGTH) return LENGTH_TOO_SMALL;
  if (length > lengthMax) return LENGTH_TOO_LARGE;
  return length <= available ? length : NEED_MORE;
}

/** command_length of the PDU at `start`. */
export function readCommandLength(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start);
}

/** command_id of the PDU at `start`, unsigned: responses are ≥ 0x80000000. */
export function readCommandId(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start + 4);
}

/** command_status of the PDU at `start`. */
export function readCommandStatus(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start + 8);
}

/** sequence_number of the PDU at `start`; any 32-bit value is accepted and echoed. */
export function readSequenceNumber(bytes: Uint8Array, start: number): number {
  return readUint32(bytes, start + 12);
}

/** Makes the PDU at `at` end at `end`: TLVs were written behind it. Returns its length. */
export function extendPdu(out: Uint8Array, at: number, end: number): number {
  writeUint32(out, at, end - at);
  return end - at;
}

/** Writes a header; the caller has checked the room. */
export function writeHeader(
  out: Uint8Array,
  at: number,
  commandLength: number,
  commandId: number,
  commandStatus: number,
  sequenceNumber: number,
): void {
  writeUint32(out, at, commandLength);
  writeUint32(out, at + 4, commandId);
  writeUint32(out, at + 8, commandStatus);
  writeUint32(out, at + 12, sequenceNumber);
}

/**
 * Encodes a PDU that consists of its header: enquire_link, unbind, their responses, generic_nack,
 * cancel_sm_resp, replace_sm_resp, and any response without a body. Returns 16 or NO_ROOM.
 */
export function encodeHeaderOnly(
  commandId: number,
  out: Uint8Array,
  at: number,
  commandStatus: number,
  sequenceNumber: number,
): number {
  if (at + HEADER_LENGTH > out.length) return NO_ROOM;
  writeHeader(out, at, HEADER_LENGTH, commandId, commandStatus, sequenceNumber);
  return HEADER_LENGTH;
}

/** The sequence_number after this one, wrapping from 0x7FFFFFFF to 1 (spec 5.1.4). */
export function nextSequenceNumber(sequenceNumber: number): number {
  return sequenceNumber >= SEQUENCE_NUMBER_MAX || sequenceNumber < 1 ? 1 : sequenceNumber + 1;
}

/** Protocols that are told from SMPP by their first bytes. */
export type ForeignProtocol = "http" | "tls" | "amqp" | "ssh";

const HTTP_STARTS = ["GET ", "POST", "PUT ", "HEAD", "HTTP", "OPTI", "DELE", "CONN", "PATC"];

/**
 * Names the protocol that a peer seems to speak when its first bytes are no PDU, for the log:
 * 'http', 'tls', 'amqp', 'ssh', or null. At least four bytes are needed to tell.
 */
export function recogniseForeign(
  bytes: Uint8Array,
  start: number,
  end: number,
): ForeignProtocol | null {
  if (end - start < 4) return null;
  const b0 = bytes[start]!;
  const b1 = bytes[start + 1]!;
  // A TLS record of type handshake (22) or alert (21) with major version 3 (RFC 8446, 5.1).
  if ((b0 === 0x16 || b0 === 0x15) && b1 === 0x03 && bytes[start + 2]! <= 0x04) return "tls";
  const word = String.fromCharCode(b0, b1, bytes[start + 2]!, bytes[start + 3]!);
  if (HTTP_STARTS.includes(word)) return "http";
  if (word === "AMQP") return "amqp";
  if (word === "SSH-") return "ssh";
  return null;
}
