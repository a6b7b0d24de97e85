/**
 * The PROXY protocol (haproxy's proxy-protocol.txt), versions 1 and 2: what a balancer writes in
 * front of a connection to say whose it is.
 *
 *   v1   "PROXY TCP4|TCP6 client server port port\r\n" or "PROXY UNKNOWN …\r\n", 107 octets at most
 *   v2   signature (12) | version and command | family and transport | length (2)
 *        | client | server | ports | TLVs
 *
 * Addresses are octets, 4 or 16; an IPv4 address in IPv6 form becomes 4. Pure; any thread.
 */
import { isIPv4, isIPv6 } from "node:net";

/** Begins every header of version 2, and nothing that is HTTP with JSON. */
export const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Longest header that is read; a balancer's TLVs take a few hundred octets. */
export const HEADER_BYTES_MAX = 4096;

const V1_BYTES_MAX = 107;
const V1_PREFIX = Buffer.from("PROXY ", "latin1");
const V1_LINE = /^PROXY (TCP[46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;
const V1_UNKNOWN = /^PROXY UNKNOWN(?: .*)?$/;
const V2_FIXED_BYTES = 16;
const V2_LOCAL = 0x20;
const V2_PROXY = 0x21;
const FAMILY_UNSPECIFIED = 0x00;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;
const PORTS_BYTES = 4;
const PORT_MAX = 65_535;
const LF = 0x0a;

/** What the first octets of a connection are. */
export type ProxyHeaderRead =
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed"; readonly reason: string }
  | {
      readonly kind: "header";
      readonly lengthBytes: number;
      /** The client's; null: the header names none, the connection is the balancer's own. */
      readonly address: Uint8Array | null;
    };

const INCOMPLETE: ProxyHeaderRead = { kind: "incomplete" };

/** Reads a header at the start of `bytes`; more may follow it. */
export function readProxyHeader(bytes: Buffer): ProxyHeaderRead {
  if (isBeginning(bytes, SIGNATURE)) return readV2(bytes);
  if (isBeginning(bytes, V1_PREFIX)) return readV1(bytes);
  return malformed("no PROXY header");
}

/** A header of version 2 for a client at `address`, 4 or 16 octets. */
export function encodeProxyHeader(address: Uint8Array): Buffer {
  const lengthBytes = 2 * address.length + PORTS_BYTES;
  const header = Buffer.alloc(V2_FIXED_BYTES + lengthBytes);
  SIGNATURE.copy(header);
  header[12] = V2_PROXY;
  header[13] = address.length === 4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6;
  header.writeUInt16BE(lengthBytes, 14);
  header.set(address, V2_FIXED_BYTES);
  return header;
}

/** The octets of an address in text, 4 or 16; null if it is none. A zone is left out. */
export function addressBytes(text: string): Uint8Array | null {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  return isIPv6(text) ? withoutMapping(ipv6Bytes(text)) : null;
}

/** Finds the signature of version 2 in a stream that comes in segments. */
export class SignatureWatch {
  #tail: Buffer = Buffer.alloc(0);

  /** Whether the signature ends in this segment, which follows those before. */
  sees(segment: Buffer): boolean {
    const before = SIGNATURE.length - 1;
    const seam = Buffer.concat([this.#tail, segment.subarray(0, before)]);
    if (seam.includes(SIGNATURE) || segment.includes(SIGNATURE)) return true;
    const tail = segment.length < before ? seam : segment;
    this.#tail = Buffer.from(tail.subarray(Math.max(0, tail.length - before)));
    return false;
  }
}

/** Whether `bytes` begins with `prefix`, or may yet. */
function isBeginning(bytes: Buffer, prefix: Buffer): boolean {
  const known = Math.min(bytes.length, prefix.length);
  return bytes.subarray(0, known).equals(prefix.subarray(0, known));
}

function readV1(bytes: Buffer): ProxyHeaderRead {
  const end = bytes.subarray(0, V1_BYTES_MAX).indexOf(LF);
  if (end < 0) {
    return bytes.length < V1_BYTES_MAX ? INCOMPLETE : malformed("a PROXY line without an end");
  }
  const line = bytes.toString("latin1", 0, end + 1);
  const text = line.slice(0, -2);
  const lengthBytes = line.length;
  if (!line.endsWith("\r\n")) return malformed("a PROXY line that ends without CR");
  if (V1_UNKNOWN.test(text)) return { kind: "header", lengthBytes, address: null };
  const fields = V1_LINE.exec(text);
  if (fields === null) return malformed("a PROXY line of an unknown form");
  const [, protocol, client = "", server = "", ...ports] = fields;
  const isAddress = protocol === "TCP4" ? isIPv4 : isPlainIpv6;
  if (!isAddress(client) || !isAddress(server) || ports.some((port) => Number(port) > PORT_MAX)) {
    return malformed("a PROXY line with an address or port that is none");
  }
  return { kind: "header", lengthBytes, address: addressBytes(client) };
}

function readV2(bytes: Buffer): ProxyHeaderRead {
  if (bytes.length < V2_FIXED_BYTES) return INCOMPLETE;
  const command = bytes[12];
  const family = bytes[13];
  const lengthBytes = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (command !== V2_LOCAL && command !== V2_PROXY) {
    return malformed("a PROXY header of an unknown version or command");
  }
  if (lengthBytes > HEADER_BYTES_MAX) return malformed("a PROXY header that is too long");
  const size = addressSize(command, family);
  if (size === null) return malformed("a PROXY header for something else than TCP");
  if (lengthBytes < V2_FIXED_BYTES + (size === 0 ? 0 : 2 * size + PORTS_BYTES)) {
    return malformed("a PROXY header that is too short for its addresses");
  }
  if (bytes.length < lengthBytes) return INCOMPLETE;
  if (size === 0) return { kind: "header", lengthBytes, address: null };
  const client = Uint8Array.from(bytes.subarray(V2_FIXED_BYTES, V2_FIXED_BYTES + size));
  return { kind: "header", lengthBytes, address: withoutMapping(client) };
}

/** Octets of one address; 0: the header names none; null: not of TCP. */
function addressSize(command: number, family: number | undefined): number | null {
  if (command === V2_LOCAL || family === FAMILY_UNSPECIFIED) return 0;
  if (family === TCP_OVER_IPV4) return 4;
  return family === TCP_OVER_IPV6 ? 16 : null;
}

function malformed(reason: string): ProxyHeaderRead {
  return { kind: "malformed", reason };
}

function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

/** Of a text that is an IPv6 address (RFC 4291 §2.2). */
function ipv6Bytes(text: string): Uint8Array {
  const [plain = ""] = text.split("%");
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const word = (high?: string, low?: string): string =>
    (256 * Number(high) + Number(low)).toString(16);
  const [, front = "", a, b, c, d] = dotted ?? [];
  const words = dotted === null ? plain : `${front}${word(a, b)}:${word(c, d)}`;
  const [before = [], after = []] = words
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const bytes = Buffer.alloc(16);
  for (const [i, one] of [...before, ...zeros, ...after].entries()) {
    bytes.writeUInt16BE(Number.parseInt(one, 16), 2 * i);
  }
  return Uint8Array.from(bytes);
}

/** An IPv4 address in IPv6 clothes (RFC 4291 §2.5.5.2) as its 4 octets; others as they are. */
function withoutMapping(address: Uint8Array): Uint8Array {
  if (address.length !== 16) return address;
  const isMapped = address.every((octet, i) => i > 11 || octet === (i < 10 ? 0 : 0xff));
  return isMapped ? address.slice(12) : address;
}
