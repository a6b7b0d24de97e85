/**
 * Joins the parts of inbound concatenated messages: bounded, timed, indifferent to order and
 * duplicates.
 *
 *   key = source + destination + method + reference + total → parts by sequence, copied
 *
 * When a bound is reached the oldest unfinished message is given up, so hostile parts cannot
 * displace memory for longer than the timeout nor use more than `bytesMax`. One thread owns it;
 * time is passed in.
 */
import type { SmView } from "../pdu/sm-view.ts";
import type { ConcatInfo } from "./concat-info.ts";

export interface ReassemblerBounds {
  /** Unfinished messages kept at once. */
  readonly messagesMax: number;
  /** Octets of text kept at once. */
  readonly bytesMax: number;
  /** How long after its first part a message may still complete. */
  readonly timeoutMs: number;
}

export interface ReassembledMessage {
  /** Octets of the text, in order, without headers; missing parts are left out. */
  readonly text: Uint8Array;
  readonly dataCoding: number;
  readonly total: number;
  /** How many parts arrived; fewer than `total` for a message that was given up. */
  readonly partCount: number;
}

interface Pending {
  readonly parts: (Uint8Array | undefined)[];
  readonly dataCoding: number;
  readonly total: number;
  readonly firstMs: number;
  partCount: number;
  bytes: number;
}

export class Reassembler {
  readonly #bounds: ReassemblerBounds;
  /** In order of first parts: the oldest comes first. */
  readonly #pending = new Map<string, Pending>();
  #bytes = 0;

  constructor(bounds: ReassemblerBounds) {
    this.#bounds = bounds;
  }

  get pendingCount(): number {
    return this.#pending.size;
  }

  get pendingBytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a part (`info.method` ≥ 0) and returns the whole message if this completed it, else null.
   * A duplicate of a part is ignored. Messages given up for room are appended to `givenUp`.
   */
  add(
    view: SmView,
    info: ConcatInfo,
    nowMs: number,
    givenUp: ReassembledMessage[],
  ): ReassembledMessage | null {
    const key = keyOf(view, info);
    let pending = this.#pending.get(key);
    if (pending !== undefined && nowMs - pending.firstMs >= this.#bounds.timeoutMs) {
      givenUp.push(this.#remove(key, pending));
      pending = undefined;
    }
    const length = info.textEnd - info.textStart;
    if (pending?.parts[info.sequence - 1] !== undefined) return null;
    if (pending === undefined) {
      pending = {
        parts: [],
        dataCoding: view.dataCoding,
        total: info.total,
        firstMs: nowMs,
        partCount: 0,
        bytes: 0,
      };
      this.#pending.set(key, pending);
    }
    pending.parts[info.sequence - 1] = view.bytes.slice(info.textStart, info.textEnd);
    pending.partCount++;
    pending.bytes += length;
    this.#bytes += length;
    if (pending.partCount === pending.total) return this.#remove(key, pending);
    this.#makeRoom(givenUp);
    return null;
  }

  /**
   * Gives up the messages whose first part is older than the timeout, appending them to `givenUp`.
   */
  expire(nowMs: number, givenUp: ReassembledMessage[]): void {
    for (const [key, pending] of this.#pending) {
      if (nowMs - pending.firstMs < this.#bounds.timeoutMs) return;
      givenUp.push(this.#remove(key, pending));
    }
  }

  #makeRoom(givenUp: ReassembledMessage[]): void {
    for (const [key, pending] of this.#pending) {
      const isFull =
        this.#pending.size > this.#bounds.messagesMax || this.#bytes > this.#bounds.bytesMax;
      if (!isFull) return;
      givenUp.push(this.#remove(key, pending));
    }
  }

  #remove(key: string, pending: Pending): ReassembledMessage {
    this.#pending.delete(key);
    this.#bytes -= pending.bytes;
    const text = new Uint8Array(pending.bytes);
    let at = 0;
    for (const part of pending.parts) {
      if (part === undefined) continue;
      text.set(part, at);
      at += part.length;
    }
    const { dataCoding, total, partCount } = pending;
    return { text, dataCoding, total, partCount };
  }
}

/**
 * Addresses with their types, the method, the reference and the total: what parts have in common.
 */
function keyOf(view: SmView, info: ConcatInfo): string {
  const { bytes } = view;
  let key = `${info.method}.${info.reference}.${info.total}.${view.sourceAddrTon}.`;
  for (let i = view.sourceAddrStart; i < view.sourceAddrEnd; i++) {
    key += String.fromCharCode(bytes[i]!);
  }
  key += `\0${view.destAddrTon}.`;
  for (let i = view.destinationAddrStart; i < view.destinationAddrEnd; i++) {
    key += String.fromCharCode(bytes[i]!);
  }
  return key;
}
