/**
 * A reusable view of one submit_sm or deliver_sm: integers by value, strings as ranges of `bytes`.
 *
 *   bytes: … | service_type 0 | ton npi source_addr 0 | … | short_message | tlv tlv tlv |
 *             ^Start       ^End         ^Start    ^End      ^Start     ^End ^tlvStart   ^tlvEnd
 *
 * A range is [Start, End) and leaves the NUL out. Nothing is copied: a view is valid only as long
 * as nobody overwrites its bytes. One view belongs to one thread, which reuses it for every PDU.
 */

const NO_BYTES = new Uint8Array(0);

/** A C-octet string was longer than the spec allows; it was taken as it is. */
export const SM_FLAG_LONG_STRING = 1;
/** sm_length was 255, which only SMPP 5.0 allows. */
export const SM_FLAG_LENGTH_255 = 2;

export class SmView {
  /** What the ranges point into. */
  bytes: Uint8Array = NO_BYTES;
  /** SM_FLAG_… bits: what a lenient decode has let pass. */
  flags = 0;
  serviceTypeStart = 0;
  serviceTypeEnd = 0;
  sourceAddrTon = 0;
  sourceAddrNpi = 0;
  sourceAddrStart = 0;
  sourceAddrEnd = 0;
  destAddrTon = 0;
  destAddrNpi = 0;
  destinationAddrStart = 0;
  destinationAddrEnd = 0;
  esmClass = 0;
  protocolId = 0;
  priorityFlag = 0;
  scheduleDeliveryTimeStart = 0;
  scheduleDeliveryTimeEnd = 0;
  validityPeriodStart = 0;
  validityPeriodEnd = 0;
  registeredDelivery = 0;
  replaceIfPresentFlag = 0;
  dataCoding = 0;
  smDefaultMsgId = 0;
  shortMessageStart = 0;
  shortMessageEnd = 0;
  tlvStart = 0;
  tlvEnd = 0;
}

/** Makes every field of the view empty or zero, over the given bytes. */
export function resetSmView(view: SmView, bytes: Uint8Array): void {
  view.bytes = bytes;
  view.flags = 0;
  view.serviceTypeStart = view.serviceTypeEnd = 0;
  view.sourceAddrTon = view.sourceAddrNpi = 0;
  view.sourceAddrStart = view.sourceAddrEnd = 0;
  view.destAddrTon = view.destAddrNpi = 0;
  view.destinationAddrStart = view.destinationAddrEnd = 0;
  view.esmClass = view.protocolId = view.priorityFlag = 0;
  view.scheduleDeliveryTimeStart = view.scheduleDeliveryTimeEnd = 0;
  view.validityPeriodStart = view.validityPeriodEnd = 0;
  view.registeredDelivery = view.replaceIfPresentFlag = 0;
  view.dataCoding = view.smDefaultMsgId = 0;
  view.shortMessageStart = view.shortMessageEnd = 0;
  view.tlvStart = view.tlvEnd = 0;
}
