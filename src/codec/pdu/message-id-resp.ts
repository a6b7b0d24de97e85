/**
 * submit_sm_resp and deliver_sm_resp: a header and, at most, one message_id.
 *
 *   submit_sm_resp  ok 16 + id + NUL · refused 16, no body (spec 4.4.2)
 *   deliver_sm_resp 17 octets: an empty message_id (spec 4.6.2)
 *
 * Decoding accepts either shape with any status, and an id whose NUL is missing. The functions
 * serve data_sm_resp and submit_multi_resp's first field too. Pure; any thread may call them.
 */
import { COMMAND_ID } from "./command-id.ts";
import { HEADER_LENGTH, writeHeader } from "./frame.ts";
import { FIELD_ILLEGAL, FIELD_TOO_LONG, NO_ROOM } from "./sentinels.ts";

/** Longest message_id without its NUL (spec 5.2.23). */
export const MESSAGE_ID_LENGTH_MAX = 64;

/**
 * Where the message_id of the response in [start, end) ends; it begins at `start + 16`. An empty id
 * and an absent body both give `start + 16`. Never fails: the header alone says what became of the
 * message.
 */
export function messageIdEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start + HEADER_LENGTH;
  // Four octets a turn: there is one such answer for every message sent.
  for (const stop = end - 3; at < stop; at += 4) {
    if (bytes[at] === 0) return at;
    if (bytes[at + 1] === 0) return at + 1;
    if (bytes[at + 2] === 0) return at + 2;
    if (bytes[at + 3] === 0) return at + 3;
  }
  while (at < end && bytes[at] !== 0) at++;
  return at;
}

/**
 * Encodes submit_sm_resp (or data_sm_resp, by `commandId`) with the message_id in bytes [idStart,
 * idEnd). A status other than 0 leaves the body out. Returns the PDU's length, NO_ROOM,
 * FIELD_TOO_LONG, or FIELD_ILLEGAL for a NUL in the id.
 */
export function encodeMessageIdResp(
  commandId: number,
  out: Uint8Array,
  at: number,
  commandStatus: number,
  sequenceNumber: number,
  bytes: Uint8Array,
  idStart: number,
  idEnd: number,
): number {
  const idLength = commandStatus === 0 ? idEnd - idStart : 0;
  if (idLength > MESSAGE_ID_LENGTH_MAX) return FIELD_TOO_LONG;
  const length = commandStatus === 0 ? HEADER_LENGTH + idLength + 1 : HEADER_LENGTH;
  if (at + length > out.length) return NO_ROOM;
  writeHeader(out, at, length, commandId, commandStatus, sequenceNumber);
  if (commandStatus !== 0) return length;
  let p = at + HEADER_LENGTH;
  for (let i = idStart; i < idEnd; i++, p++) {
    const byte = bytes[i]!;
    if (byte === 0) return FIELD_ILLEGAL;
    out[p] = byte;
  }
  out[p] = 0;
  return length;
}

/** Encodes submit_sm_resp; see `encodeMessageIdResp`. */
export function encodeSubmitSmResp(
  out: Uint8Array,
  at: number,
  commandStatus: number,
  sequenceNumber: number,
  bytes: Uint8Array,
  idStart: number,
  idEnd: number,
): number {
  return encodeMessageIdResp(
    COMMAND_ID.submit_sm_resp,
    out,
    at,
    commandStatus,
    sequenceNumber,
    bytes,
    idStart,
    idEnd,
  );
}

/** Encodes deliver_sm_resp with its one NULL octet whatever the status; returns 17 or NO_ROOM. */
export function encodeDeliverSmResp(
  out: Uint8Array,
  at: number,
  commandStatus: number,
  sequenceNumber: number,
): number {
  const length = HEADER_LENGTH + 1;
  if (at + length > out.length) return NO_ROOM;
  writeHeader(out, at, length, COMMAND_ID.deliver_sm_resp, commandStatus, sequenceNumber);
  out[at + HEADER_LENGTH] = 0;
  return length;
}
