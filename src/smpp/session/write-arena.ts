/**
 * The output of one session: a few buffers that are filled in turn and are free again when the
 * socket has drained.
 *
 *   chunk 0   | handed to the socket | encoded, not handed over | room |
 *   chunk 1   | …                      taken when chunk 0 is full; allocated when first needed
 *
 * `reserve` finds room for one PDU, the caller encodes it at `bytes[at]` and calls `advance`, and
 * `flush` hands everything to the socket in one write per chunk. What the kernel takes at once can
 * be written over at once: chunk 0 then carries any number of PDUs. One thread.
 */
import type { Socket } from "../../environment.ts";
import { WRITE_CHUNK_BYTES, WRITE_CHUNKS_MAX } from "../pace/limits.ts";

export class WriteArena {
  bytes: Uint8Array;
  /** Where the next PDU starts in `bytes`. */
  at = 0;
  readonly #chunks: Uint8Array[];
  #current = 0;
  #flushed = 0;
  #undrained = false;

  constructor() {
    this.bytes = new Uint8Array(WRITE_CHUNK_BYTES);
    this.#chunks = [this.bytes];
  }

  /** Whether the socket holds bytes of ours. */
  get isUndrained(): boolean {
    return this.#undrained;
  }

  /** Whether the chunk in use has room for `length` bytes. */
  hasRoom(length: number): boolean {
    return this.at + length <= WRITE_CHUNK_BYTES;
  }

  /**
   * Finds room for `length` bytes, keeping `spare` free behind them; false if there is none before
   * a drain.
   */
  reserve(length: number, spare: number, socket: Socket): boolean {
    const isLast = this.#current === WRITE_CHUNKS_MAX - 1;
    if (this.at + length + (isLast ? spare : 0) <= WRITE_CHUNK_BYTES) return true;
    if (isLast) return false;
    this.flush(socket);
    this.#current++;
    if (this.#current === this.#chunks.length) this.#chunks.push(new Uint8Array(WRITE_CHUNK_BYTES));
    this.bytes = this.#chunks[this.#current] as Uint8Array;
    this.at = 0;
    this.#flushed = 0;
    return true;
  }

  advance(length: number): void {
    this.at += length;
  }

  /** Hands what was encoded to the socket. Returns whether there was anything. */
  flush(socket: Socket): boolean {
    if (this.at === this.#flushed) return false;
    const from = this.#flushed;
    this.#flushed = this.at;
    this.#undrained = true;
    socket.write(this.bytes, from, this.at);
    return true;
  }

  /**
   * Hands what was encoded to the socket, and starts again in front if the kernel has all of it;
   * returns whether it has.
   */
  turnOver(socket: Socket): boolean {
    this.flush(socket);
    if (!socket.isDrained) return false;
    this.#rewind();
    return true;
  }

  /** The socket has handed everything to the kernel: start again in front. */
  drained(): void {
    this.#undrained = false;
    if (this.at === this.#flushed) this.#rewind();
  }

  /** For a new connection. */
  reset(): void {
    this.#undrained = false;
    this.#rewind();
  }

  #rewind(): void {
    this.#current = 0;
    this.bytes = this.#chunks[0] as Uint8Array;
    this.at = 0;
    this.#flushed = 0;
  }
}
