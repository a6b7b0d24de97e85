/**
 * tshark as an independent decoder: PDUs go in as a capture, fields come out as columns.
 *
 * `expectColumns` says, from our decoding, what each column must hold. Columns repeat within a PDU
 * (addresses of submit_multi, TLVs), so they hold lists. Columns with no expectation must be empty.
 * T1 to T8 are the entries of DISAGREEMENTS.md.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  COMMAND_ID,
  type DestAddress,
  type FieldValue,
  parseSmppTime,
  type Pdu,
  type Tlv,
  TLV_SHAPES,
  TLV_TAG,
  tlvNameOf,
  type UnsuccessSme,
} from "../../../src/codec/index.ts";
import { createPcap } from "./pcap.ts";

/** tshark reads years 38 to 99 as 19xx; the century nearest to this moment is the same rule. */
const TSHARK_CENTURY_MS = Date.UTC(1988, 0, 1);
const DAY_S = 86_400;

const HEADER = ["command_id", "command_status", "sequence_number"];
const STRINGS = [
  "system_id",
  "password",
  "system_type",
  "address_range",
  "service_type",
  "source_addr",
  "destination_addr",
  "message_id",
  "dl_name",
  "esme_addr",
];
const INTEGERS = [
  "interface_version",
  "addr_ton",
  "addr_npi",
  "source_addr_ton",
  "source_addr_npi",
  "dest_addr_ton",
  "dest_addr_npi",
  "esme_addr_ton",
  "esme_addr_npi",
  "protocol_id",
  "priority_flag",
  "replace_if_present_flag",
  "data_coding",
  "sm_default_msg_id",
  "sm_length",
  "error_code",
  "error_status_code",
];
const PARTS = [
  "esm.submit.msg_mode",
  "esm.submit.msg_type",
  "esm.submit.features",
  "regdel.receipt",
  "regdel.acks",
  "regdel.notif",
];
const TIMES = ["schedule_delivery_time", "validity_period", "final_date"];

/** TLVs that tshark shows in parts, or as a tree without a value of its own. */
const TLV_PARTS: Readonly<Record<string, (value: Uint8Array) => Record<string, number>>> = {
  network_error_code: (v) => ({
    "network_error.type": v[0]!,
    "network_error.code": (v[1]! << 8) | v[2]!,
  }),
  its_session_info: (v) => ({
    "its_session.number": v[0]!,
    "its_session.sequence": v[1]! >> 1,
    "its_session.ind": v[1]! & 1,
  }),
  ms_msg_wait_facilities: (v) => ({ "msg_wait.ind": v[0]! >> 7, "msg_wait.type": v[0]! & 3 }),
  callback_num_pres_ind: (v) => ({
    "callback_num.pres": (v[0]! >> 2) & 3,
    "callback_num.scrn": v[0]! & 3,
  }),
  sc_interface_version: (v) => ({ SC_interface_version: v[0]! }),
  alert_on_message_delivery: () => ({}),
  callback_num: () => ({}),
  callback_num_atag: () => ({}),
};

const tlvNames = Object.keys(TLV_TAG).filter((name) => !(name in TLV_PARTS));
const tlvPartNames = Object.values(TLV_PARTS).flatMap((parts) =>
  Object.keys(parts(new Uint8Array(4))),
);

const COLUMNS: readonly string[] = [
  ...new Set([
    ...HEADER,
    ...STRINGS,
    ...INTEGERS,
    ...PARTS,
    ...TIMES,
    ...TIMES.map((name) => `${name}_r`),
    "message",
    ...tlvNames,
    ...tlvPartNames,
    "vendor_op",
    "reserved_op",
    "opt_param_tag",
    "opt_param_len",
  ]),
];

export type Columns = Map<string, string[]>;

/** True if tshark can be run. */
export function hasTshark(): boolean {
  try {
    execFileSync("tshark", ["--version"], { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** What tshark makes of each PDU: one map of columns a PDU, empty columns left out. */
export function decodeWithTshark(pdus: readonly Uint8Array[]): Columns[] {
  const scratch = mkdtempSync(join(tmpdir(), "smpp-differential-"));
  try {
    const file = join(scratch, "pdus.pcap");
    writeFileSync(file, createPcap(pdus));
    const fields = COLUMNS.flatMap((name) => ["-e", `smpp.${name}`]);
    const output = execFileSync(
      "tshark",
      ["-r", file, "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", ...fields].concat([
        "-E",
        "separator=/t",
        "-E",
        "aggregator=|",
        "-E",
        "occurrence=a",
      ]),
      {
        encoding: "latin1",
        maxBuffer: 1e9,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
      },
    );
    return output.split("\n").slice(0, -1).map(parseLine);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const INTEGER_TEXT = /^(0x[0-9a-f]+|\d+)$/;
const octetColumns = new Set([
  "message",
  "message_payload",
  "source_subaddress",
  "dest_subaddress",
  "vendor_op",
  "reserved_op",
  "additional_status_info_text",
  "receipted_message_id",
  ...STRINGS,
]);

function parseLine(line: string): Columns {
  const columns: Columns = new Map();
  line.split("\t").forEach((cell, i) => {
    if (cell === "") return;
    const name = COLUMNS[i]!;
    const isInteger = !octetColumns.has(name);
    const values = cell.split("|");
    columns.set(
      name,
      isInteger ? values.map((v) => (INTEGER_TEXT.test(v) ? String(Number(v)) : v)) : values,
    );
  });
  return columns;
}

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

class Expectation {
  readonly columns: Columns = new Map();

  add(name: string, value: string | number): void {
    const list = this.columns.get(name);
    if (list === undefined) this.columns.set(name, [String(value)]);
    else list.push(String(value));
  }
}

/** An empty time counts as zero seconds, except in query_sm_resp (T4). */
function expectEmptyTime(expected: Expectation, name: string, commandId: number): void {
  if (name === "final_date") return;
  const isMulti = commandId === COMMAND_ID.submit_multi;
  // T8: in submit_multi an empty validity_period is shown under the other time's name.
  const shown = isMulti && name === "validity_period" ? "schedule_delivery_time" : name;
  expected.add(`${shown}_r`, "0.000000000");
}

/**
 * tshark prints absolute times as text and relative ones as seconds, of which it knows days and
 * less.
 */
function expectTime(expected: Expectation, name: string, octets: Uint8Array): void {
  const isRelative = octets[15] === 0x52;
  if (!isRelative) {
    const moment = parseSmppTime(octets, 0, octets.length, TSHARK_CENTURY_MS);
    expected.add(name, formatTsharkTime(moment));
    return;
  }
  const two = (at: number): number => Number(latin1(octets.subarray(at, at + 2)));
  // T3: years and months are left out.
  const seconds = two(4) * DAY_S + two(6) * 3600 + two(8) * 60 + two(10);
  expected.add(`${name}_r`, `${seconds}.000000000`);
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function formatTsharkTime(epochMs: number): string {
  const date = new Date(epochMs);
  const day = String(date.getUTCDate()).padStart(2, " ");
  const clock = date.toISOString().slice(11, 23);
  return `${MONTHS[date.getUTCMonth()]} ${day}, ${date.getUTCFullYear()} ${clock}000000 UTC`;
}

function expectField(
  expected: Expectation,
  commandId: number,
  name: string,
  value: FieldValue,
): void {
  if (name === "esm_class") {
    const esmClass = value as number;
    expected.add("esm.submit.msg_mode", esmClass & 3);
    expected.add("esm.submit.msg_type", (esmClass >> 2) & 15);
    expected.add("esm.submit.features", esmClass >> 6);
  } else if (name === "registered_delivery") {
    const delivery = value as number;
    expected.add("regdel.receipt", delivery & 3);
    expected.add("regdel.acks", (delivery >> 2) & 3);
    expected.add("regdel.notif", (delivery >> 4) & 1);
  } else if (name === "dest_address") {
    for (const dest of value as DestAddress[]) {
      if (dest.destFlag === 2) expected.add("dl_name", latin1(dest.dlName));
      else expectAddress(expected, dest);
    }
  } else if (name === "unsuccess_sme") {
    for (const failure of value as UnsuccessSme[]) {
      expectAddress(expected, failure);
      expected.add("error_status_code", failure.errorStatusCode);
    }
  } else if (name === "short_message") {
    const message = value as Uint8Array;
    expected.add("sm_length", message.length);
    if (message.length > 0) expected.add("message", hex(message));
  } else if (name === "replace_if_present_flag") {
    expected.add(name, (value as number) & 1); // T5
  } else if (name === "service_type" && (value as Uint8Array).length === 0) {
    expected.add(name, "(Default)"); // T2
  } else if (TIMES.includes(name)) {
    const octets = value as Uint8Array;
    if (octets.length === 0) expectEmptyTime(expected, name, commandId);
    else expectTime(expected, name, octets);
  } else {
    expected.add(name, value instanceof Uint8Array ? latin1(value) : String(value as number));
  }
}

function expectAddress(
  expected: Expectation,
  address: { destAddrTon: number; destAddrNpi: number; destinationAddr: Uint8Array },
): void {
  expected.add("dest_addr_ton", address.destAddrTon);
  expected.add("dest_addr_npi", address.destAddrNpi);
  expected.add("destination_addr", latin1(address.destinationAddr));
}

function expectTlv(expected: Expectation, tlv: Tlv): void {
  expected.add("opt_param_tag", tlv.tag);
  expected.add("opt_param_len", tlv.value.length);
  const name = tlvNameOf(tlv.tag);
  if (name === undefined) {
    const column = tlv.tag >= 0x1400 && tlv.tag < 0x4000 ? "vendor_op" : "reserved_op";
    expected.add(column, tlv.value.length === 0 ? "<none>" : hex(tlv.value)); // T6
    return;
  }
  const parts = TLV_PARTS[name];
  const { kind } = TLV_SHAPES[name];
  if (parts !== undefined) {
    for (const [part, value] of Object.entries(parts(tlv.value))) expected.add(part, value);
  } else if (kind === "integer") {
    expected.add(
      name,
      tlv.value.reduce((sum, octet) => sum * 256 + octet, 0),
    );
  } else if (kind === "cstring") {
    expected.add(name, latin1(tlv.value.subarray(0, -1)));
  } else if (tlv.value.length > 0) {
    expected.add(name, hex(tlv.value));
  }
}

/** What tshark's columns must hold for a PDU as we decoded it. */
export function expectColumns(pdu: Pdu): Columns {
  const expected = new Expectation();
  expected.add("command_id", pdu.commandId);
  // A status means nothing in a request, and tshark does not show it there.
  if (pdu.commandId >= COMMAND_ID.generic_nack) expected.add("command_status", pdu.commandStatus);
  expected.add("sequence_number", pdu.sequenceNumber);
  if (pdu.commandStatus !== 0) return expected.columns; // T1
  for (const [name, value] of Object.entries(pdu.fields)) {
    expectField(expected, pdu.commandId, name, value);
  }
  for (const tlv of pdu.tlvs) expectTlv(expected, tlv);
  return expected.columns;
}

/** The differences, one line each. Empty values are left out on both sides (T7). */
export function compareColumns(expected: Columns, seen: Columns): string[] {
  const differences: string[] = [];
  for (const name of new Set([...expected.keys(), ...seen.keys()])) {
    const ours = (expected.get(name) ?? []).filter((value) => value !== "").join("|");
    const theirs = (seen.get(name) ?? []).filter((value) => value !== "").join("|");
    if (ours !== theirs) differences.push(`${name}: ours ${ours} theirs ${theirs}`);
  }
  return differences;
}
