/**
 * Takes texts and passwords out of a PDU: what an operator of the gateway may see of it.
 *
 *   bind_*            password
 *   *_sm              short_message but its UDH; of a receipt, what follows `text:`
 *   TLVs              message_payload
 *   unknown commands  everything after the header
 *   if numbers go     addresses of seven digits or more, but their first three and last two;
 *                     callback_num
 *
 * Masked bytes become `*`; lengths stay. Where the bytes cannot be followed, all of the rest is
 * masked. Pure, for the cold path.
 */
import {
  COMMAND_ID,
  HEADER_LENGTH,
  isReceipt,
  isResponseId,
  readCommandId,
  readUint16,
  TLV_TAG,
} from "../../codec/index.ts";

const MASK = 0x2a;
const UDHI = 0x40;
const TEXT_KEY = /text:/i;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
/** Fewer digits are a short code, not a subscriber. */
const NUMBER_DIGITS_MIN = 7;
const NUMBER_DIGITS_SHOWN_FIRST = 3;
const NUMBER_DIGITS_SHOWN_LAST = 2;

/** Masks the first bytes of a PDU, in place; with `masksNumbers`, subscribers' numbers as well. */
export function maskPdu(bytes: Uint8Array, masksNumbers: boolean): void {
  if (bytes.length <= HEADER_LENGTH) return;
  if (masksNumbers) maskNumbers(bytes);
  const commandId = readCommandId(bytes, 0);
  const { bind_transceiver, bind_transmitter, bind_receiver, outbind } = COMMAND_ID;
  const { submit_sm, deliver_sm, data_sm } = COMMAND_ID;
  if ([bind_transceiver, bind_transmitter, bind_receiver, outbind].some((id) => id === commandId)) {
    const start = afterCString(bytes, HEADER_LENGTH);
    bytes.fill(MASK, start, Math.max(start, afterCString(bytes, start) - 1));
  } else if (commandId === submit_sm || commandId === deliver_sm) maskSm(bytes, masksNumbers);
  else if (commandId === data_sm) maskTlvs(bytes, afterDataSm(bytes), masksNumbers);
  else if (!isHarmless(commandId)) bytes.fill(MASK, HEADER_LENGTH);
}

/** The addresses of an *_sm; their ends stay where they are. */
function maskNumbers(bytes: Uint8Array): void {
  const { submit_sm, deliver_sm, data_sm } = COMMAND_ID;
  const commandId = readCommandId(bytes, 0);
  if (![submit_sm, deliver_sm, data_sm].some((id) => id === commandId)) return;
  const source = afterCString(bytes, HEADER_LENGTH) + 2;
  const destination = afterCString(bytes, source) + 2;
  maskNumber(bytes, source, destination - 2);
  maskNumber(bytes, destination, afterCString(bytes, destination));
}

/** `end`: behind the NUL, or behind what is there. */
function maskNumber(bytes: Uint8Array, start: number, end: number): void {
  const nul = bytes.indexOf(0, start);
  const last = nul < 0 ? Math.min(end, bytes.length) : Math.min(end, nul);
  const digits = bytes.subarray(start, last);
  if (digits.length < NUMBER_DIGITS_MIN) return;
  if (!digits.every((byte) => byte >= DIGIT_0 && byte <= DIGIT_9)) return;
  digits.fill(MASK, NUMBER_DIGITS_SHOWN_FIRST, digits.length - NUMBER_DIGITS_SHOWN_LAST);
}

/** Responses carry ids and codes; of requests only those without a body. */
function isHarmless(commandId: number): boolean {
  return (
    isResponseId(commandId) ||
    commandId === COMMAND_ID.enquire_link ||
    commandId === COMMAND_ID.unbind
  );
}

/** Offset after the NUL that ends the string at `at`, or the end. */
function afterCString(bytes: Uint8Array, at: number): number {
  const nul = bytes.indexOf(0, at);
  return nul < 0 ? bytes.length : nul + 1;
}

/** Offset after both addresses of the *_sm whose service_type starts at `at`. */
function afterAddresses(bytes: Uint8Array): number {
  const source = afterCString(bytes, HEADER_LENGTH) + 2;
  return afterCString(bytes, afterCString(bytes, source) + 2);
}

function maskSm(bytes: Uint8Array, masksNumbers: boolean): void {
  const esmClassAt = afterAddresses(bytes);
  const esmClass = bytes[esmClassAt] ?? 0;
  const times = afterCString(bytes, afterCString(bytes, esmClassAt + 3));
  const lengthAt = times + 4;
  const textAt = lengthAt + 1;
  const end = Math.min(bytes.length, textAt + (bytes[lengthAt] ?? bytes.length));
  if (textAt >= bytes.length) return;
  if (isReceipt(esmClass)) {
    const text = Buffer.from(bytes.subarray(textAt, end)).toString("latin1");
    const found = TEXT_KEY.exec(text);
    if (found !== null) bytes.fill(MASK, textAt + found.index + found[0].length, end);
  } else {
    const udhBytes = (esmClass & UDHI) === 0 ? 0 : (bytes[textAt] ?? 0) + 1;
    bytes.fill(MASK, Math.min(end, textAt + udhBytes), end);
  }
  maskTlvs(bytes, end, masksNumbers);
}

function afterDataSm(bytes: Uint8Array): number {
  return afterAddresses(bytes) + 3;
}

function maskTlvs(bytes: Uint8Array, from: number, masksNumbers: boolean): void {
  let at = from;
  while (at + 4 <= bytes.length) {
    const length = readUint16(bytes, at + 2);
    const end = Math.min(bytes.length, at + 4 + length);
    const tag = readUint16(bytes, at);
    const isNumber = masksNumbers && tag === TLV_TAG.callback_num;
    if (isNumber || tag === TLV_TAG.message_payload) bytes.fill(MASK, at + 4, end);
    at = end;
  }
}
