/**
 * Cuts a byte stream into PDUs, in place where it can.
 *
 *   chunk:  | PDU | PDU | PDU | par…          the end of the chunk is kept until the rest arrives
 *   kept:   | …tial PDU |
 *
 * Only a PDU that spans two chunks is copied. If the sink cannot take more, everything after the
 * last PDU taken is kept until `resume`. One reader belongs to one session.
 */
import { NEED_MORE, readFrame } from "../codec/index.ts";

/** Takes whole PDUs. */
export interface PduSink {
  /** False stops the reader until `resume`. */
  canTake(): boolean;
  /** One whole PDU at bytes [start, end), valid during the call. */
  onPdu(bytes: Uint8Array, start: number, end: number): void;
  /** The stream is out of step; bytes [start, end) are what is there of it. */
  onBadLength(bytes: Uint8Array, start: number, end: number): void;
  /** True once nothing more may be taken. */
  readonly isOver: boolean;
}

const KEPT_BYTES_MIN = 4096;

export class FrameReader {
  /** Bytes wait only because the sink could not take them. */
  isBlocked = false;
  readonly #pduLengthMax: number;
  #kept: Uint8Array = new Uint8Array(0);
  #keptLength = 0;

  constructor(pduLengthMax: number) {
    this.#pduLengthMax = pduLengthMax;
  }

  /** Takes a chunk; hands its PDUs, and one begun earlier, to `sink`. */
  read(bytes: Uint8Array, start: number, end: number, sink: PduSink): void {
    let at = start;
    if (!this.isBlocked && this.#keptLength > 0) at = this.#complete(bytes, start, end, sink);
    if (!this.isBlocked && !sink.isOver) at = this.#take(bytes, at, end, sink);
    if (at < end && !sink.isOver) this.#keep(bytes, at, end);
  }

  /** Goes on after the sink had refused. */
  resume(sink: PduSink): void {
    if (!this.isBlocked) return;
    this.isBlocked = false;
    const at = this.#take(this.#kept, 0, this.#keptLength, sink);
    this.#kept.copyWithin(0, at, this.#keptLength);
    this.#keptLength -= at;
  }

  /** Hands over every whole PDU in [start, end); returns where it stopped. */
  #take(bytes: Uint8Array, start: number, end: number, sink: PduSink): number {
    let at = start;
    while (at < end) {
      const length = readFrame(bytes, at, end, this.#pduLengthMax);
      if (length === NEED_MORE) return at;
      if (!sink.canTake()) {
        this.isBlocked = true;
        return at;
      }
      if (length < 0) {
        sink.onBadLength(bytes, at, end);
        return end;
      }
      sink.onPdu(bytes, at, at + length);
      at += length;
      if (sink.isOver) return end;
    }
    return at;
  }

  /** Adds to the kept PDU exactly what it lacks; returns the first byte not used. */
  #complete(bytes: Uint8Array, start: number, end: number, sink: PduSink): number {
    let at = start;
    while (at < end && this.#keptLength > 0 && !this.isBlocked) {
      const lacking = this.#lacking();
      const next = Math.min(end, at + lacking);
      this.#keep(bytes, at, next);
      at = next;
      const taken = this.#take(this.#kept, 0, this.#keptLength, sink);
      if (taken > 0) this.#keptLength = 0;
    }
    return at;
  }

  /** Bytes until the kept PDU's length is known, then until it is whole. */
  #lacking(): number {
    if (this.#keptLength < 4) return 4 - this.#keptLength;
    const kept = this.#kept;
    const length = ((kept[0]! << 24) | (kept[1]! << 16) | (kept[2]! << 8) | kept[3]!) >>> 0;
    return length - this.#keptLength;
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    const needed = this.#keptLength + end - start;
    if (needed > this.#kept.length) {
      const larger = new Uint8Array(Math.max(needed, KEPT_BYTES_MIN, this.#kept.length * 2));
      larger.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(start, end), this.#keptLength);
    this.#keptLength = needed;
  }
}
