/**
 * Writes a receipt: a deliver_sm in the text layout of the spec's appendix B, with both receipt
 * TLVs.
 *
 *   id:IIIIIIIIII sub:001 dlvrd:DDD submit date:YYMMDDhhmm done date:YYMMDDhhmm stat:DDDDDDD
 *   err:EEE text:…
 *   receipted_message_id (001E) · message_state (0427)
 *
 * Source and destination are the original's, swapped. Dates are UTC. One writer belongs to one
 * thread.
 */
import {
  COMMAND_ID,
  copyRange,
  encodeSm,
  ESM_CLASS,
  MESSAGE_STATE,
  resetSmView,
  SmView,
  TLV_TAG,
  writeTlvBytes,
  writeTlvInteger,
} from "../codec/index.ts";
import { JOB_BYTE, JOB_WORD, type JobPool } from "./job-pool.ts";
import { writeMessageId } from "./message-id.ts";

/** No receipt is longer than this, in octets. */
export const RECEIPT_LENGTH_MAX = 384;

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

const ID = ascii("id:");
const SUBMIT_DATE_DELIVERED = ascii(" sub:001 dlvrd:001 submit date:");
const SUBMIT_DATE_NOT = ascii(" sub:001 dlvrd:000 submit date:");
const DONE_DATE = ascii(" done date:");
const TEXT = ascii(" text:");

/** What follows the dates, by MESSAGE_STATE. */
const ENDINGS: readonly Uint8Array[] = [
  " stat:ENROUTE err:000",
  " stat:ENROUTE err:000",
  " stat:DELIVRD err:000",
  " stat:EXPIRED err:002",
  " stat:DELETED err:003",
  " stat:UNDELIV err:001",
  " stat:ACCEPTD err:000",
  " stat:UNKNOWN err:005",
  " stat:REJECTD err:004",
].map(ascii);

const STAMP_BYTES = 10;
const STAMPS = 64;
const SCRATCH_BYTES = 512;

export class ReceiptWriter {
  readonly #view = new SmView();
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);
  /** Dates already written out, by minute modulo 64. */
  readonly #stamps = new Uint8Array(STAMPS * STAMP_BYTES);
  readonly #stampMinutes = new Float64Array(STAMPS).fill(-1);

  /**
   * Encodes the receipt of `job` into `out` and returns its length. Needs RECEIPT_LENGTH_MAX octets
   * of room. `idWriting` is how the id is written, `doneMinute` the minute of the final state since
   * the Unix epoch.
   */
  write(
    out: Uint8Array,
    at: number,
    sequenceNumber: number,
    pool: JobPool,
    job: number,
    idWriting: number,
    doneMinute: number,
  ): number {
    const scratch = this.#scratch;
    const view = this.#view;
    const bytes = pool.bytesOf(job);
    const base = pool.byteOffsetOf(job);
    const lengths = pool.get(job, JOB_WORD.LENGTHS);
    const tonNpi = pool.get(job, JOB_WORD.TON_NPI);
    const state = pool.get(job, JOB_WORD.STATE);
    resetSmView(view, scratch);
    const destination = base + JOB_BYTE.DESTINATION;
    let p = copyRange(scratch, 0, bytes, destination, destination + ((lengths >>> 8) & 0xff));
    view.sourceAddrEnd = view.destinationAddrStart = p;
    const source = base + JOB_BYTE.SOURCE;
    p = copyRange(scratch, p, bytes, source, source + (lengths & 0xff));
    view.destinationAddrEnd = view.shortMessageStart = p;
    view.sourceAddrTon = (tonNpi >>> 16) & 0xff;
    view.sourceAddrNpi = tonNpi >>> 24;
    view.destAddrTon = tonNpi & 0xff;
    view.destAddrNpi = (tonNpi >>> 8) & 0xff;
    view.esmClass = ESM_CLASS.type_delivery_receipt;

    p = copyRange(scratch, p, ID, 0, ID.length);
    const idStart = p;
    const idEnd = writeMessageId(scratch, p, idWriting, pool.idOf(job));
    const delivered = state === MESSAGE_STATE.DELIVERED;
    const submitDate = delivered ? SUBMIT_DATE_DELIVERED : SUBMIT_DATE_NOT;
    p = copyRange(scratch, idEnd, submitDate, 0, submitDate.length);
    p = this.#writeStamp(p, pool.get(job, JOB_WORD.SUBMIT_MINUTE));
    p = copyRange(scratch, p, DONE_DATE, 0, DONE_DATE.length);
    p = this.#writeStamp(p, doneMinute);
    const ending = ENDINGS[state]!;
    p = copyRange(scratch, p, ending, 0, ending.length);
    p = copyRange(scratch, p, TEXT, 0, TEXT.length);
    const text = base + JOB_BYTE.TEXT;
    p = copyRange(scratch, p, bytes, text, text + ((lengths >>> 16) & 0xff));
    view.shortMessageEnd = view.tlvStart = p;

    const idTlv = p;
    p = writeTlvBytes(scratch, p, TLV_TAG.receipted_message_id, scratch, idStart, idEnd);
    // The id is a C-octet string there (spec 5.3.2.12): its NUL counts in the length.
    scratch[p++] = 0;
    scratch[idTlv + 3] = idEnd - idStart + 1;
    view.tlvEnd = writeTlvInteger(scratch, p, TLV_TAG.message_state, state, 1);
    return encodeSm(COMMAND_ID.deliver_sm, out, at, sequenceNumber, view, null, 0);
  }

  #writeStamp(at: number, minute: number): number {
    const slot = minute & (STAMPS - 1);
    const from = slot * STAMP_BYTES;
    if (this.#stampMinutes[slot] !== minute) {
      this.#stampMinutes[slot] = minute;
      // "2026-11-21T22:17" without its century and marks.
      const text = new Date(minute * 60_000).toISOString().slice(2, 16).replace(/[-T:]/g, "");
      for (let i = 0; i < STAMP_BYTES; i++) this.#stamps[from + i] = text.charCodeAt(i);
    }
    return copyRange(this.#scratch, at, this.#stamps, from, from + STAMP_BYTES);
  }
}
