/**
 * Two buffers for a session's output: one is filled while the socket still reads the other.
 *
 *   fill: bytes[0, used)  ──flush──►  socket.write  ··· onDrain ···►  free again
 *
 * So everything answered within one readable chunk leaves in one write, and a peer that does not
 * read stops us at two full buffers. With `pieceBytes` each write is so small, and the next waits
 * for its drain. One thread.
 */
import type { Socket } from "../environment.ts";

/** Octets of each buffer: the answers to a whole 64 KB chunk fit. */
export const OUTBOX_BYTES = 65_536;

/** Room that any answer fits in. */
export const ANSWER_LENGTH_MAX = 128;

export class Outbox {
  /** Encode at bytes[used] after `hasRoom`, then add the length to `used`. */
  bytes: Uint8Array = new Uint8Array(OUTBOX_BYTES);
  used = 0;
  readonly #pieceBytes: number;
  #spare: Uint8Array | null = null;
  #isInFlight = false;
  /** What of the buffer in flight is not written yet. */
  #from = 0;
  #to = 0;

  /** `pieceBytes`: most octets of one write; null: as many as there are. */
  constructor(pieceBytes: number | null) {
    this.#pieceBytes = pieceBytes ?? OUTBOX_BYTES;
  }

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= OUTBOX_BYTES;
  }

  /** Whether everything encoded has been handed to the socket. */
  get isWritten(): boolean {
    return this.used === 0 && this.#from === this.#to;
  }

  /**
   * Writes what was encoded, unless an earlier write is still under way; returns the octets
   * written.
   */
  flush(socket: Socket): number {
    if (this.#isInFlight) return 0;
    if (this.#from === this.#to) this.#takeFilled();
    if (this.#from === this.#to) return 0;
    const start = this.#from;
    const end = Math.min(this.#to, start + this.#pieceBytes);
    this.#from = end;
    this.#isInFlight = true;
    socket.write(this.#spare as Uint8Array, start, end);
    return end - start;
  }

  /** The socket is done with what was written. */
  onDrain(): void {
    this.#isInFlight = false;
  }

  #takeFilled(): void {
    const full = this.bytes;
    this.bytes = this.#spare ?? new Uint8Array(OUTBOX_BYTES);
    this.#spare = full;
    this.#from = 0;
    this.#to = this.used;
    this.used = 0;
  }
}
