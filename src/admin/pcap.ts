/**
 * Recorded PDUs as a capture file that tshark and Wireshark read (classic pcap, LINKTYPE_RAW).
 *
 *   file header 24 | per PDU: record header 16 | IPv4 20 | TCP 20 | the PDU's bytes
 *
 * Each connection is a TCP stream of its own: 192.0.2.1 is the gateway, 192.0.2.2 the SMSC with its
 * real port (addresses of RFC 5737: the recorder does not know the real ones). Sequence numbers
 * count the bytes of the wire, so a PDU kept in part is a packet cut short, not a gap. Pure.
 */
import type { RecordedPdu } from "../smpp/session/flight-recorder.ts";
import type { SessionRecording } from "../smpp/session/session.ts";

export const PCAP_MEDIA_TYPE = "application/vnd.tcpdump.pcap";

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const LINKTYPE_RAW = 101;
const SNAPLEN = 65_535;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const IP_HEADER = 20;
const TCP_HEADER = 20;
const HEADERS = IP_HEADER + TCP_HEADER;
const GATEWAY = 0xc0000201;
const SMSC = 0xc0000202;
const TCP = 6;
const TTL = 64;
const PUSH_ACK = 0x18;
const FIRST_PORT = 20_000;
const PORTS = 40_000;

interface Packet {
  readonly stream: string;
  readonly pdu: RecordedPdu;
}

/** The capture file of a link whose SMSC listens on `port`; packets by time. */
export function pcapOf(recordings: readonly SessionRecording[], port: number): Uint8Array {
  const packets: Packet[] = recordings.flatMap(({ session, isReceiver, pdus }) =>
    pdus.map((pdu) => ({ stream: `${session}/${isReceiver}/${pdu.connection}`, pdu })),
  );
  packets.sort((a, b) => a.pdu.wallMs - b.pdu.wallMs);
  const bytes = packets.reduce((sum, { pdu }) => sum + pdu.bytes.length, 0);
  const out = Buffer.alloc(FILE_HEADER + packets.length * (RECORD_HEADER + HEADERS) + bytes);
  writeFileHeader(out);
  const streams = new Map<string, StreamState>();
  let at = FILE_HEADER;
  for (const { stream, pdu } of packets) {
    const state = streams.get(stream) ?? new StreamState(FIRST_PORT + (streams.size % PORTS));
    streams.set(stream, state);
    at = writePacket(out, at, pdu, state, port);
  }
  return out;
}

/** How far each side of a TCP stream has come. */
class StreamState {
  readonly gatewayPort: number;
  sentByGateway = 1;
  sentBySmsc = 1;

  constructor(gatewayPort: number) {
    this.gatewayPort = gatewayPort;
  }
}

function writeFileHeader(out: Buffer): void {
  out.writeUInt32BE(MAGIC_MICROSECONDS, 0);
  out.writeUInt16BE(2, 4);
  out.writeUInt16BE(4, 6);
  out.writeUInt32BE(SNAPLEN, 16);
  out.writeUInt32BE(LINKTYPE_RAW, 20);
}

function writePacket(
  out: Buffer,
  at: number,
  pdu: RecordedPdu,
  state: StreamState,
  smscPort: number,
): number {
  const { isOutbound, length, bytes, wallMs } = pdu;
  const whole = HEADERS + Math.min(length, SNAPLEN - HEADERS);
  out.writeUInt32BE(Math.floor(wallMs / 1000), at);
  out.writeUInt32BE(Math.floor((wallMs % 1000) * 1000), at + 4);
  out.writeUInt32BE(HEADERS + bytes.length, at + 8);
  out.writeUInt32BE(whole, at + 12);
  const ip = at + RECORD_HEADER;
  writeIp(out, ip, whole, isOutbound);
  const tcp = ip + IP_HEADER;
  out.writeUInt16BE(isOutbound ? state.gatewayPort : smscPort, tcp);
  out.writeUInt16BE(isOutbound ? smscPort : state.gatewayPort, tcp + 2);
  out.writeUInt32BE((isOutbound ? state.sentByGateway : state.sentBySmsc) >>> 0, tcp + 4);
  out.writeUInt32BE((isOutbound ? state.sentBySmsc : state.sentByGateway) >>> 0, tcp + 8);
  out.writeUInt8((TCP_HEADER / 4) << 4, tcp + 12);
  out.writeUInt8(PUSH_ACK, tcp + 13);
  out.writeUInt16BE(SNAPLEN, tcp + 14);
  out.set(bytes, tcp + TCP_HEADER);
  if (isOutbound) state.sentByGateway += length;
  else state.sentBySmsc += length;
  return tcp + TCP_HEADER + bytes.length;
}

function writeIp(out: Buffer, at: number, length: number, isOutbound: boolean): void {
  out.writeUInt8(0x45, at);
  out.writeUInt16BE(length, at + 2);
  out.writeUInt8(TTL, at + 8);
  out.writeUInt8(TCP, at + 9);
  out.writeUInt32BE(isOutbound ? GATEWAY : SMSC, at + 12);
  out.writeUInt32BE(isOutbound ? SMSC : GATEWAY, at + 16);
  let sum = 0;
  for (let i = 0; i < IP_HEADER; i += 2) sum += out.readUInt16BE(at + i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  out.writeUInt16BE(~sum & 0xffff, at + 10);
}
