/**
 * Two buffers for a session's output: one is filled while the socket still reads the other.
 *
 *   fill: bytes[0, used)  ──flush──►  socket.write  ··· onDrain ···►  free again
 *
 * So everything answered within one readable chunk leaves in one write, and a peer that does not
 * read stops us at two full buffers. One thread.
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
  #spare: Uint8Array | null = null;
  #isInFlight = false;

  hasRoom(bytes: number): boolean {
    return this.used + bytes <= OUTBOX_BYTES;
  }

  /** Whether everything encoded has been handed to the kernel. */
  get isEmpty(): boolean {
    return this.used === 0 && !this.#isInFlight;
  }

  /**
   * Writes what was encoded, unless an earlier write is still under way; returns the octets
   * written.
   */
  flush(socket: Socket): number {
    const length = this.used;
    if (length === 0 || this.#isInFlight) return 0;
    const full = this.bytes;
    this.bytes = this.#spare ?? new Uint8Array(OUTBOX_BYTES);
    this.#spare = full;
    this.used = 0;
    this.#isInFlight = true;
    socket.write(full, 0, length);
    return length;
  }

  /** The socket is done with the buffer that was written. */
  onDrain(): void {
    this.#isInFlight = false;
  }
}
