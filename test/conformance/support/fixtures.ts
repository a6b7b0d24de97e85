/**
 * Reads the Markdown fixtures: sections with a block of hex and a block of expected fields.
 *
 *   ## title  → prose → ```hex [decode-only] → ```fields | ```defect
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  COMMAND_ID,
  type CommandName,
  type DestAddress,
  type FieldValue,
  PDU_FLAG_LENGTH_255,
  PDU_FLAG_LONG_STRING,
  PDU_FLAG_UNTERMINATED,
  type Pdu,
  type Tlv,
  TLV_SHAPES,
  TLV_TAG,
  type TlvName,
  type UnsuccessSme,
} from "../../../src/codec/index.ts";

export interface Fixture {
  readonly title: string;
  readonly octets: Uint8Array;
  readonly decodeOnly: boolean;
  /** The expected PDU, or null for a defect. */
  readonly pdu: Pdu | null;
  /** The name of the expected DEFECT_… sentinel. */
  readonly defect: string | null;
}

const FLAGS: Readonly<Record<string, number>> = {
  long: PDU_FLAG_LONG_STRING,
  "255": PDU_FLAG_LENGTH_255,
  unterminated: PDU_FLAG_UNTERMINATED,
};

/** A file of test/conformance/fixtures, found from the source as well as from its compiled copy. */
export function readFixtureFile(name: string): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, "package.json"))) at = dirname(at);
  return readFileSync(join(at, "test/conformance/fixtures", name), "utf8");
}

/** Each section of a Markdown file: its title, and its fenced blocks by language. */
export function parseBlocks(markdown: string): { title: string; blocks: Map<string, string> }[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => ({
      title: section.slice(0, section.indexOf("\n")).trim(),
      blocks: new Map(
        [...section.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map((match) => [match[1]!, match[2]!]),
      ),
    }));
}

/** All fixtures of a Markdown file; throws where the file itself is malformed. */
export function parseFixtures(markdown: string): Fixture[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => parseSection(section));
}

function parseSection(section: string): Fixture {
  const title = section.slice(0, section.indexOf("\n")).trim();
  const hex = /```hex([^\n]*)\n([^`]*)```/.exec(section);
  const fields = /```fields\n([^`]*)```/.exec(section);
  const defect = /```defect\n([^`]*)```/.exec(section);
  if (hex === null || (fields === null && defect === null)) throw new Error(`fixture "${title}"`);
  return {
    title,
    octets: new Uint8Array(Buffer.from(hex[2]!.replaceAll(/\s/g, ""), "hex")),
    decodeOnly: hex[1]!.trim() === "decode-only",
    pdu: fields === null ? null : parsePdu(fields[1]!),
    defect: defect === null ? null : defect[1]!.trim(),
  };
}

/** "text" or <octets> as octets, digits as a number. */
function parseValue(text: string): number | Uint8Array {
  if (text.startsWith('"')) {
    return new Uint8Array(Buffer.from(text.slice(1, -1).replaceAll("\\0", "\0"), "latin1"));
  }
  if (text.startsWith("<")) return new Uint8Array(Buffer.from(text.slice(1, -1), "hex"));
  return Number(text);
}

function parseDest(parts: readonly (number | Uint8Array)[]): DestAddress {
  const [a, b, c] = parts;
  if (a instanceof Uint8Array) return { destFlag: 2, dlName: a };
  return {
    destFlag: 1,
    destAddrTon: a as number,
    destAddrNpi: b as number,
    destinationAddr: c as Uint8Array,
  };
}

function parseFailure(parts: readonly (number | Uint8Array)[]): UnsuccessSme {
  return {
    destAddrTon: parts[0] as number,
    destAddrNpi: parts[1] as number,
    destinationAddr: parts[2] as Uint8Array,
    errorStatusCode: parts[3] as number,
  };
}

function parseTlv(name: string, text: string): Tlv {
  const value = parseValue(text);
  const tag = name.startsWith("0x") ? Number(name) : TLV_TAG[name as TlvName];
  if (value instanceof Uint8Array) return { tag, value };
  const octets = new Uint8Array(TLV_SHAPES[name as TlvName].lengthMax);
  octets.forEach((_, i) => {
    octets[i] = value >>> ((octets.length - 1 - i) * 8);
  });
  return { tag, value: octets };
}

function parsePdu(block: string): Pdu {
  const pdu: Pdu = {
    commandId: 0,
    commandStatus: 0,
    sequenceNumber: 0,
    fields: {},
    tlvs: [],
    flags: 0,
  };
  for (const line of block.trim().split("\n")) {
    const colon = line.indexOf(":");
    const key = line.slice(0, colon).trim();
    const text = line.slice(colon + 1).trim();
    if (key === "command_id") pdu.commandId = COMMAND_ID[text as CommandName];
    else if (key === "command_status") pdu.commandStatus = Number(text);
    else if (key === "sequence_number") pdu.sequenceNumber = Number(text);
    else if (key === "flags") pdu.flags = FLAGS[text]!;
    else if (key.startsWith("tlv ")) pdu.tlvs.push(parseTlv(key.slice(4), text));
    else if (key.endsWith("[]")) addToList(pdu.fields, key.slice(0, -2), text);
    else pdu.fields[key] = parseValue(text);
  }
  return pdu;
}

function addToList(fields: Record<string, FieldValue>, name: string, text: string): void {
  const parts = (text.match(/"[^"]*"|\S+/g) ?? []).map(parseValue);
  const list = (fields[name] ?? []) as (DestAddress | UnsuccessSme)[];
  if (parts.length > 0) {
    list.push(name === "dest_address" ? parseDest(parts) : parseFailure(parts));
  }
  fields[name] = list as FieldValue;
}
