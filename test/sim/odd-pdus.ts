/** Requests that an operator floods a connection with: sound, and nothing anybody waits for. */
import {
  COMMAND_ID,
  encodeHeaderOnly,
  encodeSm,
  ESM_CLASS,
  resetSmView,
  SmView,
} from "../../src/codec/index.ts";

/** A PDU without a body. */
const HEADER_BYTES = 16;
const DELIVER_BYTES_MAX = 256;
/** Behind every sequence_number that an operator counts up to. */
const SEQUENCES_FROM = 0x10000000;
/** Ids that no operator of a run gives out. */
const FOREIGN_IDS_FROM = 77_000_000_000;
const NUMBER = "998900000000";

/** `count` enquire_link, one behind the other. */
export function enquireLinks(count: number): Uint8Array {
  const requests = new Uint8Array(count * HEADER_BYTES);
  for (let i = 0; i < count; i++) {
    encodeHeaderOnly(COMMAND_ID.enquire_link, requests, i * HEADER_BYTES, 0, 1 + i);
  }
  return requests;
}

/** `count` deliver_sm: in turn a receipt for what nobody sent, and a message to nobody here. */
export function foreignDeliveries(count: number): Uint8Array {
  const requests = new Uint8Array(count * DELIVER_BYTES_MAX);
  const view = new SmView();
  let end = 0;
  for (let i = 0; i < count; i++) {
    const isReceipt = i % 2 === 0;
    const id = FOREIGN_IDS_FROM + i;
    const text = isReceipt ? `id:${id} sub:001 dlvrd:001 stat:DELIVRD err:000 text:x` : "hello";
    const bytes = Buffer.from(`${NUMBER}SIM${text}`, "latin1");
    resetSmView(view, bytes);
    [view.sourceAddrStart, view.sourceAddrEnd] = [0, NUMBER.length];
    [view.destinationAddrStart, view.destinationAddrEnd] = [NUMBER.length, NUMBER.length + 3];
    if (isReceipt) view.esmClass = ESM_CLASS.type_delivery_receipt;
    [view.shortMessageStart, view.shortMessageEnd] = [NUMBER.length + 3, bytes.length];
    view.tlvStart = view.tlvEnd = bytes.length;
    // encodeSm tells how many bytes it wrote.
    end += encodeSm(COMMAND_ID.deliver_sm, requests, end, SEQUENCES_FROM + i, view, null, 0);
  }
  return requests.subarray(0, end);
}
