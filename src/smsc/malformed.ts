/**
 * PDUs that no SMSC should send, one of each kind, to find out what an ESME makes of them.
 *
 *   after these the stream is out of step and nothing more is sent: short_length, huge_length,
 *   garbage, foreign
 *   after these an ESME can and should go on: all others
 *
 * Pure; any thread may call it.
 */
import {
  COMMAND_ID,
  encodeDeliverSmResp,
  encodeHeaderOnly,
  encodeSm,
  resetSmView,
  SmView,
} from "../codec/index.ts";

/** What is sent, by kind. */
export const MALFORMED_KINDS = {
  short_length: "a header with command_length 8",
  huge_length: "a header with command_length 0x7FFFFFFF",
  garbage: "64 octets of noise",
  foreign: "an HTTP response",
  truncated: "a deliver_sm whose command_length ends within its mandatory fields",
  unterminated: "a deliver_sm whose service_type has no end",
  long_text: "a deliver_sm whose sm_length is greater than what follows",
  bad_tlv: "a deliver_sm with a TLV that is longer than the PDU",
  unknown_command: "a request with command_id 0x00001234",
  wrong_direction: "a submit_sm, which only an ESME may send",
  stray_response: "a submit_sm_resp to a sequence_number that was never used",
  odd_response: "a deliver_sm_resp to nothing",
  nack_zero: "a generic_nack with sequence_number 0",
} as const;

export type MalformedKind = keyof typeof MALFORMED_KINDS;

/** Kinds after which the stream is out of step. */
const FATAL: ReadonlySet<MalformedKind> = new Set<MalformedKind>([
  "short_length",
  "huge_length",
  "garbage",
  "foreign",
]);

/** Whether nothing sensible can follow on the connection. */
export function isFatalKind(kind: MalformedKind): boolean {
  return FATAL.has(kind);
}

/** Room for any of them, in octets. */
export const MALFORMED_LENGTH_MAX = 160;

const UNKNOWN_COMMAND = 0x1234;
const NEVER_USED = 0x7ffffffe;
const HUGE_LENGTH = 0x7fffffff;
const BAD_TLV = Uint8Array.of(0x14, 0x00, 0xff, 0xff, 1, 2);

/**
 * Writes one into `out` at `at`, with our `sequenceNumber` where it has one, and returns its
 * length.
 */
export function writeMalformed(
  kind: MalformedKind,
  out: Uint8Array,
  at: number,
  sequenceNumber: number,
): number {
  const { deliver_sm, submit_sm, submit_sm_resp, generic_nack } = COMMAND_ID;
  switch (kind) {
    case "short_length":
      encodeHeaderOnly(deliver_sm, out, at, 0, sequenceNumber);
      return setLength(out, at, 8, 16);
    case "huge_length":
      encodeHeaderOnly(deliver_sm, out, at, 0, sequenceNumber);
      return setLength(out, at, HUGE_LENGTH, 16);
    case "garbage":
      for (let i = 0; i < 64; i++) out[at + i] = 0x80 | ((i * 37) & 0x7f);
      return 64;
    case "foreign":
      return writeText(out, at, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    case "truncated":
      return setLength(out, at, 20, writeDeliver(deliver_sm, out, at, sequenceNumber, 20));
    case "unterminated": {
      const length = writeDeliver(deliver_sm, out, at, sequenceNumber);
      out.fill(0x41, at + 16, at + length);
      return length;
    }
    case "long_text": {
      const length = writeDeliver(deliver_sm, out, at, sequenceNumber);
      return setLength(out, at, length - 3, length - 3);
    }
    case "bad_tlv": {
      const length = writeDeliver(deliver_sm, out, at, sequenceNumber);
      out.set(BAD_TLV, at + length);
      return setLength(out, at, length + BAD_TLV.length, length + BAD_TLV.length);
    }
    case "unknown_command":
      return encodeHeaderOnly(UNKNOWN_COMMAND, out, at, 0, sequenceNumber);
    case "wrong_direction":
      return writeDeliver(submit_sm, out, at, sequenceNumber);
    case "stray_response":
      return encodeHeaderOnly(submit_sm_resp, out, at, 0, NEVER_USED);
    case "odd_response":
      return encodeDeliverSmResp(out, at, 0, sequenceNumber);
    case "nack_zero":
      return encodeHeaderOnly(generic_nack, out, at, 0x02, 0);
  }
}

/** A small message of ours; returns `lengthMax` if its octets beyond do not count. */
function writeDeliver(
  commandId: number,
  out: Uint8Array,
  at: number,
  sequenceNumber: number,
  lengthMax = MALFORMED_LENGTH_MAX,
): number {
  const bytes = new Uint8Array(64);
  const view = new SmView();
  resetSmView(view, bytes);
  const source = writeText(bytes, 0, "447700900001");
  view.sourceAddrEnd = view.destinationAddrStart = source;
  const destination = source + writeText(bytes, source, "12345");
  view.destinationAddrEnd = view.shortMessageStart = destination;
  view.shortMessageEnd =
    view.tlvStart =
    view.tlvEnd =
      destination + writeText(bytes, destination, "malformed");
  const length = encodeSm(commandId, out, at, sequenceNumber, view, null, 0);
  return Math.min(length, lengthMax);
}

function setLength(out: Uint8Array, at: number, commandLength: number, length: number): number {
  out[at] = commandLength >>> 24;
  out[at + 1] = (commandLength >>> 16) & 0xff;
  out[at + 2] = (commandLength >>> 8) & 0xff;
  out[at + 3] = commandLength & 0xff;
  return length;
}

function writeText(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return text.length;
}
