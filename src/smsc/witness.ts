/**
 * The simulator's own record of what happened: one JSON object a line, written straight into a
 * buffer.
 *
 *   {"t":1764111111000.250,"event":"submit","session":1,"sequence":7,"source":"ACME",
 *    "destination":"447700900123","esm_class":64,"data_coding":8,"short_message":"050003…",
 *    "id":"1000000001","status":0}
 *   delayed answers only:
 *   {"t":…,"event":"answer","session":1,"sequence":7,"id":"1000000001","status":0}
 *   {"t":…,"event":"receipt","session":1,"sequence":3,"id":"1000000001","state":2,"attempt":1}
 *   {"t":…,"event":"receipt_answer","session":1,"sequence":3,"id":"1000000001","status":0}
 *   {"t":…,"event":"bind"|"close"|"cut", "session":1, …}
 *
 * A submit that is accepted but, as told, never answered has "answered":false; one with TLVs has
 * them in "tlvs". t is Unix milliseconds. The buffer goes out when it is full and at each `flush`,
 * so 50,000 lines a second cost a few large writes. One thread.
 */
import { writeDecimal } from "./message-id.ts";

/** Takes bytes [start, end), which it must have used or copied when it returns. */
export type AppendBytes = (bytes: Uint8Array, start: number, end: number) => void;

const BUFFER_BYTES = 1 << 20;

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const TIME = ascii('{"t":');
const EVENT_SUBMIT = ascii(',"event":"submit","session":');
const EVENT_ANSWER = ascii(',"event":"answer","session":');
const EVENT_RECEIPT = ascii(',"event":"receipt","session":');
const EVENT_RECEIPT_ANSWER = ascii(',"event":"receipt_answer","session":');
const SEQUENCE = ascii(',"sequence":');
const SOURCE = ascii(',"source":"');
const DESTINATION = ascii('","destination":"');
const ESM_CLASS = ascii('","esm_class":');
const DATA_CODING = ascii(',"data_coding":');
const SHORT_MESSAGE = ascii(',"short_message":"');
const TLVS = ascii('","tlvs":"');
const ID_AFTER_STRING = ascii('","id":"');
const ID = ascii(',"id":"');
const STATUS_AFTER_STRING = ascii('","status":');
const STATE_AFTER_STRING = ascii('","state":');
const ATTEMPT = ascii(',"attempt":');
const NOT_ANSWERED = ascii(',"answered":false');
const LINE_END = ascii("}\n");
const HEX = ascii("0123456789abcdef");

export class Witness {
  readonly #append: AppendBytes;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #used = 0;

  constructor(append: AppendBytes) {
    this.#append = append;
  }

  get hasBytes(): boolean {
    return this.#used > 0;
  }

  flush(): void {
    if (this.#used > 0) this.#append(this.#buffer, 0, this.#used);
    this.#used = 0;
  }

  /** Makes room for a line whose variable parts are `bytes` octets, each written as six at most. */
  #begin(
    bytes: number,
    wallMs: number,
    event: Uint8Array,
    session: number,
    sequence: number,
  ): void {
    if (this.#used + 512 + bytes * 6 > BUFFER_BYTES) this.flush();
    this.#text(TIME);
    const whole = Math.floor(wallMs);
    this.#number(whole);
    this.#buffer[this.#used++] = 0x2e;
    this.#used = writeDecimal(this.#buffer, this.#used, Math.floor((wallMs - whole) * 1000), 3);
    this.#text(event);
    this.#number(session);
    this.#text(SEQUENCE);
    this.#number(sequence);
  }

  #text(text: Uint8Array): void {
    const buffer = this.#buffer;
    const at = this.#used;
    for (let i = 0; i < text.length; i++) buffer[at + i] = text[i]!;
    this.#used = at + text.length;
  }

  #number(value: number): void {
    this.#used = writeDecimal(this.#buffer, this.#used, value);
  }

  /** An address or id as the inside of a JSON string, octet by octet. */
  #escaped(bytes: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c) {
        this.#buffer[this.#used++] = byte;
      } else {
        this.#text(ESCAPE);
        this.#hex(bytes, i, i + 1);
      }
    }
  }

  #hex(bytes: Uint8Array, start: number, end: number): void {
    const buffer = this.#buffer;
    let at = this.#used;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      buffer[at++] = HEX[byte >>> 4]!;
      buffer[at++] = HEX[byte & 15]!;
    }
    this.#used = at;
  }

  /** One submit_sm, with the status it gets; `id` [0, idLength) is empty for a refusal. */
  writeSubmit(
    wallMs: number,
    session: number,
    sequence: number,
    view: SubmitRanges,
    id: Uint8Array,
    idLength: number,
    status: number,
    answered: boolean,
  ): void {
    const { bytes } = view;
    // Every octet of the PDU is written once at most, and six characters stand for it at most.
    const variable = view.tlvEnd - view.sourceAddrStart;
    if (variable * 6 + 1024 > BUFFER_BYTES) return;
    this.#begin(variable + idLength, wallMs, EVENT_SUBMIT, session, sequence);
    this.#text(SOURCE);
    this.#escaped(bytes, view.sourceAddrStart, view.sourceAddrEnd);
    this.#text(DESTINATION);
    this.#escaped(bytes, view.destinationAddrStart, view.destinationAddrEnd);
    this.#text(ESM_CLASS);
    this.#number(view.esmClass);
    this.#text(DATA_CODING);
    this.#number(view.dataCoding);
    this.#text(SHORT_MESSAGE);
    this.#hex(bytes, view.shortMessageStart, view.shortMessageEnd);
    if (view.tlvEnd > view.tlvStart) {
      this.#text(TLVS);
      this.#hex(bytes, view.tlvStart, view.tlvEnd);
    }
    this.#text(ID_AFTER_STRING);
    this.#escaped(id, 0, idLength);
    this.#text(STATUS_AFTER_STRING);
    this.#number(status);
    if (!answered) this.#text(NOT_ANSWERED);
    this.#text(LINE_END);
  }

  /** A submit_sm_resp that went out later than its submit's line. */
  writeAnswer(
    wallMs: number,
    session: number,
    sequence: number,
    id: Uint8Array,
    idLength: number,
    status: number,
  ): void {
    this.#begin(idLength, wallMs, EVENT_ANSWER, session, sequence);
    this.#idAndStatus(id, idLength, status);
  }

  /** A deliver_sm_resp. */
  writeReceiptAnswer(
    wallMs: number,
    session: number,
    sequence: number,
    id: Uint8Array,
    idLength: number,
    status: number,
  ): void {
    this.#begin(idLength, wallMs, EVENT_RECEIPT_ANSWER, session, sequence);
    this.#idAndStatus(id, idLength, status);
  }

  #idAndStatus(id: Uint8Array, idLength: number, status: number): void {
    this.#text(ID);
    this.#escaped(id, 0, idLength);
    this.#text(STATUS_AFTER_STRING);
    this.#number(status);
    this.#text(LINE_END);
  }

  /** A receipt written to a session; `attempt` counts from 1. */
  writeReceipt(
    wallMs: number,
    session: number,
    sequence: number,
    id: Uint8Array,
    idLength: number,
    state: number,
    attempt: number,
  ): void {
    this.#begin(idLength, wallMs, EVENT_RECEIPT, session, sequence);
    this.#text(ID);
    this.#escaped(id, 0, idLength);
    this.#text(STATE_AFTER_STRING);
    this.#number(state);
    this.#text(ATTEMPT);
    this.#number(attempt);
    this.#text(LINE_END);
  }

  /** A rare event with fields of its own. */
  writeEvent(wallMs: number, event: string, session: number, fields: object): void {
    const line = `${JSON.stringify({ t: wallMs, event, session, ...fields })}\n`;
    const bytes = new TextEncoder().encode(line);
    if (this.#used + bytes.length > BUFFER_BYTES) this.flush();
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}

const ESCAPE = ascii("\\u00");

/** What the witness reads of a decoded submit_sm. */
export interface SubmitRanges {
  readonly bytes: Uint8Array;
  readonly sourceAddrStart: number;
  readonly sourceAddrEnd: number;
  readonly destinationAddrStart: number;
  readonly destinationAddrEnd: number;
  readonly esmClass: number;
  readonly dataCoding: number;
  readonly shortMessageStart: number;
  readonly shortMessageEnd: number;
  readonly tlvStart: number;
  readonly tlvEnd: number;
}
