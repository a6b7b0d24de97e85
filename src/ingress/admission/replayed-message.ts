/**
 * A dead letter as the request that would send it anew: the ACCEPT of the old message, read back
 * into the fields that a client writes.
 *
 *   ACCEPT ─► to, from, text or binary, class, … ─► admitted like any other, by what holds today
 *
 * So it goes by today's routes, profile and rates, and pays like a new one. Its validity is as long
 * as the old one was. Pure; any thread.
 */
import {
  concatHeaderLength,
  decodeGsm7,
  decodeLatin1,
  decodeUcs2,
  GSM7_DEFAULT,
  type Gsm7Alphabet,
  isSar,
  nationalAlphabet,
  packedFillBits,
  TON,
  UDH_IE,
  unpackSeptets,
} from "../../codec/index.ts";
import {
  Accept,
  acceptBodyOffset,
  acceptCampaignOffset,
  acceptFromOffset,
  acceptPartEnd,
  acceptPartStart,
  acceptReferenceOffset,
  acceptToOffset,
  acceptUdhOffset,
  RoutedBy,
} from "../../records/accept.ts";
import { BodyEncoding, DLR_MODE_NAMES, MESSAGE_CLASS_NAMES } from "../../records/types.ts";
import { TTL_S_MAX } from "./message-fields.ts";

/** Septets of a part: 140 octets hold 160. */
const PART_SEPTETS_MAX = 255;

/** The body of `POST /v1/messages` that an ACCEPT (header included) came from, or might have. */
export function requestOf(record: Uint8Array): Record<string, unknown> {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const u8 = (field: number): number => view.getUint8(field);
  const text = (offset: number, length: number): string =>
    bytes.toString("utf8", offset, offset + u8(length));
  const from = text(acceptFromOffset(view, 0), Accept.FROM_LENGTH);
  const reference = text(acceptReferenceOffset(view, 0), Accept.REFERENCE_LENGTH);
  const campaign = text(acceptCampaignOffset(view, 0), Accept.CAMPAIGN_LENGTH);
  const isInternational = u8(Accept.SOURCE_TON_NPI) >> 4 === TON.international;
  const delayMs = view.getUint32(Accept.SEND_DELAY_S, true) * 1000;
  const sentFromMs = view.getFloat64(Accept.ACCEPTED_AT, true) + delayMs;
  const ttlS = Math.round((view.getFloat64(Accept.EXPIRES_AT, true) - sentFromMs) / 1000);
  return {
    to: `+${text(acceptToOffset(view, 0), Accept.TO_LENGTH)}`,
    ...(from === "" ? {} : { from: isInternational ? `+${from}` : from }),
    ...(reference === "" ? {} : { reference }),
    ...(campaign === "" ? {} : { campaign }),
    class: MESSAGE_CLASS_NAMES[u8(Accept.CLASS) as 0],
    priority: u8(Accept.PRIORITY),
    dlr: DLR_MODE_NAMES[u8(Accept.DLR) as 0],
    ttl_s: Math.min(TTL_S_MAX, Math.max(1, ttlS)),
    ...(u8(Accept.ROUTED_BY) === RoutedBy.PIN
      ? { route: view.getUint32(Accept.POOL_ID, true) }
      : {}),
    ...bodyOf(bytes, view),
  };
}

function bodyOf(bytes: Buffer, view: DataView): Record<string, unknown> {
  const start = acceptBodyOffset(view, 0);
  const end = start + view.getUint16(Accept.BODY_LENGTH, true);
  const udhAt = acceptUdhOffset(view, 0);
  const udh = bytes.subarray(udhAt, udhAt + view.getUint8(Accept.UDH_LENGTH));
  const dataCoding = view.getUint8(Accept.DATA_CODING);
  switch (view.getUint8(Accept.ENCODING)) {
    case BodyEncoding.GSM7:
      return { text: decodeGsm7(bytes, start, end, alphabetOf(udh)) };
    case BodyEncoding.GSM7_PACKED:
      return { text: unpackedText(bytes, view, udh) };
    case BodyEncoding.UCS2:
      return { text: decodeUcs2(bytes, start, end), encoding: "ucs2" };
    case BodyEncoding.LATIN1:
      // As data_coding 0 it is what the profile makes of GSM 7-bit.
      return {
        text: decodeLatin1(bytes, start, end),
        ...(dataCoding === 0 ? {} : { encoding: "latin1" }),
      };
    case BodyEncoding.ASCII:
      return { text: decodeLatin1(bytes, start, end) };
    default: {
      const header = udh.length === 0 ? {} : { udh: udh.toString("hex") };
      const data = bytes.toString("base64", start, end);
      return { binary: { data, ...header, data_coding: dataCoding } };
    }
  }
}

/** The parts of a packed body, each behind the fill bits that its header asked for. */
function unpackedText(bytes: Buffer, view: DataView, udh: Uint8Array): string {
  const partCount = view.getUint8(Accept.PART_COUNT);
  const method = view.getUint8(Accept.CONCAT_METHOD);
  let udhLength = udh.length;
  if (partCount > 1 && !isSar(method)) {
    udhLength = concatHeaderLength(method) + Math.max(0, udhLength - 1);
  }
  const fillBits = udhLength === 0 ? 0 : packedFillBits(udhLength);
  const body = acceptBodyOffset(view, 0);
  const alphabet = alphabetOf(udh);
  let text = "";
  for (let part = 0; part < partCount; part++) {
    const start = body + acceptPartStart(view, 0, part);
    const end = body + acceptPartEnd(view, 0, part);
    const septets = new Uint8Array(Math.max(PART_SEPTETS_MAX, 2 * (end - start)));
    const count = unpackSeptets(bytes, start, end, fillBits, septets, 0);
    text += decodeGsm7(septets, 0, Math.max(0, count), alphabet);
  }
  return text;
}

/** The alphabet that a header's national tables make; the header starts with its length octet. */
function alphabetOf(udh: Uint8Array): Gsm7Alphabet {
  let locking = 0;
  let single = 0;
  for (let at = 1; at + 2 < udh.length; at += 2 + (udh[at + 1] as number)) {
    if (udh[at] === UDH_IE.national_locking_shift) locking = udh[at + 2] as number;
    else if (udh[at] === UDH_IE.national_single_shift) single = udh[at + 2] as number;
  }
  return nationalAlphabet(locking, single) ?? GSM7_DEFAULT;
}
