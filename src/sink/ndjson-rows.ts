/**
 * CDR rows as lines of JSON, straight from the bytes that the ledger keeps.
 *
 *   part     {"schema" … "message_id" | "part":0 | "parts" … "to" … "pool" | "link" … "replay_of"}
 *   message  {"schema" … "message_id" |          | the same, or other pieces, as for a part      }
 *                                                 of a message of one part: copied as a whole
 *
 * The same rows as CdrDecoder gives, at a small part of the cost: no object, string or number is
 * made of a message, and names and words are pieces made once. What is rare (refusals, duplicates,
 * rows that are not as expected) goes through CdrDecoder. Any thread.
 */
import { Buffer } from "node:buffer";
import { CdrItem, chunkRecordedAt, chunkRowCount, eachItem } from "../ledger/cdr/cdr-format.ts";
import { foldMask } from "../ledger/messages/message-state.ts";
import {
  isFinal,
  NO_RECEIPT,
  PART_STATE_COUNT,
  PART_STATUS,
} from "../ledger/messages/part-state.ts";
import { partReason, RECEIPT_STATES } from "../ledger/queries.ts";
import {
  FLAG_EXHAUSTED,
  FLAG_MAYBE_DUP,
  HEAD_TEXTS,
  headOffset,
  readUint48,
  ROW_EVENT_BYTES,
  ROW_ID_BYTES,
  ROW_VERSION,
  Row,
  RowPart,
} from "../ledger/messages/row-layout.ts";
import { decodeRow } from "../ledger/messages/row.ts";
import { Accept, REPLAY_BYTES } from "../records/accept.ts";
import { NOT_WRITTEN } from "../records/attempt.ts";
import {
  bodyEncodingName,
  DLR_MODE_NAMES,
  MESSAGE_CLASS_NAMES,
  PARTS_MAX,
} from "../records/types.ts";
import { CDR_RECORDS, CDR_SCHEMA_VERSION } from "./cdr-columns.ts";
import { CdrDecoder } from "./cdr-decode.ts";
import { LineBytes } from "./line-bytes.ts";
import { ndjsonLine } from "./ndjson-line.ts";
import { Place } from "./line-places.ts";
import { RepeatedLines } from "./repeated-lines.ts";

/** Lines are handed on when there are so many bytes of them. */
const LINES_BYTES = 512 * 1024;
/** No line is longer, with every text as long as it can be and all of it escaped. */
const LINE_BYTES_MAX = 10 * 1024;
const ITEM_BYTES_MAX = (PARTS_MAX + 1) * LINE_BYTES_MAX;
/** Outcomes and traits of messages whose pieces are kept; the few that there are, in practice. */
const PIECES_KEPT = 4096;

const { HEAD } = Row;
const TEXT_FIELDS = [
  [Accept.TO_LENGTH, piece(',"to":')],
  [Accept.FROM_LENGTH, piece(',"from":')],
  [Accept.REFERENCE_LENGTH, piece(',"reference":')],
  [Accept.CAMPAIGN_LENGTH, piece(',"campaign":')],
] as const;
const START = piece(`{"schema":${CDR_SCHEMA_VERSION},"row":`);
const PART = piece('","part":');
const PARTS = piece(',"parts":');
const END_OF_ID = piece('"');
const SEGMENTS = piece(',"segments":');
const APP = piece(',"app":');
const CARRIER_CODE = piece(',"carrier_code":');
const ONCE = piece(',"maybe_dup":false');
const MAYBE_TWICE = piece(',"maybe_dup":true');
const LINK = piece(',"link":');
const SESSION = piece(',"session":');
const ATTEMPTS = piece(',"attempts":');
const SMSC_ID = piece(',"smsc_id":');
const RECEIPTS = RECEIPT_STATES.map((state) => piece(`,"receipt":"${state}"`));
const RECEIPT_UNKNOWN = piece(',"receipt":"unknown"');
const ACCEPTED_AT = piece(',"accepted_at":');
const SENT_AT = piece(',"sent_at":');
const ANSWERED_AT = piece(',"answered_at":');
const RECEIPT_AT = piece(',"receipt_at":');
const FINAL_AT = piece(',"final_at":');
const RECORDED_AT = piece(',"recorded_at":');
const SEND_AT = piece(',"send_at":');
const END = piece("}\n");
/** Bytes that a text is longer by as it stands in a line. */
const QUOTES = 2;
/** MessageStatus that a part of each state alone gives. */
const FOLDED = Uint8Array.from({ length: PART_STATE_COUNT }, (_, state) => foldMask(1 << state));

function piece(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}

/**
 * Is given whole lines, and what they are as deflate blocks that end at a byte, none the last; null
 * if zlib does better. Both are valid during the call only.
 */
export type LinesVisitor = (lines: Buffer, deflated: Uint8Array | null) => void;

/** Turns chunks into lines. */
export class NdjsonRows {
  /** Rows written by `record`. */
  readonly records: Record<string, number> = Object.fromEntries(
    CDR_RECORDS.map((record) => [record, 0]),
  );
  readonly #onLines: LinesVisitor;
  readonly #lines = new LineBytes(LINES_BYTES + ITEM_BYTES_MAX);
  readonly #repeated = new RepeatedLines(this.#lines);
  /** Whether nothing was escaped in the lines being written. */
  #isPlain = true;
  readonly #decoder: CdrDecoder;
  readonly #partStart: Uint8Array;
  readonly #messageStart: Uint8Array;
  readonly #replayOf: Uint8Array;
  readonly #outcomes = new Map<number, Uint8Array>();
  readonly #traits = new Map<number, Uint8Array>();
  /** Where each part of the message in hand starts. */
  readonly #parts = new Int32Array(PARTS_MAX);
  #deciding = 0;
  /** The chunk in hand. */
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #recordedAt = 0;
  #number = 0;

  constructor(node: string, onLines: LinesVisitor) {
    this.#onLines = onLines;
    this.#decoder = new CdrDecoder(node, (row) => {
      if (this.#lines.room < LINE_BYTES_MAX) this.finish();
      this.#lines.string(ndjsonLine(row));
    });
    this.#partStart = piece(`,"record":"part","message_id":"${node}-`);
    this.#messageStart = piece(`,"record":"message","message_id":"${node}-`);
    this.#replayOf = piece(`,"replay_of":"${node}-`);
  }

  /**
   * Adds the rows of a chunk whose first is number `first`; returns the number behind its last.
   * Throws if the chunk contradicts itself.
   */
  add(chunk: Uint8Array, first: number): number {
    this.#bytes = chunk;
    this.#view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#number = first;
    this.#recordedAt = chunkRecordedAt(chunk);
    eachItem(chunk, (kind, rowCount, start, end) => {
      const before = this.#number;
      if (this.#lines.at > LINES_BYTES) this.finish();
      if (kind !== CdrItem.MESSAGE || !this.#addMessage(start, end)) {
        const payload = chunk.subarray(start, end);
        this.#number = this.#decoder.decodeItem(kind, payload, before, this.#recordedAt);
      }
      if (this.#number !== before + rowCount) throw new Error("CDR item with a wrong row count");
      this.#count(kind, rowCount);
    });
    if (this.#number !== first + chunkRowCount(chunk)) {
      throw new Error("CDR chunk with a wrong row count");
    }
    return this.#number;
  }

  /** Hands on the lines that there are. */
  finish(): void {
    const lines = this.#lines;
    const deflated = this.#repeated.finish();
    if (lines.at > 0) this.#onLines(lines.out.subarray(0, lines.at), deflated);
    lines.at = 0;
  }

  #count(kind: number, rowCount: number): void {
    const { records } = this;
    if (kind === CdrItem.MESSAGE) {
      records["part"] = (records["part"] as number) + rowCount - 1;
      records["message"] = (records["message"] as number) + 1;
    } else {
      const record = kind === CdrItem.REFUSAL ? "refusal" : "duplicate";
      records[record] = (records[record] as number) + 1;
    }
  }

  /** Writes the lines of a message's row; false, and nothing is written, if it is unusual. */
  #addMessage(row: number, end: number): boolean {
    if (!this.#findParts(row, end)) return false;
    if (this.#repeat(row)) return true;
    const traits = this.#traitsOf(row);
    if (traits === null) return false;
    const bytes = this.#bytes;
    const lines = this.#lines;
    const { places } = this.#repeated;
    places.fill(-1);
    this.#isPlain = true;
    const start = lines.at;
    const count = bytes[row + Row.PART_COUNT] as number;
    // A part of its own may carry several segments' text (message_payload).
    const segments = Math.max(bytes[row + HEAD + headOffset(Accept.SEGMENTS)] as number, count);
    let copyFrom = 0;
    let copyEnd = 0;
    let headFrom = 0;
    let headEnd = 0;
    for (let i = 0; i <= count; i++) {
      const isWhole = i === count;
      const part = this.#parts[isWhole ? this.#deciding : i] as number;
      const finalAt = isWhole ? row + Row.FINAL_AT : part + RowPart.FINAL_AT;
      this.#startLine(row, isWhole);
      if (isWhole) {
        lines.piece(END_OF_ID);
        if (count === 1 && this.#isSameTime(finalAt, part + RowPart.FINAL_AT)) {
          places[Place.REST] = copyFrom;
          places[Place.END] = copyEnd;
          places[Place.REST_AGAIN] = lines.at;
          lines.again(copyFrom, copyEnd);
          this.#learn(start, row, part);
          return true;
        }
      } else {
        lines.piece(PART);
        lines.int(i);
      }
      copyFrom = lines.at;
      lines.piece(PARTS);
      lines.int(count);
      lines.piece(SEGMENTS);
      lines.int(isWhole || count === 1 ? segments : 1);
      lines.piece(APP);
      lines.int(this.#view.getUint32(row + HEAD + headOffset(Accept.APP_ID), true));
      this.#writeOutcome(row, end, part);
      lines.piece(this.#isMaybeTwice(part, isWhole, count) ? MAYBE_TWICE : ONCE);
      if (i > 0) lines.again(headFrom, headEnd);
      else {
        headFrom = lines.at;
        this.#writeTexts(row);
        lines.piece(traits);
        headEnd = lines.at;
      }
      this.#writeAttempt(part, isWhole && count > 1);
      this.#writeTimes(row, part, finalAt);
      copyEnd = lines.at;
    }
    return true;
  }

  /** Finds the parts and the one that decided; false if the row is not as it should be. */
  #findParts(row: number, end: number): boolean {
    const bytes = this.#bytes;
    const count = bytes[row + Row.PART_COUNT] as number;
    if (bytes[row] !== ROW_VERSION || count > PARTS_MAX) return false;
    const status = bytes[row + Row.STATUS] as number;
    let at = row + HEAD + this.#view.getUint16(row + Row.HEAD_LENGTH);
    this.#deciding = -1;
    for (let i = 0; i < count; i++) {
      if (at + RowPart.FIXED > end) return false;
      const state = bytes[at + RowPart.STATE] as number;
      if (!isFinal(state) || state >= PART_STATE_COUNT) return false;
      if (this.#deciding < 0 && FOLDED[state] === status) this.#deciding = i;
      this.#parts[i] = at;
      const ids = bytes[at + RowPart.ID_COUNT] as number;
      at += RowPart.FIXED + (bytes[at + RowPart.ERROR_LENGTH] as number);
      for (let id = 0; id < ids; id++) {
        at += ROW_ID_BYTES + (bytes[at + ROW_ID_BYTES - 1] as number);
      }
    }
    at += ROW_EVENT_BYTES * (bytes[row + Row.EVENT_COUNT] as number);
    return at === end && this.#deciding >= 0;
  }

  /** Writes the lines of a message of one part that is like the last ones; false: it is not. */
  #repeat(row: number): boolean {
    const bytes = this.#bytes;
    if (bytes[row + Row.PART_COUNT] !== 1) return false;
    const part = this.#parts[0] as number;
    const number = this.#number;
    if (!this.#repeated.write(number, this.#recordedAt, bytes, this.#view, row, part)) return false;
    this.#number = number + 2;
    return true;
  }

  /** Keeps the lines of a message of one part, from `start` on, to be repeated. */
  #learn(start: number, row: number, part: number): void {
    const bytes = this.#bytes;
    let headLength = HEAD_TEXTS;
    for (let i = 0; i < TEXT_FIELDS.length; i++) {
      headLength += bytes[row + HEAD + headOffset(Accept.TO_LENGTH) + i] as number;
    }
    const isScheduled = this.#view.getUint32(row + HEAD + headOffset(Accept.SEND_DELAY_S)) !== 0;
    const isReplay = this.#view.getUint16(row + Row.HEAD_LENGTH) !== headLength;
    if (!this.#isPlain || isScheduled || isReplay) this.#repeated.forget();
    else this.#repeated.learn(start, this.#number - 2, bytes, row, part);
  }

  #startLine(row: number, isWhole: boolean): void {
    const lines = this.#lines;
    const { places } = this.#repeated;
    lines.piece(START);
    places[isWhole ? Place.ROW_AGAIN : Place.ROW] = lines.at;
    lines.int(this.#number);
    this.#number += 1;
    lines.piece(isWhole ? this.#messageStart : this.#partStart);
    places[isWhole ? Place.KEY_AGAIN : Place.KEY] = lines.at;
    lines.key(this.#view, row + HEAD + headOffset(Accept.SEQUENCE));
  }

  /** Status, reason and command_status: the same of all parts that ended alike. */
  #writeOutcome(row: number, end: number, part: number): void {
    const bytes = this.#bytes;
    const lines = this.#lines;
    const receiptState = bytes[part + RowPart.RECEIPT_STATE] as number;
    const isAnswered = this.#isTime(part + RowPart.ANSWERED_AT);
    const bits =
      (bytes[part + RowPart.STATE] as number) |
      (((bytes[part + RowPart.FLAGS] as number) & FLAG_EXHAUSTED) << 3) |
      (this.#isTime(part + RowPart.RECEIPT_AT) ? 32 : 0) |
      (isAnswered && bytes[part + RowPart.ID_COUNT] !== 0 ? 64 : 0) |
      (Math.min(receiptState, 15) << 7) |
      ((bytes[row + Row.VERDICT] as number) << 11);
    // 19 bits and 32: a whole number still.
    const key = this.#view.getUint32(part + RowPart.COMMAND_STATUS) * 0x80000 + bits;
    lines.piece(this.#outcomes.get(key) ?? this.#newOutcome(key, row, end, part));
    const errorLength = bytes[part + RowPart.ERROR_LENGTH] as number;
    if (errorLength === 0) return;
    lines.piece(CARRIER_CODE);
    const error = part + RowPart.FIXED;
    lines.printable(bytes, error, error + errorLength);
  }

  #newOutcome(key: number, row: number, end: number, part: number): Uint8Array {
    const message = decodeRow(this.#bytes.subarray(row, end));
    const record = message.parts[this.#parts.indexOf(part)] as (typeof message.parts)[number];
    const reason = partReason(message, record);
    const made = piece(
      `,"status":"${PART_STATUS[record.state]}"` +
        (reason === null
          ? ""
          : `,"reason_group":"${reason.group}","reason_code":"${reason.code}"` +
            (reason.smpp_status === null ? "" : `,"smpp_status":${reason.smpp_status}`)),
    );
    if (this.#outcomes.size >= PIECES_KEPT) this.#outcomes.clear();
    this.#outcomes.set(key, made);
    return made;
  }

  #isMaybeTwice(part: number, isWhole: boolean, count: number): boolean {
    const bytes = this.#bytes;
    if (!isWhole) return ((bytes[part + RowPart.FLAGS] as number) & FLAG_MAYBE_DUP) !== 0;
    for (let i = 0; i < count; i++) {
      const flags = bytes[(this.#parts[i] as number) + RowPart.FLAGS] as number;
      if ((flags & FLAG_MAYBE_DUP) !== 0) return true;
    }
    return false;
  }

  /** Numbers and words of the sender's. */
  #writeTexts(row: number): void {
    const bytes = this.#bytes;
    const lines = this.#lines;
    let at = row + HEAD + HEAD_TEXTS;
    for (let i = 0; i < TEXT_FIELDS.length; i++) {
      const [field, name] = TEXT_FIELDS[i] as (typeof TEXT_FIELDS)[number];
      const end = at + (bytes[row + HEAD + headOffset(field)] as number);
      if (end === at) continue;
      lines.piece(name);
      const start = lines.at;
      this.#repeated.places[Place.TEXTS + i] = start;
      lines.text(bytes, at, end);
      if (lines.at - start !== end - at + QUOTES) this.#isPlain = false;
      at = end;
    }
  }

  /** Class to pool: the same of many messages. Null if they are out of the ordinary. */
  #traitsOf(row: number): Uint8Array | null {
    const bytes = this.#bytes;
    const head = row + HEAD;
    const priority = bytes[head + headOffset(Accept.PRIORITY)] as number;
    const messageClass = bytes[head + headOffset(Accept.CLASS)] as number;
    const dlr = bytes[head + headOffset(Accept.DLR)] as number;
    const encoding = bytes[head + headOffset(Accept.ENCODING)] as number;
    const dataCoding = bytes[head + headOffset(Accept.DATA_CODING)] as number;
    if ((priority | messageClass | dlr) > 3 || encoding > 7) return null;
    const bits = priority | (messageClass << 2) | (dlr << 4) | (encoding << 6);
    const pool = this.#view.getUint32(head + headOffset(Accept.POOL_ID), true);
    const key = pool * 1024 + (dataCoding === 0 ? bits | 512 : bits);
    const known = this.#traits.get(key);
    if (known !== undefined) return known;
    const className = MESSAGE_CLASS_NAMES[messageClass];
    const dlrName = DLR_MODE_NAMES[dlr];
    const made = piece(
      (className === undefined ? "" : `,"class":"${className}"`) +
        `,"priority":${priority}` +
        (dlrName === undefined ? "" : `,"dlr":"${dlrName}"`) +
        `,"encoding":"${bodyEncodingName(encoding, dataCoding)}","pool":${pool}`,
    );
    if (this.#traits.size >= PIECES_KEPT) this.#traits.clear();
    this.#traits.set(key, made);
    return made;
  }

  /** The last attempt; of a message of several parts only what they share. */
  #writeAttempt(part: number, isOfSeveral: boolean): void {
    const bytes = this.#bytes;
    const lines = this.#lines;
    const attempt = bytes[part + RowPart.ATTEMPT] as number;
    const { places } = this.#repeated;
    if (attempt > 0) {
      lines.piece(LINK);
      places[Place.LINK] = lines.at;
      lines.int(this.#view.getUint32(part + RowPart.LINK_ID));
      if (!isOfSeveral) {
        lines.piece(SESSION);
        places[Place.SESSION] = lines.at;
        lines.int(bytes[part + RowPart.SESSION] as number);
      }
    }
    if (!isOfSeveral) {
      lines.piece(ATTEMPTS);
      lines.int(attempt);
      if (bytes[part + RowPart.ID_COUNT] !== 0) this.#writeSmscId(part);
    }
    const receipt = bytes[part + RowPart.RECEIPT_STATE] as number;
    if (receipt !== NO_RECEIPT) lines.piece(RECEIPTS[receipt] ?? RECEIPT_UNKNOWN);
  }

  #writeSmscId(part: number): void {
    const bytes = this.#bytes;
    const first = part + RowPart.FIXED + (bytes[part + RowPart.ERROR_LENGTH] as number);
    const id = first + ROW_ID_BYTES;
    const length = bytes[id - 1] as number;
    const lines = this.#lines;
    lines.piece(SMSC_ID);
    const start = lines.at;
    this.#repeated.places[Place.SMSC_ID] = start;
    lines.printable(bytes, id, id + length);
    if (lines.at - start !== length + QUOTES) this.#isPlain = false;
  }

  /** Times to the line's end; `finalAt` is where that of the row stands. */
  #writeTimes(row: number, part: number, finalAt: number): void {
    const bytes = this.#bytes;
    const view = this.#view;
    const lines = this.#lines;
    const acceptedAt = Math.floor(
      view.getFloat64(row + HEAD + headOffset(Accept.ACCEPTED_AT), true),
    );
    const { places } = this.#repeated;
    lines.piece(ACCEPTED_AT);
    places[Place.ACCEPTED_AT] = lines.at;
    lines.time(acceptedAt);
    this.#writeTime(Place.SENT_AT, SENT_AT, part + RowPart.SENDING_AT);
    if (view.getUint32(part + RowPart.COMMAND_STATUS) !== NOT_WRITTEN) {
      this.#writeTime(Place.ANSWERED_AT, ANSWERED_AT, part + RowPart.ANSWERED_AT);
    }
    this.#writeTime(Place.RECEIPT_AT, RECEIPT_AT, part + RowPart.RECEIPT_AT);
    this.#writeTime(Place.FINAL_AT, FINAL_AT, finalAt);
    lines.piece(RECORDED_AT);
    places[Place.RECORDED_AT] = lines.at;
    lines.time(this.#recordedAt);
    const delayS = view.getUint32(row + HEAD + headOffset(Accept.SEND_DELAY_S), true);
    if (delayS !== 0) {
      lines.piece(SEND_AT);
      lines.time(acceptedAt + delayS * 1000);
    }
    let replay = row + HEAD + HEAD_TEXTS;
    for (let i = 0; i < TEXT_FIELDS.length; i++) {
      replay += bytes[row + HEAD + headOffset(Accept.TO_LENGTH) + i] as number;
    }
    const headEnd = row + HEAD + view.getUint16(row + Row.HEAD_LENGTH);
    if (replay + REPLAY_BYTES <= headEnd) {
      lines.piece(this.#replayOf);
      lines.key(view, replay);
      lines.piece(END_OF_ID);
    }
    lines.piece(END);
  }

  #writeTime(place: number, name: Uint8Array, at: number): void {
    const wallMs = readUint48(this.#bytes, at);
    if (wallMs === 0) return;
    this.#lines.piece(name);
    this.#repeated.places[place] = this.#lines.at;
    this.#lines.time(wallMs);
  }

  #isTime(at: number): boolean {
    return this.#view.getUint32(at) !== 0 || this.#view.getUint16(at + 4) !== 0;
  }

  #isSameTime(a: number, b: number): boolean {
    return readUint48(this.#bytes, a) === readUint48(this.#bytes, b);
  }
}
