/**
 * The mandatory fields of all 27 PDUs in wire order, as data (spec 4.1 to 4.12).
 *
 * `codec/pdu/table-codec` reads it in both directions; the specialised functions for the hot PDUs
 * are tested equal to it. Pure data; any thread may read it.
 */
import type { CommandName } from "./command-id.ts";

/**
 * One mandatory field, or one group that is counted by an octet before it.
 *
 *   integer    octets 1 or 4
 *   cstring    up to lengthMax octets with the NUL
 *   time       a C-octet string, empty or of 16 characters
 *   message    sm_length and short_message
 *   dests      number_of_dests and dest_address(es)
 *   failures   no_unsuccess and unsuccess_sme(s)
 */
export type FieldShape =
  | { readonly kind: "integer"; readonly name: string; readonly octets: 1 | 4 }
  | { readonly kind: "cstring"; readonly name: string; readonly lengthMax: number }
  | { readonly kind: "time"; readonly name: string }
  | { readonly kind: "message"; readonly name: "short_message" }
  | { readonly kind: "dests"; readonly name: "dest_address" }
  | { readonly kind: "failures"; readonly name: "unsuccess_sme" };

export interface PduShape {
  readonly fields: readonly FieldShape[];
  /** True if v3.4 defines TLVs for this PDU; a decoder reads them anywhere. */
  readonly tlvs: boolean;
  /** True if a non-zero command_status leaves the body out (spec 4.1.2, 4.4.2). */
  readonly bodyOnlyIfOk: boolean;
}

const octet = (name: string): FieldShape => ({ kind: "integer", name, octets: 1 });
const text = (name: string, lengthMax: number): FieldShape => ({
  kind: "cstring",
  name,
  lengthMax,
});
const time = (name: string): FieldShape => ({ kind: "time", name });

const messageId = text("message_id", 65);
const source = [
  octet("source_addr_ton"),
  octet("source_addr_npi"),
  text("source_addr", 21),
] as const;
const destination = [
  octet("dest_addr_ton"),
  octet("dest_addr_npi"),
  text("destination_addr", 21),
] as const;
const shortMessage: FieldShape = { kind: "message", name: "short_message" };

const bind: PduShape = {
  fields: [
    text("system_id", 16),
    text("password", 9),
    text("system_type", 13),
    octet("interface_version"),
    octet("addr_ton"),
    octet("addr_npi"),
    text("address_range", 41),
  ],
  tlvs: false,
  bodyOnlyIfOk: false,
};
const bindResp: PduShape = { fields: [text("system_id", 16)], tlvs: true, bodyOnlyIfOk: true };
const headerOnly: PduShape = { fields: [], tlvs: false, bodyOnlyIfOk: false };

/** What submit_sm, deliver_sm and submit_multi share after their addresses. */
const message = [
  octet("esm_class"),
  octet("protocol_id"),
  octet("priority_flag"),
  time("schedule_delivery_time"),
  time("validity_period"),
  octet("registered_delivery"),
  octet("replace_if_present_flag"),
  octet("data_coding"),
  octet("sm_default_msg_id"),
  shortMessage,
] as const;
const sm: PduShape = {
  fields: [text("service_type", 6), ...source, ...destination, ...message],
  tlvs: true,
  bodyOnlyIfOk: false,
};

/** Every PDU of v3.4 and its fields. */
export const PDU_SHAPES: Readonly<Record<CommandName, PduShape>> = {
  generic_nack: headerOnly,
  bind_receiver: bind,
  bind_receiver_resp: bindResp,
  bind_transmitter: bind,
  bind_transmitter_resp: bindResp,
  bind_transceiver: bind,
  bind_transceiver_resp: bindResp,
  outbind: {
    fields: [text("system_id", 16), text("password", 9)],
    tlvs: false,
    bodyOnlyIfOk: false,
  },
  unbind: headerOnly,
  unbind_resp: headerOnly,
  enquire_link: headerOnly,
  enquire_link_resp: headerOnly,
  submit_sm: sm,
  submit_sm_resp: { fields: [messageId], tlvs: false, bodyOnlyIfOk: true },
  deliver_sm: sm,
  deliver_sm_resp: { fields: [text("message_id", 1)], tlvs: false, bodyOnlyIfOk: false },
  data_sm: {
    fields: [
      text("service_type", 6),
      octet("source_addr_ton"),
      octet("source_addr_npi"),
      text("source_addr", 65),
      octet("dest_addr_ton"),
      octet("dest_addr_npi"),
      text("destination_addr", 65),
      octet("esm_class"),
      octet("registered_delivery"),
      octet("data_coding"),
    ],
    tlvs: true,
    bodyOnlyIfOk: false,
  },
  data_sm_resp: { fields: [messageId], tlvs: true, bodyOnlyIfOk: false },
  query_sm: { fields: [messageId, ...source], tlvs: false, bodyOnlyIfOk: false },
  query_sm_resp: {
    fields: [messageId, time("final_date"), octet("message_state"), octet("error_code")],
    tlvs: false,
    bodyOnlyIfOk: false,
  },
  cancel_sm: {
    fields: [text("service_type", 6), messageId, ...source, ...destination],
    tlvs: false,
    bodyOnlyIfOk: false,
  },
  cancel_sm_resp: headerOnly,
  replace_sm: {
    fields: [
      messageId,
      ...source,
      time("schedule_delivery_time"),
      time("validity_period"),
      octet("registered_delivery"),
      octet("sm_default_msg_id"),
      shortMessage,
    ],
    tlvs: false,
    bodyOnlyIfOk: false,
  },
  replace_sm_resp: headerOnly,
  submit_multi: {
    fields: [
      text("service_type", 6),
      ...source,
      { kind: "dests", name: "dest_address" },
      ...message,
    ],
    tlvs: true,
    bodyOnlyIfOk: false,
  },
  submit_multi_resp: {
    fields: [messageId, { kind: "failures", name: "unsuccess_sme" }],
    tlvs: false,
    bodyOnlyIfOk: false,
  },
  alert_notification: {
    fields: [
      octet("source_addr_ton"),
      octet("source_addr_npi"),
      text("source_addr", 65),
      octet("esme_addr_ton"),
      octet("esme_addr_npi"),
      text("esme_addr", 65),
    ],
    tlvs: true,
    bodyOnlyIfOk: false,
  },
};
