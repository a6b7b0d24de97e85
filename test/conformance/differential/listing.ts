/**
 * A PDU as a flat list of lines, the common ground of all decoders: `name=value`, strings and
 * octets in hex, integers in decimal, groups and TLVs in wire order.
 */
import {
  commandNameOf,
  type DestAddress,
  type Pdu,
  PDU_SHAPES,
  type UnsuccessSme,
} from "../../../src/codec/index.ts";

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

function listDest(dest: DestAddress): string[] {
  if (dest.destFlag === 2) return ["dest_flag=2", `dl_name=${hex(dest.dlName)}`];
  return [
    "dest_flag=1",
    `dest_addr_ton=${dest.destAddrTon}`,
    `dest_addr_npi=${dest.destAddrNpi}`,
    `destination_addr=${hex(dest.destinationAddr)}`,
  ];
}

function listFailure(failure: UnsuccessSme): string[] {
  return [
    `dest_addr_ton=${failure.destAddrTon}`,
    `dest_addr_npi=${failure.destAddrNpi}`,
    `destination_addr=${hex(failure.destinationAddr)}`,
    `error_status_code=${failure.errorStatusCode}`,
  ];
}

/** Our decoding of a PDU as lines; TLVs are `tlv TAG=hex`. */
export function listPdu(pdu: Pdu): string[] {
  const lines = [
    `command_id=${pdu.commandId}`,
    `command_status=${pdu.commandStatus}`,
    `sequence_number=${pdu.sequenceNumber}`,
  ];
  for (const field of PDU_SHAPES[commandNameOf(pdu.commandId)!].fields) {
    const value = pdu.fields[field.name];
    if (value === undefined) continue;
    if (field.kind === "message") lines.push(`sm_length=${(value as Uint8Array).length}`);
    if (field.kind === "dests") {
      lines.push(`number_of_dests=${(value as DestAddress[]).length}`);
      for (const dest of value as DestAddress[]) lines.push(...listDest(dest));
    } else if (field.kind === "failures") {
      lines.push(`no_unsuccess=${(value as UnsuccessSme[]).length}`);
      for (const failure of value as UnsuccessSme[]) lines.push(...listFailure(failure));
    } else {
      lines.push(
        `${field.name}=${value instanceof Uint8Array ? hex(value) : String(value as number)}`,
      );
    }
  }
  for (const tlv of pdu.tlvs) lines.push(`tlv ${tlv.tag}=${hex(tlv.value)}`);
  return lines;
}
