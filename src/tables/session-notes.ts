/**
 * What a session last had to say, for people: why it was lost and when, since when it is bound.
 *
 *   after the rows of the session table, 256 bytes a session:
 *   0 version i32, odd while it is written    4 length of the text i32
 *   8 wall ms of the error f64 (0: none)     16 wall ms of the bind f64 (0: not bound)
 *  24 text of the error, Latin-1, at most 232
 *
 * A session's worker writes; any thread reads, and reads again what changed meanwhile.
 */
import { WORDS_PER_ROW } from "./link-table.ts";

const ROW_BYTES = WORDS_PER_ROW * 4;
const NOTE_BYTES = 256;
const LENGTH = 4;
const ERROR_AT = 8;
const BOUND_SINCE = 16;
const TEXT = 24;
const TEXT_BYTES_MAX = NOTE_BYTES - TEXT;
const READS_MAX = 100;

export interface SessionNote {
  /** Empty: nothing went wrong yet. */
  readonly error: string;
  readonly errorAt: number;
  readonly boundSince: number;
}

/** Memory of the session table: `rows` rows, and a note for each. */
export function allocateSessions(rows: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.max(1, rows) * (ROW_BYTES + NOTE_BYTES));
}

export class SessionNotes {
  readonly #words: Int32Array;
  readonly #view: DataView;
  readonly #base: number;

  /** `sessionWords` is all of what `allocateSessions` gave. */
  constructor(sessionWords: Int32Array) {
    const rows = sessionWords.byteLength / (ROW_BYTES + NOTE_BYTES);
    this.#words = sessionWords;
    this.#base = rows * ROW_BYTES;
    this.#view = new DataView(sessionWords.buffer, sessionWords.byteOffset);
  }

  setError(row: number, error: string, wallMs: number): void {
    const at = this.#open(row);
    const length = Math.min(error.length, TEXT_BYTES_MAX);
    for (let i = 0; i < length; i++) this.#view.setUint8(at + TEXT + i, error.charCodeAt(i));
    this.#view.setInt32(at + LENGTH, length);
    this.#view.setFloat64(at + ERROR_AT, wallMs);
    this.#close(at);
  }

  /** `wallMs` 0: it is not bound any more. */
  setBoundSince(row: number, wallMs: number): void {
    const at = this.#open(row);
    this.#view.setFloat64(at + BOUND_SINCE, wallMs);
    this.#close(at);
  }

  read(row: number): SessionNote {
    const at = this.#base + row * NOTE_BYTES;
    let note: SessionNote = { error: "", errorAt: 0, boundSince: 0 };
    for (let i = 0; i < READS_MAX; i++) {
      const version = Atomics.load(this.#words, at / 4);
      note = {
        error: this.#text(at),
        errorAt: this.#view.getFloat64(at + ERROR_AT),
        boundSince: this.#view.getFloat64(at + BOUND_SINCE),
      };
      if (version % 2 === 0 && Atomics.load(this.#words, at / 4) === version) break;
    }
    return note;
  }

  #text(at: number): string {
    const length = Math.min(this.#view.getInt32(at + LENGTH), TEXT_BYTES_MAX);
    let text = "";
    for (let i = 0; i < length; i++)
      text += String.fromCharCode(this.#view.getUint8(at + TEXT + i));
    return text;
  }

  #open(row: number): number {
    const at = this.#base + row * NOTE_BYTES;
    Atomics.add(this.#words, at / 4, 1);
    return at;
  }

  #close(at: number): void {
    Atomics.add(this.#words, at / 4, 1);
  }
}
