/**
 * What the judges read off the wire: PDUs out of a stream cut anywhere, and which segment a
 * submit_sm carries.
 *
 * Every simulated message has a number of its own as destination, so (destination, part) names a
 * segment.
 */
import {
  decodeSm,
  decodeText,
  ENCODING,
  NEED_MORE,
  readFrame,
  readLatin1,
  SmView,
} from "../../src/codec/index.ts";
import { copyBytes, takeBytes } from "./byte-slab.ts";

const NO_BYTES = new Uint8Array(0);

/** Puts the chunks of one direction of a connection together into PDUs. */
export class PduStream {
  /** Begun and not whole. */
  #bytes: Uint8Array = NO_BYTES;

  /** Calls `visit` with each whole PDU; returns false, for good, once a length makes no sense. */
  push(chunk: Uint8Array, visit: (pdu: Uint8Array) => void): boolean {
    const begun = this.#bytes.length;
    const bytes = takeBytes(begun + chunk.length);
    bytes.set(this.#bytes);
    bytes.set(chunk, begun);
    let at = 0;
    for (;;) {
      const length = readFrame(bytes, at, bytes.length);
      if (length === NEED_MORE) break;
      if (length < 0) return false;
      visit(bytes.subarray(at, at + length));
      at += length;
    }
    this.#bytes = at === bytes.length ? NO_BYTES : copyBytes(bytes.subarray(at));
    return true;
  }
}

/** One segment as a submit_sm carries it. */
export interface Segment {
  readonly to: string;
  /** 0-based. */
  readonly part: number;
  readonly total: number;
  /** What its parts find each other by, 0 without a header. */
  readonly reference: number;
  readonly text: string;
  readonly wantsReceipt: boolean;
}

const view = new SmView();

/** The segment in a submit_sm, or null if it does not decode. */
export function segmentOf(pdu: Uint8Array): Segment | null {
  if (decodeSm(pdu, 0, pdu.length, view) !== 0) return null;
  const to = readLatin1(pdu, view.destinationAddrStart, view.destinationAddrEnd);
  let start = view.shortMessageStart;
  let part = 0;
  let total = 1;
  let reference = 0;
  if ((view.esmClass & 0x40) !== 0) {
    const udhLength = pdu[start] as number;
    for (let at = start + 1; at < start + 1 + udhLength; at += 2 + (pdu[at + 1] as number)) {
      if (pdu[at] === 0) [reference, total, part] = numbersAt(pdu, at + 2, 1);
      if (pdu[at] === 8) [reference, total, part] = numbersAt(pdu, at + 2, 2);
    }
    start += 1 + udhLength;
  }
  const encoding = view.dataCoding === 8 ? ENCODING.ucs2 : ENCODING.gsm7;
  const text = decodeText(encoding, pdu, start, view.shortMessageEnd);
  return { to, part, total, reference, text, wantsReceipt: (view.registeredDelivery & 3) !== 0 };
}

/** Reference, total and part of a concatenation header whose reference has so many octets. */
function numbersAt(pdu: Uint8Array, at: number, octets: 1 | 2): [number, number, number] {
  const reference = octets === 1 ? pdu[at] : (pdu[at] as number) * 256 + (pdu[at + 1] as number);
  const total = pdu[at + octets] as number;
  return [reference as number, total, (pdu[at + octets + 1] as number) - 1];
}

/** Name of a segment in all logs. */
export function segmentName(to: string, part: number): string {
  return `${to}/${part}`;
}
