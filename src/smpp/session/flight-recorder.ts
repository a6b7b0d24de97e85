/**
 * The last PDUs of a connection, both ways, for whoever has to find out why it went wrong.
 *
 *   256 slots of 256 bytes:
 *    0 wall ms f64    8 length of the PDU u32    12 connection u16    14 kept u8    15 outbound u8
 *   16 the PDU's first bytes, at most 240
 *
 * Writing is a copy into memory that was allocated with the connection; what is kept never leaves
 * the thread but through `read`, which masks texts and passwords. One thread.
 */
import { maskPdu } from "./mask-pdu.ts";

const SLOTS = 256;
const SLOT_BYTES = 256;
const PDU = 16;
/** A submit_sm is kept to its text, which is masked anyway; a receipt wholly. */
const OUTBOUND_BYTES_MAX = 80;
const INBOUND_BYTES_MAX = SLOT_BYTES - PDU;

/** One PDU that went over a connection, masked. */
export interface RecordedPdu {
  readonly wallMs: number;
  readonly isOutbound: boolean;
  /** Which connection, counted by dials. */
  readonly connection: number;
  /** Length on the wire; `bytes` may be fewer. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

export class FlightRecorder {
  readonly #bytes = new Uint8Array(SLOTS * SLOT_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  #count = 0;
  /** The buffers that PDUs come from are few: their views are kept. */
  #inbound: SourceView = viewOf(this.#bytes);
  #outbound: SourceView = viewOf(this.#bytes);

  /** Keeps the PDU in bytes [start, end), which was just read. */
  noteInbound(
    connection: number,
    wallMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (bytes !== this.#inbound.bytes) this.#inbound = viewOf(bytes);
    const kept = Math.min(end - start, INBOUND_BYTES_MAX);
    this.#copy(this.#inbound, start, kept, this.#open(connection, wallMs, end - start, kept, 0));
  }

  /** Keeps the PDU in bytes [start, end), which was just encoded. */
  noteOutbound(
    connection: number,
    wallMs: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if (bytes !== this.#outbound.bytes) this.#outbound = viewOf(bytes);
    const kept = Math.min(end - start, OUTBOUND_BYTES_MAX);
    this.#copy(this.#outbound, start, kept, this.#open(connection, wallMs, end - start, kept, 1));
  }

  /** What is kept, oldest first; with `masksNumbers`, without subscribers' numbers. */
  read(masksNumbers: boolean): RecordedPdu[] {
    const pdus: RecordedPdu[] = [];
    const first = Math.max(0, this.#count - SLOTS);
    for (let index = first; index < this.#count; index++) {
      const at = (index % SLOTS) * SLOT_BYTES;
      const length = this.#view.getUint32(at + 8);
      const bytes = this.#bytes.slice(at + PDU, at + PDU + this.#view.getUint8(at + 14));
      maskPdu(bytes, masksNumbers);
      pdus.push({
        wallMs: this.#view.getFloat64(at),
        isOutbound: this.#view.getUint8(at + 15) === 1,
        connection: this.#view.getUint16(at + 12),
        length,
        bytes,
      });
    }
    return pdus;
  }

  #open(
    connection: number,
    wallMs: number,
    length: number,
    kept: number,
    direction: number,
  ): number {
    const at = (this.#count % SLOTS) * SLOT_BYTES;
    const view = this.#view;
    this.#count++;
    view.setFloat64(at, wallMs);
    view.setUint32(at + 8, length);
    view.setUint16(at + 12, connection);
    view.setUint8(at + 14, kept);
    view.setUint8(at + 15, direction);
    return at + PDU;
  }

  /** Four bytes at a time: no call into the engine, nothing allocated. */
  #copy(from: SourceView, start: number, count: number, to: number): void {
    const source = from.view;
    const target = this.#view;
    let done = 0;
    for (; done + 4 <= count; done += 4) {
      target.setInt32(to + done, source.getInt32(start + done));
    }
    for (; done < count; done++) target.setUint8(to + done, source.getUint8(start + done));
  }
}

interface SourceView {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function viewOf(bytes: Uint8Array): SourceView {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}
