/**
 * bind_transmitter, bind_receiver, bind_transceiver and their responses (spec 4.1).
 *
 * Binding is rare, so these functions take and give strings; they still do not throw. Strings are
 * Latin-1 on the wire. Pure; any thread may call them.
 */
import { HEADER_LENGTH, writeHeader } from "./frame.ts";
import {
  DEFECT_TRUNCATED,
  DEFECT_UNTERMINATED,
  FIELD_ILLEGAL,
  FIELD_TOO_LONG,
  NO_ROOM,
} from "./sentinels.ts";
import { findTlv, readTlvInteger, tlvStreamEnd, writeTlvInteger } from "./tlv.ts";
import { TLV_TAG } from "./tlv-tag.ts";

/** The fields of a bind request. */
export interface BindRequest {
  systemId: string;
  password: string;
  systemType: string;
  interfaceVersion: number;
  addrTon: number;
  addrNpi: number;
  addressRange: string;
}

/** The fields of a bind response; scInterfaceVersion is -1 if the peer left the TLV out. */
export interface BindResponse {
  systemId: string;
  scInterfaceVersion: number;
}

/** Longest values without NUL (spec 4.1.1); some SMSCs issue longer passwords, see `encodeBind`. */
export const BIND_LENGTHS_MAX = {
  systemId: 15,
  password: 8,
  systemType: 12,
  addressRange: 40,
} as const;

/** Writes a Latin-1 string and its NUL; returns the offset after it, or a sentinel. */
function writeCString(out: Uint8Array, at: number, text: string, lengthMax: number): number {
  if (text.length > lengthMax) return FIELD_TOO_LONG;
  if (at + text.length + 1 > out.length) return NO_ROOM;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0 || code > 0xff) return FIELD_ILLEGAL;
    out[at + i] = code;
  }
  out[at + text.length] = 0;
  return at + text.length + 1;
}

/** The Latin-1 string in bytes [start, end). For the cold path: it allocates. */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function cStringEnd(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== 0) at++;
  return at < end ? at : DEFECT_UNTERMINATED;
}

/**
 * Encodes a bind request of the given command id and returns its length, or NO_ROOM,
 * FIELD_TOO_LONG, FIELD_ILLEGAL. `passwordLengthMax` may be raised for an SMSC that issued a longer
 * one than the spec's 8.
 */
export function encodeBind(
  commandId: number,
  out: Uint8Array,
  at: number,
  sequenceNumber: number,
  bind: BindRequest,
  passwordLengthMax: number = BIND_LENGTHS_MAX.password,
): number {
  if ((bind.interfaceVersion | bind.addrTon | bind.addrNpi) >>> 0 > 0xff) return FIELD_ILLEGAL;
  let p = writeCString(out, at + HEADER_LENGTH, bind.systemId, BIND_LENGTHS_MAX.systemId);
  if (p < 0) return p;
  p = writeCString(out, p, bind.password, passwordLengthMax);
  if (p < 0) return p;
  p = writeCString(out, p, bind.systemType, BIND_LENGTHS_MAX.systemType);
  if (p < 0) return p;
  if (p + 3 > out.length) return NO_ROOM;
  out[p] = bind.interfaceVersion;
  out[p + 1] = bind.addrTon;
  out[p + 2] = bind.addrNpi;
  p = writeCString(out, p + 3, bind.addressRange, BIND_LENGTHS_MAX.addressRange);
  if (p < 0) return p;
  writeHeader(out, at, p - at, commandId, 0, sequenceNumber);
  return p - at;
}

/** Decodes the bind request in [start, end) into `into`; returns 0 or a DEFECT_… sentinel. */
export function decodeBind(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: BindRequest,
): number {
  let from = start + HEADER_LENGTH;
  let at = cStringEnd(bytes, from, end);
  if (at < 0) return at;
  into.systemId = readLatin1(bytes, from, at);
  from = at + 1;
  at = cStringEnd(bytes, from, end);
  if (at < 0) return at;
  into.password = readLatin1(bytes, from, at);
  from = at + 1;
  at = cStringEnd(bytes, from, end);
  if (at < 0) return at;
  into.systemType = readLatin1(bytes, from, at);
  if (at + 4 > end) return DEFECT_TRUNCATED;
  into.interfaceVersion = bytes[at + 1]!;
  into.addrTon = bytes[at + 2]!;
  into.addrNpi = bytes[at + 3]!;
  from = at + 4;
  at = cStringEnd(bytes, from, end);
  if (at < 0) return at;
  into.addressRange = readLatin1(bytes, from, at);
  return 0;
}

/**
 * Encodes a bind response. A status other than 0 leaves the body out (spec 4.1.2); a negative
 * `scInterfaceVersion` leaves the TLV out. Returns the length, or a sentinel.
 */
export function encodeBindResp(
  commandId: number,
  out: Uint8Array,
  at: number,
  commandStatus: number,
  sequenceNumber: number,
  systemId: string,
  scInterfaceVersion: number,
): number {
  if (at + HEADER_LENGTH > out.length) return NO_ROOM;
  let p = at + HEADER_LENGTH;
  if (commandStatus === 0) {
    p = writeCString(out, p, systemId, BIND_LENGTHS_MAX.systemId);
    if (p < 0) return p;
    if (scInterfaceVersion >= 0) {
      p = writeTlvInteger(out, p, TLV_TAG.sc_interface_version, scInterfaceVersion, 1);
      if (p < 0) return p;
    }
  }
  writeHeader(out, at, p - at, commandId, commandStatus, sequenceNumber);
  return p - at;
}

/**
 * Decodes the bind response in [start, end): with or without a body, whatever its status, and with
 * a system_id whose NUL is missing. Returns 0, or DEFECT_TRUNCATED if TLVs are cut short.
 */
export function decodeBindResp(
  bytes: Uint8Array,
  start: number,
  end: number,
  into: BindResponse,
): number {
  const from = start + HEADER_LENGTH;
  let at = from;
  while (at < end && bytes[at] !== 0) at++;
  into.systemId = readLatin1(bytes, from, at);
  into.scInterfaceVersion = -1;
  if (at >= end) return 0;
  const value = findTlv(bytes, at + 1, end, TLV_TAG.sc_interface_version);
  if (value >= 0) into.scInterfaceVersion = readTlvInteger(bytes, value);
  return tlvStreamEnd(bytes, at + 1, end) === end ? 0 : DEFECT_TRUNCATED;
}
