/**
 * Encodes one part of an accepted message as submit_sm, from its ACCEPT record straight into the
 * output.
 *
 *   short_message     part of the body, behind the UDH: an 8-bit concatenation header if there are
 *                     several parts, the message's own UDH if it is binary, or both merged into one
 *   validity_period   what is left of the validity, relative (R), in whole seconds, 1 s … 48 h:
 *                     immune to the clocks of both sides. Operators cap it about there, and the
 *                     gateway itself ends what lives longer
 *
 * One instance per thread; nothing is allocated.
 */
import {
  COMMAND_ID,
  CONCAT_UDH8_LENGTH,
  encodeRelativeTime,
  encodeSm,
  NPI,
  REGISTERED_DELIVERY,
  SMPP_TIME_LENGTH,
  SmView,
  TON,
  writeConcatUdh8,
} from "../codec/index.ts";
import {
  Accept,
  acceptBodyOffset,
  acceptFromOffset,
  acceptPartEnd,
  acceptPartStart,
  acceptToOffset,
  acceptUdhOffset,
} from "../records/accept.ts";
import type { RecordMemory } from "../records/memory.ts";
import { DlrMode } from "../records/types.ts";
import { BODY_RECORD_OFFSET, VALIDITY_MAX_MS } from "./limits.ts";

/** The length octet of a user data header. */
const UDH_LENGTH_OCTET = 1;

export class SubmitEncoder {
  readonly #view = new SmView();
  readonly #udh = new Uint8Array(256 + CONCAT_UDH8_LENGTH);

  /**
   * Encodes part `part` (0-based) of the ACCEPT at `record`, which has 16 bytes to spare before it.
   * Returns the PDU's length, or a negative sentinel of the codec: such a message cannot be sent at
   * all.
   */
  encode(
    out: Uint8Array,
    at: number,
    sequenceNumber: number,
    memory: RecordMemory,
    record: number,
    part: number,
    wallMs: number,
  ): number {
    const { bytes, view } = memory;
    const sm = this.#view;
    const fromStart = record + acceptFromOffset(view, record);
    const toStart = record + acceptToOffset(view, record);
    const body = record + acceptBodyOffset(view, record);
    const source = view.getUint8(record + Accept.SOURCE_TON_NPI);
    const left = view.getFloat64(record + Accept.EXPIRES_AT, true) - wallMs;
    const validity = record - BODY_RECORD_OFFSET;
    encodeRelativeTime(validitySeconds(left), bytes, validity);
    sm.bytes = bytes;
    sm.sourceAddrTon = source >>> 4;
    sm.sourceAddrNpi = source & 0x0f;
    sm.sourceAddrStart = fromStart;
    sm.sourceAddrEnd = fromStart + view.getUint8(record + Accept.FROM_LENGTH);
    sm.destAddrTon = TON.international;
    sm.destAddrNpi = NPI.isdn;
    sm.destinationAddrStart = toStart;
    sm.destinationAddrEnd = toStart + view.getUint8(record + Accept.TO_LENGTH);
    sm.esmClass = view.getUint8(record + Accept.ESM_CLASS);
    sm.protocolId = view.getUint8(record + Accept.PROTOCOL_ID);
    sm.priorityFlag = view.getUint8(record + Accept.PRIORITY);
    sm.validityPeriodStart = validity;
    sm.validityPeriodEnd = validity + SMPP_TIME_LENGTH;
    sm.registeredDelivery = registeredDelivery(view.getUint8(record + Accept.DLR));
    sm.dataCoding = view.getUint8(record + Accept.DATA_CODING);
    sm.shortMessageStart = body + acceptPartStart(view, record, part);
    sm.shortMessageEnd = body + acceptPartEnd(view, record, part);
    const udhLength = this.#writeUdh(memory, record, part);
    return encodeSm(COMMAND_ID.submit_sm, out, at, sequenceNumber, sm, this.#udh, udhLength);
  }

  /** The header of this part into `#udh`; returns its length, 0 for none. */
  #writeUdh(memory: RecordMemory, record: number, part: number): number {
    const { bytes, view } = memory;
    const parts = view.getUint8(record + Accept.PART_COUNT);
    const ownLength = view.getUint8(record + Accept.UDH_LENGTH);
    const udh = this.#udh;
    let length = 0;
    if (parts > 1) {
      const reference = view.getUint16(record + Accept.CONCAT_REFERENCE, true) & 0xff;
      length = writeConcatUdh8(udh, reference, parts, part + 1);
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
