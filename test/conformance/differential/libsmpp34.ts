/**
 * libsmpp34 (Debian) as an independent decoder, through a C program that lists what it unpacks.
 *
 * L1 to L7 are the entries of DISAGREEMENTS.md.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMAND_ID, type Pdu } from "../../../src/codec/index.ts";
import { listPdu } from "./listing.ts";

function repositoryRoot(): string {
  let at = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(at, "package.json"))) at = dirname(at);
  return at;
}

/** Compiles the lister; null if gcc or the library is missing. */
export function buildLister(): string | null {
  const source = join(repositoryRoot(), "test/conformance/differential/native/libsmpp34-list.c");
  const binary = join(mkdtempSync(join(tmpdir(), "smpp-lister-")), "lister");
  try {
    const flags = ["-O1", "-w", "-I/usr/include/libsmpp34", "-o", binary, source, "-lsmpp34"];
    execFileSync("gcc", flags, { stdio: "pipe" });
    return binary;
  } catch {
    return null;
  }
}

/** One list of lines a PDU, or null where the library refused it. */
export function decodeWithLibsmpp34(
  binary: string,
  pdus: readonly Uint8Array[],
): (string[] | null)[] {
  const output = execFileSync(binary, {
    input: Buffer.concat(pdus),
    encoding: "latin1",
    maxBuffer: 1e9,
  });
  return output
    .split("\n")
    .slice(0, -1)
    .map((line) => (line.startsWith("error") ? null : normalise(line.split("\t"))));
}

const TLV_WIDTHS: Readonly<Record<string, number>> = { val08: 2, val16: 4, val32: 8 };

/** TLVs arrive as tag, length and value tokens, last one first (L1). */
function normalise(tokens: readonly string[]): string[] {
  const lines: string[] = [];
  const tlvs: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token === "" || token.startsWith("command_length=")) continue;
    if (!token.startsWith("tag=")) {
      lines.push(token);
      continue;
    }
    const value = tokens[i + 2] ?? "";
    const [kind, digits] = value.startsWith("value.") ? value.slice(6).split("=") : ["", ""];
    const width = TLV_WIDTHS[kind!];
    const octets = width === undefined ? digits! : Number(digits).toString(16).padStart(width, "0");
    tlvs.unshift(`tlv ${token.slice(4)}=${octets}`);
    i += value.startsWith("value.") ? 2 : 1;
  }
  return [...lines, ...tlvs];
}

/** The library's reason to refuse a PDU that is sound, or null if it has none. */
export function refusalOf(pdu: Pdu): string | null {
  const { commandId, fields } = pdu;
  const isBare = Object.keys(fields).length === 0;
  if (isBare && isBindResp(commandId)) return "L3";
  const isVersionChecked =
    commandId === COMMAND_ID.bind_transmitter || commandId === COMMAND_ID.bind_transceiver;
  if (isVersionChecked && fields["interface_version"] !== 0x34) return "L4";
  if (commandId === COMMAND_ID.data_sm) {
    if ((fields["source_addr"] as Uint8Array).length > 20) return "L5";
  }
  if (commandId === COMMAND_ID.data_sm_resp && pdu.tlvs.length > 0) return "L6";
  return null;
}

function isBindResp(commandId: number): boolean {
  return (
    commandId === COMMAND_ID.bind_receiver_resp ||
    commandId === COMMAND_ID.bind_transmitter_resp ||
    commandId === COMMAND_ID.bind_transceiver_resp
  );
}

/** Our decoding as the library would list it. */
export function expectLines(pdu: Pdu): string[] {
  const turned: Pdu = { ...pdu, fields: { ...pdu.fields } };
  for (const name of ["dest_address", "unsuccess_sme"]) {
    const list = turned.fields[name];
    if (Array.isArray(list)) turned.fields[name] = list.toReversed() as never; // L2
  }
  const lines = listPdu(turned);
  const isBare = Object.keys(pdu.fields).length === 0;
  if (isBare && pdu.commandId === COMMAND_ID.submit_sm_resp) lines.push("message_id="); // L7
  return lines;
}
