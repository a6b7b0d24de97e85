/**
 * npm `smpp` as an independent decoder. Its filters, which turn octets into texts and dates, are
 * switched off, so that octets are compared.
 *
 * N1 to N5 are the entries of DISAGREEMENTS.md.
 */
import { createRequire } from "node:module";
import {
  type DestAddress,
  type FieldValue,
  type Pdu,
  TLV_SHAPES,
  tlvNameOf,
  type UnsuccessSme,
} from "../../../src/codec/index.ts";

type NpmPdu = Record<string, unknown>;

const smpp = createRequire(import.meta.url)("smpp") as {
  PDU: { new (bytes: Buffer): NpmPdu; prototype: { _filter: () => void } };
};

export function decodeWithNpm(octets: Uint8Array): NpmPdu {
  const filter = smpp.PDU.prototype._filter;
  smpp.PDU.prototype._filter = () => {};
  try {
    return new smpp.PDU(Buffer.from(octets));
  } finally {
    smpp.PDU.prototype._filter = filter;
  }
}

const latin1 = (octets: Uint8Array): string => Buffer.from(octets).toString("latin1");

/** Values in one notation: strings and octets as Latin-1, integers as decimals, groups as JSON. */
function notationOf(value: unknown): string {
  if (value instanceof Uint8Array) return latin1(value);
  if (typeof value === "string" || typeof value === "number") return String(value);
  return JSON.stringify(value);
}

function ours(name: string, value: FieldValue): string {
  if (name === "dest_address") {
    return JSON.stringify(
      (value as DestAddress[]).map((dest) =>
        dest.destFlag === 2 ? { dl_name: latin1(dest.dlName) } : addressOf(dest),
      ),
    );
  }
  if (name === "unsuccess_sme") {
    return JSON.stringify(
      (value as UnsuccessSme[]).map((failure) => ({
        ...addressOf(failure),
        error_status_code: failure.errorStatusCode,
      })),
    );
  }
  return notationOf(value);
}

function addressOf(address: {
  destAddrTon: number;
  destAddrNpi: number;
  destinationAddr: Uint8Array;
}): object {
  return {
    dest_addr_ton: address.destAddrTon,
    dest_addr_npi: address.destAddrNpi,
    destination_addr: latin1(address.destinationAddr),
  };
}

function compareTlvs(pdu: Pdu, npm: NpmPdu): string[] {
  const differences: string[] = [];
  const last = new Map(pdu.tlvs.map((tlv) => [tlv.tag, tlv.value])); // N1
  for (const [tag, value] of last) {
    const name = tlvNameOf(tag);
    if (name !== undefined && MISREAD.has(name)) continue; // N3, N4
    const key = name === undefined ? String(tag) : (NPM_NAMES[name] ?? name);
    let theirs = npm[key];
    if (Array.isArray(theirs)) theirs = theirs.at(-1);
    let expected = latin1(value);
    if (name !== undefined && TLV_SHAPES[name].kind === "integer" && !AS_OCTETS.has(name)) {
      expected = String(value.reduce((sum, octet) => sum * 256 + octet, 0));
    } else if (name !== undefined && TLV_SHAPES[name].kind === "cstring") {
      expected = latin1(value.subarray(0, -1));
    }
    if (notationOf(theirs) !== expected) {
      differences.push(`tlv ${key}: ours ${expected} theirs ${notationOf(theirs)}`);
    }
  }
  return differences;
}

/** N2: its own name for one tag. */
const NPM_NAMES: Readonly<Record<string, string>> = { destination_port: "dest_port" };
/** TLVs of which it reads more octets than there are. */
const MISREAD: ReadonlySet<string> = new Set(["alert_on_message_delivery", "source_telematics_id"]);
/** N5: integers that it leaves as octets. */
const AS_OCTETS: ReadonlySet<string> = new Set(["ms_validity", "its_session_info"]);

/** The differences between our decoding and npm `smpp`'s, one line each. */
export function compareWithNpm(pdu: Pdu, octets: Uint8Array): string[] {
  const isMisread = MISREAD.has(tlvNameOf(pdu.tlvs.at(-1)?.tag ?? -1) ?? "");
  let npm: NpmPdu;
  try {
    npm = decodeWithNpm(octets);
  } catch (cause) {
    return isMisread ? [] : [`thrown: ${String(cause)}`]; // N3, N4
  }
  const differences: string[] = [];
  const check = (name: string, expected: string): void => {
    const theirs = notationOf(npm[name]);
    if (theirs !== expected) differences.push(`${name}: ours ${expected} theirs ${theirs}`);
  };
  check("command_id", String(pdu.commandId));
  check("command_status", String(pdu.commandStatus));
  check("sequence_number", String(pdu.sequenceNumber));
  for (const [name, value] of Object.entries(pdu.fields)) check(name, ours(name, value));
  return [...differences, ...compareTlvs(pdu, npm)];
}
