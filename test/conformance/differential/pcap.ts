/**
 * Writes PDUs into a capture file that tshark reads: one TCP packet a PDU, raw IPv4, port 2775.
 */

const LINKTYPE_IPV4 = 228;
const IP_HEADER = 20;
const TCP_HEADER = 20;
const SMPP_PORT = 2775;

function packet(pdu: Uint8Array, index: number, sequence: number): Buffer {
  const total = IP_HEADER + TCP_HEADER + pdu.length;
  const bytes = Buffer.alloc(16 + total);
  bytes.writeUInt32LE(index, 0);
  bytes.writeUInt32LE(total, 8);
  bytes.writeUInt32LE(total, 12);
  const ip = 16;
  bytes[ip] = 0x45;
  bytes.writeUInt16BE(total, ip + 2);
  bytes[ip + 8] = 64;
  bytes[ip + 9] = 6;
  bytes.writeUInt32BE(0x7f000001, ip + 12);
  bytes.writeUInt32BE(0x7f000001, ip + 16);
  const tcp = ip + IP_HEADER;
  bytes.writeUInt16BE(40_000, tcp);
  bytes.writeUInt16BE(SMPP_PORT, tcp + 2);
  bytes.writeUInt32BE(sequence >>> 0, tcp + 4);
  bytes[tcp + 12] = 0x50;
  bytes[tcp + 13] = 0x18;
  bytes.writeUInt16BE(65_535, tcp + 14);
  bytes.set(pdu, tcp + TCP_HEADER);
  return bytes;
}

/** The capture file's octets; no PDU may exceed 65,495 octets. */
export function createPcap(pdus: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(LINKTYPE_IPV4, 20);
  const packets: Buffer[] = [header];
  let sequence = 1;
  pdus.forEach((pdu, index) => {
    packets.push(packet(pdu, index, sequence));
    sequence += pdu.length;
  });
  return Buffer.concat(packets);
}
