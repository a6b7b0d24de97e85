/**
 * The optional parameters (TLVs) of SMPP v3.4, their tags as the spec spells them and their sizes.
 *
 * Pure data; any thread may read it.
 */

/** TLV tags (spec 5.3.2). */
export const TLV_TAG = {
  dest_addr_subunit: 0x0005,
  dest_network_type: 0x0006,
  dest_bearer_type: 0x0007,
  dest_telematics_id: 0x0008,
  source_addr_subunit: 0x000d,
  source_network_type: 0x000e,
  source_bearer_type: 0x000f,
  source_telematics_id: 0x0010,
  qos_time_to_live: 0x0017,
  payload_type: 0x0019,
  additional_status_info_text: 0x001d,
  receipted_message_id: 0x001e,
  ms_msg_wait_facilities: 0x0030,
  privacy_indicator: 0x0201,
  source_subaddress: 0x0202,
  dest_subaddress: 0x0203,
  user_message_reference: 0x0204,
  user_response_code: 0x0205,
  source_port: 0x020a,
  destination_port: 0x020b,
  sar_msg_ref_num: 0x020c,
  language_indicator: 0x020d,
  sar_total_segments: 0x020e,
  sar_segment_seqnum: 0x020f,
  sc_interface_version: 0x0210,
  callback_num_pres_ind: 0x0302,
  callback_num_atag: 0x0303,
  number_of_messages: 0x0304,
  callback_num: 0x0381,
  dpf_result: 0x0420,
  set_dpf: 0x0421,
  ms_availability_status: 0x0422,
  network_error_code: 0x0423,
  message_payload: 0x0424,
  delivery_failure_reason: 0x0425,
  more_messages_to_send: 0x0426,
  message_state: 0x0427,
  ussd_service_op: 0x0501,
  display_time: 0x1201,
  sms_signal: 0x1203,
  ms_validity: 0x1204,
  alert_on_message_delivery: 0x130c,
  its_reply_type: 0x1380,
  its_session_info: 0x1383,
} as const;

export type TlvName = keyof typeof TLV_TAG;

/**
 * How a TLV's value reads: an unsigned integer, a C-octet string, or octets with a meaning of their
 * own.
 */
export type TlvKind = "integer" | "cstring" | "octets";

export interface TlvShape {
  readonly kind: TlvKind;
  /** Smallest and largest legal length of the value, in octets. */
  readonly lengthMin: number;
  readonly lengthMax: number;
}

const one: TlvShape = { kind: "integer", lengthMin: 1, lengthMax: 1 };
const two: TlvShape = { kind: "integer", lengthMin: 2, lengthMax: 2 };
const subaddress: TlvShape = { kind: "octets", lengthMin: 2, lengthMax: 23 };

/** Kind and length of every TLV of v3.4 (spec 5.3.2). */
export const TLV_SHAPES: Readonly<Record<TlvName, TlvShape>> = {
  dest_addr_subunit: one,
  dest_network_type: one,
  dest_bearer_type: one,
  dest_telematics_id: two,
  source_addr_subunit: one,
  source_network_type: one,
  source_bearer_type: one,
  source_telematics_id: one,
  qos_time_to_live: { kind: "integer", lengthMin: 4, lengthMax: 4 },
  payload_type: one,
  additional_status_info_text: { kind: "cstring", lengthMin: 1, lengthMax: 256 },
  receipted_message_id: { kind: "cstring", lengthMin: 1, lengthMax: 65 },
  ms_msg_wait_facilities: one,
  privacy_indicator: one,
  source_subaddress: subaddress,
  dest_subaddress: subaddress,
  user_message_reference: two,
  user_response_code: one,
  source_port: two,
  destination_port: two,
  sar_msg_ref_num: two,
  language_indicator: one,
  sar_total_segments: one,
  sar_segment_seqnum: one,
  sc_interface_version: one,
  callback_num_pres_ind: one,
  callback_num_atag: { kind: "octets", lengthMin: 1, lengthMax: 65 },
  number_of_messages: one,
  callback_num: { kind: "octets", lengthMin: 4, lengthMax: 19 },
  dpf_result: one,
  set_dpf: one,
  ms_availability_status: one,
  network_error_code: { kind: "octets", lengthMin: 3, lengthMax: 3 },
  message_payload: { kind: "octets", lengthMin: 0, lengthMax: 65535 },
  delivery_failure_reason: one,
  more_messages_to_send: one,
  message_state: one,
  ussd_service_op: one,
  display_time: one,
  sms_signal: two,
  ms_validity: one,
  alert_on_message_delivery: { kind: "octets", lengthMin: 0, lengthMax: 0 },
  its_reply_type: one,
  its_session_info: two,
};

const names = new Map<number, TlvName>(
  (Object.keys(TLV_TAG) as TlvName[]).map((name) => [TLV_TAG[name], name]),
);

/** The spec's name of a tag, or undefined for a vendor's, a later version's or a reserved one. */
export function tlvNameOf(tag: number): TlvName | undefined {
  return names.get(tag);
}
