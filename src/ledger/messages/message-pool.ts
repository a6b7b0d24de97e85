/**
 * The memory of messages, and those that nobody uses, to be used again.
 *
 *   take ─► cached ─► evicted or removed ─► give ─► … ─► take
 *
 * Their rows lie side by side in pieces of memory outside the heap; one with a longer row has
 * memory of its own, which goes with it. Who gives a message keeps no reference: the next one to
 * take it is another message. What a burst took is kept for the next one: as many as were ever here
 * at once, which is for others to bound. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import { type RecordMemory, recordMemory } from "../../records/memory.ts";
import { MessageState, ROOM_BYTES } from "./message-state.ts";

/** Messages whose rows share a piece of memory. */
const PIECE_MESSAGES = 1024;

export class MessagePool {
  readonly #free: MessageState[] = [];
  #piece: RecordMemory | null = null;
  /** Bytes taken of the piece. */
  #used = 0;

  /**
   * A message with room for a row of so many bytes, of which nothing is to be expected; `begin`
   * makes it one.
   */
  take(rowBytes: number): MessageState {
    if (rowBytes > ROOM_BYTES) return new MessageState(rowBytes);
    return this.#free.pop() ?? this.#make();
  }

  give(message: MessageState): void {
    if (message.room === ROOM_BYTES) this.#free.push(message);
  }

  #make(): MessageState {
    if (this.#piece === null || this.#used === this.#piece.bytes.length) {
      this.#piece = recordMemory(Buffer.allocUnsafeSlow(PIECE_MESSAGES * ROOM_BYTES));
      this.#used = 0;
    }
    const message = new MessageState(ROOM_BYTES, this.#piece, this.#used);
    this.#used += ROOM_BYTES;
    return message;
  }
}
