/**
 * The SMPP v3.4 codec: bytes to fields and back, text to octets and back.
 *
 * Pure functions over Uint8Array: no I/O, no clock, no dependency, nothing thrown on the hot path.
 * Usable on its own as `sms-gateway-proxy/codec` in any ESM runtime.
 */
export * from "./pdu/address.ts";
export * from "./pdu/bind.ts";
export * from "./pdu/command-id.ts";
export * from "./pdu/command-status.ts";
export * from "./pdu/data-sm-decode.ts";
export * from "./pdu/field-values.ts";
export * from "./pdu/frame.ts";
export * from "./pdu/message-id-resp.ts";
export * from "./pdu/pdu.ts";
export * from "./pdu/pdu-shapes.ts";
export * from "./pdu/receipt.ts";
export * from "./pdu/sar-tlvs.ts";
export * from "./pdu/sentinels.ts";
export * from "./pdu/sm-decode.ts";
export * from "./pdu/sm-encode.ts";
export * from "./pdu/sm-view.ts";
export * from "./pdu/table-decode.ts";
export * from "./pdu/table-encode.ts";
export * from "./pdu/tlv.ts";
export * from "./pdu/tlv-tag.ts";
export * from "./text/concat-info.ts";
export * from "./text/concat-references.ts";
export * from "./text/data-coding.ts";
export * from "./text/encoding.ts";
export * from "./text/gsm7.ts";
export * from "./text/gsm7-alphabet.ts";
export * from "./text/gsm7-packed.ts";
export * from "./text/latin1.ts";
export * from "./text/national.ts";
export * from "./text/reassembler.ts";
export * from "./text/reference-tables.ts";
export * from "./text/segment.ts";
export * from "./text/smpp-time.ts";
export * from "./text/text-plan.ts";
export * from "./text/transliterate.ts";
export * from "./text/ucs2.ts";
export * from "./text/udh.ts";
