/**
 * A packet capture as witness: tcpdump on loopback, and its file read back as SMPP.
 *
 *   pcap file ──► packets with the kernel's time ──► TCP streams by flow ──► PDUs, each at the time
 *   of the packet that brought its last octet
 *
 * Reads what the kernel saw, with decoders of its own for pcap, IP and TCP, so that nothing of the
 * gateway is believed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const PCAP_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const PDU_HEADER = 16;
/** Packets may be so far out of order. */
const EARLY_MAX = 1_000;

/** A PDU on the wire. */
export interface CapturedPdu {
  /** Names the TCP connection. */
  readonly flow: string;
  /** Milliseconds since the capture's first packet. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

export interface Capture {
  /** Ends the capture; rejects if the kernel dropped a packet. */
  stop(): Promise<void>;
}

/**
 * Captures what goes to `port` on loopback, and with `bothWays` what comes from it, into `file`;
 * needs the right to.
 */
export async function startCapture(port: number, file: string, bothWays = false): Promise<Capture> {
  const filter = `tcp and ${bothWays ? "" : "dst "}port ${port}`;
  const precision = "--time-stamp-precision=nano";
  // Every packet is in the file as soon as it was seen.
  const args = ["-i", "lo", "-n", "-U", precision, "-B", "65536", "-w", file, filter];
  const child = spawn("tcpdump", args, { stdio: ["ignore", "ignore", "pipe"] });
  const errors = child.stderr as Socket;
  process.once("exit", () => child.kill("SIGKILL"));
  let said = "";
  errors.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.on("error", (error) => reject(new Error(`tcpdump does not start: ${error.message}`)));
    child.on("exit", () => reject(new Error(`tcpdump ended: ${said}`)));
    errors.on("data", () => {
      if (said.includes("listening on")) resolve();
    });
  });
  // A test that fails before it ends the capture ends nevertheless, and so does tcpdump.
  child.unref();
  errors.unref();
  return {
    stop: () => {
      child.ref();
      errors.ref();
      return stopCapture(child, ended, () => said);
    },
  };
}

async function stopCapture(
  child: ChildProcess,
  ended: Promise<void>,
  said: () => string,
): Promise<void> {
  // What the kernel holds back for a batch comes within this time.
  await sleep(1500);
  child.kill("SIGINT");
  await ended;
  if (!/^0 packets dropped by kernel/m.test(said())) throw new Error(`capture: ${said()}`);
}

interface Segment {
  readonly sequence: number;
  readonly payload: Buffer;
  readonly atMs: number;
}

interface Flow {
  /** Sequence number of the next octet. */
  next: number;
  rest: Buffer;
  /** Came before what they follow: two processors may write to the capture out of order. */
  early: Segment[];
}

/** Hands every PDU of the capture to `visit`, by flow in order. Throws where a stream has a gap. */
export function readPdus(file: string, visit: (pdu: CapturedPdu) => void): void {
  const bytes = readFileSync(file);
  const isNano = bytes.readUInt32LE(0) === PCAP_NANOSECONDS;
  const flows = new Map<string, Flow>();
  let firstMs = Number.NaN;
  for (let at = FILE_HEADER; at + PACKET_HEADER <= bytes.length; ) {
    const seconds = bytes.readUInt32LE(at);
    const fraction = bytes.readUInt32LE(at + 4);
    const length = bytes.readUInt32LE(at + 8);
    const whole = bytes.readUInt32LE(at + 12);
    // A file that is still being written may end within a packet.
    if (at + PACKET_HEADER + length > bytes.length) return;
    const packet = bytes.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length);
    at += PACKET_HEADER + length;
    if (length !== whole) throw new Error("a packet was captured in part");
    // Whole seconds first: nanoseconds since 1970 are beyond a double.
    if (Number.isNaN(firstMs)) firstMs = seconds * 1000;
    const atMs = seconds * 1000 - firstMs + fraction / (isNano ? 1e6 : 1e3);
    readPacket(packet, atMs, flows, visit);
  }
  for (const [name, { early }] of flows) {
    if (early.length > 0) throw gapIn(name);
  }
}

function readPacket(
  packet: Buffer,
  atMs: number,
  flows: Map<string, Flow>,
  visit: (pdu: CapturedPdu) => void,
): void {
  if (packet.readUInt16BE(12) !== ETHERTYPE_IPV4) return;
  const ip = packet.subarray(ETHERNET_HEADER);
  if (ip[9] !== PROTOCOL_TCP) return;
  // Segments larger than 64 KB that the loopback device does not cut have a total length of 0.
  const ipLength = ip.readUInt16BE(2) || ip.length;
  const tcp = ip.subarray(((ip[0] as number) & 15) * 4, ipLength);
  const payload = tcp.subarray(((tcp[12] as number) >> 4) * 4);
  const name = `${ip.readUInt32BE(12)}:${tcp.readUInt16BE(0)}`;
  const isSyn = ((tcp[13] as number) & 2) !== 0;
  if (isSyn) {
    const next = (tcp.readUInt32BE(4) + 1) >>> 0;
    flows.set(name, { next, rest: Buffer.alloc(0), early: [] });
    return;
  }
  const flow = flows.get(name);
  if (flow === undefined || payload.length === 0) return;
  flow.early.push({ sequence: tcp.readUInt32BE(4), payload, atMs });
  for (;;) {
    const at = flow.early.findIndex(({ sequence }) => ((sequence - flow.next) | 0) <= 0);
    if (at < 0) break;
    readSegment(flow, name, flow.early.splice(at, 1)[0] as Segment, visit);
  }
  if (flow.early.length > EARLY_MAX) throw gapIn(name);
}

function gapIn(flow: string): Error {
  return new Error(`flow ${flow}: octets are missing in the capture`);
}

/** Takes what is new in a segment that leaves no gap. */
function readSegment(
  flow: Flow,
  name: string,
  { sequence, payload, atMs }: Segment,
  visit: (pdu: CapturedPdu) => void,
): void {
  const fresh = payload.subarray((flow.next - sequence) | 0);
  flow.next = (flow.next + fresh.length) >>> 0;
  flow.rest = cutPdus(Buffer.concat([flow.rest, fresh]), name, atMs, visit);
}

function cutPdus(
  stream: Buffer,
  flow: string,
  atMs: number,
  visit: (pdu: CapturedPdu) => void,
): Buffer {
  let at = 0;
  while (at + PDU_HEADER <= stream.length) {
    const length = stream.readUInt32BE(at);
    if (length < PDU_HEADER) throw new Error(`flow ${flow}: a PDU of ${length} octets`);
    if (at + length > stream.length) break;
    visit({ flow, atMs, bytes: stream.subarray(at, at + length) });
    at += length;
  }
  return Buffer.from(stream.subarray(at));
}
