/**
 * The value lists of SMPP's mandatory fields, spelled as the spec spells them (5.2).
 *
 * Pure data; any thread may read it.
 */

/** addr_ton (spec 5.2.5). */
export const TON = {
  unknown: 0,
  international: 1,
  national: 2,
  network_specific: 3,
  subscriber_number: 4,
  alphanumeric: 5,
  abbreviated: 6,
} as const;

/** addr_npi (spec 5.2.6). */
export const NPI = {
  unknown: 0,
  isdn: 1,
  data: 3,
  telex: 4,
  land_mobile: 6,
  national: 8,
  private: 9,
  ermes: 10,
  internet: 14,
  wap_client_id: 18,
} as const;

/** data_coding (spec 5.2.19). 0xC0-0xDF and 0xF0-0xFF are GSM groups, see text/data-coding. */
export const DATA_CODING = {
  smsc_default: 0x00,
  ia5: 0x01,
  binary_alias: 0x02,
  latin1: 0x03,
  binary: 0x04,
  jis: 0x05,
  cyrillic: 0x06,
  latin_hebrew: 0x07,
  ucs2: 0x08,
  pictogram: 0x09,
  iso2022jp: 0x0a,
  extended_kanji_jis: 0x0d,
  ks_c_5601: 0x0e,
} as const;

/** message_state (spec 5.2.28); 0 and 9 are from SMPP 5.0. */
export const MESSAGE_STATE = {
  SCHEDULED: 0,
  ENROUTE: 1,
  DELIVERED: 2,
  EXPIRED: 3,
  DELETED: 4,
  UNDELIVERABLE: 5,
  ACCEPTED: 6,
  UNKNOWN: 7,
  REJECTED: 8,
  SKIPPED: 9,
} as const;

/** esm_class bits (spec 5.2.12). */
export const ESM_CLASS = {
  mode_mask: 0x03,
  mode_default: 0x00,
  mode_datagram: 0x01,
  mode_forward: 0x02,
  mode_store_and_forward: 0x03,
  type_mask: 0x3c,
  type_default: 0x00,
  type_delivery_receipt: 0x04,
  type_delivery_acknowledgement: 0x08,
  type_user_acknowledgement: 0x10,
  type_conversation_abort: 0x18,
  type_intermediate_notification: 0x20,
  udhi: 0x40,
  reply_path: 0x80,
} as const;

/**
 * registered_delivery bits (spec 5.2.17; intermediate notification is bit 4 in every
 * implementation).
 */
export const REGISTERED_DELIVERY = {
  none: 0x00,
  success_and_failure: 0x01,
  failure: 0x02,
  success: 0x03,
  sme_delivery_acknowledgement: 0x04,
  sme_user_acknowledgement: 0x08,
  intermediate_notification: 0x10,
} as const;

/** interface_version (spec 5.2.4). */
export const INTERFACE_VERSION = { v33: 0x33, v34: 0x34, v50: 0x50 } as const;

/** service_type values the spec reserves (5.2.11); "" is the default. */
export const SERVICE_TYPES = ["", "CMT", "CPT", "VMN", "VMA", "WAP", "USSD"] as const;

/** dest_flag of submit_multi (spec 5.2.25). */
export const DEST_FLAG = { sme_address: 1, distribution_list: 2 } as const;

/** True if the deliver_sm or data_sm with this esm_class carries an SMSC delivery receipt. */
export function isReceipt(esmClass: number): boolean {
  return (esmClass & ESM_CLASS.type_mask) === ESM_CLASS.type_delivery_receipt;
}

/** True if it carries an intermediate notification: a receipt's shape, never a final state. */
export function isIntermediateNotification(esmClass: number): boolean {
  return (esmClass & ESM_CLASS.type_mask) === ESM_CLASS.type_intermediate_notification;
}

/**
 * True for the states after which no other state may follow (UNKNOWN means that the SMSC gave up).
 */
export function isFinalState(messageState: number): boolean {
  return (
    messageState !== MESSAGE_STATE.SCHEDULED &&
    messageState !== MESSAGE_STATE.ENROUTE &&
    messageState !== MESSAGE_STATE.ACCEPTED
  );
}
