/** Builds ACCEPT records for tests. */
import { Accept, ACCEPT_TYPE, acceptLength } from "../../../src/records/accept.ts";

export interface AcceptFields {
  sequence: number;
  origin: number;
  acceptedAt: number;
  expiresAt: number;
  poolId: number;
  priority: number;
  dlr: number;
  to: string;
  from: string;
  sourceTonNpi: number;
  /** CONCAT_METHOD of the codec. */
  concatMethod: number;
  segments: number;
  dataCoding: number;
  esmClass: number;
  protocolId: number;
  udh: Uint8Array;
  reference: string;
  campaign: string;
  /** One byte string a part. */
  parts: readonly Uint8Array[];
}

export function acceptRecord(fields: AcceptFields): Uint8Array {
  const latin = (text: string): Uint8Array => Buffer.from(text, "latin1");
  const body = Buffer.concat(fields.parts);
  const texts = [
    latin(fields.to),
    latin(fields.from),
    latin(fields.reference),
    latin(fields.campaign),
    fields.udh,
    body,
  ];
  const textsLength = texts.reduce((sum, text) => sum + text.length, 0);
  const length = acceptLength(fields.parts.length, textsLength, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint8(4, ACCEPT_TYPE);
  view.setUint8(5, 1);
  view.setFloat64(Accept.SEQUENCE, fields.sequence, true);
  view.setUint32(Accept.ORIGIN, fields.origin, true);
  view.setFloat64(Accept.ACCEPTED_AT, fields.acceptedAt, true);
  view.setFloat64(Accept.EXPIRES_AT, fields.expiresAt, true);
  view.setUint32(Accept.POOL_ID, fields.poolId, true);
  view.setUint8(Accept.PRIORITY, fields.priority);
  view.setUint8(Accept.DLR, fields.dlr);
  view.setUint8(Accept.PART_COUNT, fields.parts.length);
  view.setUint8(Accept.SOURCE_TON_NPI, fields.sourceTonNpi);
  view.setUint8(Accept.CONCAT_METHOD, fields.concatMethod);
  view.setUint8(Accept.SEGMENTS, fields.segments);
  view.setUint8(Accept.DATA_CODING, fields.dataCoding);
  view.setUint8(Accept.ESM_CLASS, fields.esmClass);
  view.setUint8(Accept.PROTOCOL_ID, fields.protocolId);
  view.setUint8(Accept.UDH_LENGTH, fields.udh.length);
  view.setUint8(Accept.TO_LENGTH, fields.to.length);
  view.setUint8(Accept.FROM_LENGTH, fields.from.length);
  view.setUint8(Accept.REFERENCE_LENGTH, fields.reference.length);
  view.setUint8(Accept.CAMPAIGN_LENGTH, fields.campaign.length);
  view.setUint16(Accept.BODY_LENGTH, body.length, true);
  let end = 0;
  fields.parts.forEach((part, i) => {
    end += part.length;
    view.setUint16(Accept.PART_ENDS + 2 * i, end, true);
  });
  let at = Accept.PART_ENDS + 2 * fields.parts.length;
  for (const text of texts) {
    bytes.set(text, at);
    at += text.length;
  }
  return bytes;
}
