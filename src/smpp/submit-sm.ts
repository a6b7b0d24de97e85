/**
 * Encodes one part of an accepted message as submit_sm, from its ACCEPT record straight into the
 * output, as the link's profile wants it.
 *
 *   short_message     part of the body, behind the UDH: a concatenation header if there are several
 *                     parts, the message's own UDH (a binary's, national tables), or both as one
 *   TLVs              sar_* in place of that header; a message_payload in place of the text; then
 *                     those of the profile
 *   validity_period   what is left of the validity, relative (R), in whole seconds, 1 s … 48 h:
 *                     immune to the clocks of both sides. Operators cap it about there, and the
 *                     gateway itself ends what lives longer
 *
 * A PDU's texts are ranges of one array, the record's. What is written differently than the record
 * has it stands before the record:
 *
 *   record - 64   destination 20   - 44   source 20   - 24   service_type 5   - 16   validity 16
 *
 * One instance per thread; nothing is allocated.
 */
import {
  COMMAND_ID,
  CONCAT_METHOD,
  CONCAT_UDH16_LENGTH,
  copyRange,
  encodeRelativeTime,
  encodeSm,
  extendPdu,
  isSar,
  NO_ROOM,
  referenceBits,
  REGISTERED_DELIVERY,
  SMPP_TIME_LENGTH,
  SmView,
  TLV_TAG,
  writeConcatUdh16,
  writeConcatUdh8,
  writeSarTlvs,
  writeTlvBytes,
} from "../codec/index.ts";
import {
  Accept,
  acceptBodyOffset,
  acceptFromOffset,
  acceptPartEnd,
  acceptPartStart,
  acceptSegments,
  acceptToOffset,
  acceptUdhOffset,
} from "../records/accept.ts";
import type { RecordMemory } from "../records/memory.ts";
import { DlrMode } from "../records/types.ts";
import { VALIDITY_MAX_MS } from "./pace/limits.ts";
import type { LinkProfile } from "./link-profile.ts";

/** The length octet of a user data header. */
const UDH_LENGTH_OCTET = 1;

/** Where texts stand before the record. */
const DESTINATION_BEFORE = 64;
const SOURCE_BEFORE = 44;
const SERVICE_TYPE_BEFORE = 24;
const VALIDITY_BEFORE = 16;

export class SubmitEncoder {
  readonly #view = new SmView();
  readonly #udh = new Uint8Array(256 + CONCAT_UDH16_LENGTH);

  /**
   * Encodes part `part` (0-based) of the ACCEPT at `record`, which has BODY_RECORD_OFFSET bytes to
   * spare before it, for a link of this profile. `concatReference` is what all parts of the message
   * go out with. Returns the PDU's length, or a negative sentinel
   * of the codec: such a message cannot be sent at all.
   */
  encode(
    out: Uint8Array,
    at: number,
    sequenceNumber: number,
    memory: RecordMemory,
    record: number,
    part: number,
    concatReference: number,
    wallMs: number,
    profile: LinkProfile,
  ): number {
    const { bytes, view } = memory;
    const sm = this.#view;
    const body = record + acceptBodyOffset(view, record);
    const left = view.getFloat64(record + Accept.EXPIRES_AT, true) - wallMs;
    const validity = record - VALIDITY_BEFORE;
    encodeRelativeTime(validitySeconds(left), bytes, validity);
    sm.bytes = bytes;
    this.#writeAddresses(memory, record, profile);
    sm.serviceTypeStart = sm.serviceTypeEnd = record - SERVICE_TYPE_BEFORE;
    const { serviceType } = profile;
    for (let i = 0; i < serviceType.length; i++) {
      bytes[sm.serviceTypeEnd++] = serviceType[i] as number;
    }
    sm.esmClass = view.getUint8(record + Accept.ESM_CLASS);
    sm.protocolId = view.getUint8(record + Accept.PROTOCOL_ID);
    sm.priorityFlag = view.getUint8(record + Accept.PRIORITY);
    sm.validityPeriodStart = validity;
    sm.validityPeriodEnd = validity + SMPP_TIME_LENGTH;
    sm.registeredDelivery = registeredDelivery(view.getUint8(record + Accept.DLR));
    sm.dataCoding = view.getUint8(record + Accept.DATA_CODING);
    const start = body + acceptPartStart(view, record, part);
    const end = body + acceptPartEnd(view, record, part);
    const isPayload = this.#isPayload(memory, record);
    sm.shortMessageStart = start;
    sm.shortMessageEnd = isPayload ? start : end;
    const udhLength = this.#writeUdh(memory, record, part, concatReference);
    const { submit_sm: submitSm } = COMMAND_ID;
    const length = encodeSm(submitSm, out, at, sequenceNumber, sm, this.#udh, udhLength);
    if (length < 0) return length;
    let p = at + length;
    if (isPayload) p = writeTlvBytes(out, p, TLV_TAG.message_payload, bytes, start, end);
    else p = this.#writeSar(out, p, memory, record, part, concatReference);
    const { tlvs } = profile;
    if (p < 0 || p + tlvs.length > out.length) return NO_ROOM;
    if (tlvs.length > 0) p = copyRange(out, p, tlvs, 0, tlvs.length);
    return p === at + length ? length : extendPdu(out, at, p);
  }

  #writeAddresses({ bytes, view }: RecordMemory, record: number, profile: LinkProfile): void {
    const sm = this.#view;
    const from = record + acceptFromOffset(view, record);
    const fromEnd = from + view.getUint8(record + Accept.FROM_LENGTH);
    const source = profile.sourceRule(view.getUint8(record + Accept.SOURCE_TON_NPI) >>> 4);
    sm.sourceAddrTon = source.ton;
    sm.sourceAddrNpi = source.npi;
    sm.sourceAddrStart = from;
    sm.sourceAddrEnd = fromEnd;
    if (source.rewrites && source.matches(bytes, from, fromEnd)) {
      sm.sourceAddrStart = record - SOURCE_BEFORE;
      sm.sourceAddrEnd = source.write(bytes, from, fromEnd, sm.sourceAddrStart);
    }
    const to = record + acceptToOffset(view, record);
    const toEnd = to + view.getUint8(record + Accept.TO_LENGTH);
    const destination = profile.destinationRule(bytes, to, toEnd);
    sm.destAddrTon = destination.ton;
    sm.destAddrNpi = destination.npi;
    sm.destinationAddrStart = to;
    sm.destinationAddrEnd = toEnd;
    if (destination.rewrites) {
      sm.destinationAddrStart = record - DESTINATION_BEFORE;
      sm.destinationAddrEnd = destination.write(bytes, to, toEnd, sm.destinationAddrStart);
    }
  }

  /** Whether the one part stands for several segments, of which the SMSC makes SMS. */
  #isPayload({ view }: RecordMemory, record: number): boolean {
    const method = view.getUint8(record + Accept.CONCAT_METHOD);
    return method === CONCAT_METHOD.payload && acceptSegments(view, record) > 1;
  }

  /** The sar_* TLVs of this part, if the parts find each other by them; returns their end. */
  #writeSar(
    out: Uint8Array,
    at: number,
    { view }: RecordMemory,
    record: number,
    part: number,
    reference: number,
  ): number {
    const parts = view.getUint8(record + Accept.PART_COUNT);
    if (parts === 1 || !isSar(view.getUint8(record + Accept.CONCAT_METHOD))) return at;
    return writeSarTlvs(out, at, reference, parts, part + 1);
  }

  /** The header of this part into `#udh`; returns its length, 0 for none. */
  #writeUdh(memory: RecordMemory, record: number, part: number, reference: number): number {
    const { bytes, view } = memory;
    const parts = view.getUint8(record + Accept.PART_COUNT);
    const method = view.getUint8(record + Accept.CONCAT_METHOD);
    const ownLength = view.getUint8(record + Accept.UDH_LENGTH);
    const udh = this.#udh;
    let length = 0;
    if (parts > 1 && !isSar(method)) {
      const write = referenceBits(method) === 16 ? writeConcatUdh16 : writeConcatUdh8;
      length = write(udh, reference, parts, part + 1);
    }
    if (ownLength === 0) return length;
    const own = record + acceptUdhOffset(view, record);
    const skipped = length === 0 ? 0 : UDH_LENGTH_OCTET;
    for (let i = skipped; i < ownLength; i++) udh[length++] = bytes[own + i] as number;
    udh[0] = length - UDH_LENGTH_OCTET;
    return length;
  }
}

function registeredDelivery(dlr: number): number {
  if (dlr === DlrMode.NONE) return REGISTERED_DELIVERY.none;
  if (dlr === DlrMode.FINAL) return REGISTERED_DELIVERY.success_and_failure;
  return REGISTERED_DELIVERY.success_and_failure | REGISTERED_DELIVERY.intermediate_notification;
}

/** What is left of the validity, in whole seconds, 1 s … 48 h. */
function validitySeconds(leftMs: number): number {
  return Math.max(1, Math.ceil(Math.min(leftMs, VALIDITY_MAX_MS) / 1000));
}
