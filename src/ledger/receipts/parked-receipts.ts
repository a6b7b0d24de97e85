/**
 * Receipts whose message is not known (yet): they came before their answer, or belong to nobody
 * here.
 *
 *   memory  by (link, normal form of the id), and in order of arrival
 *   store   number u48 → row
 *   row     at u48 │ link u32 │ message_state u8 │ id length u8 │ error length u8 │ id │ error
 *
 * Each is kept at least PARK_MS, survives restarts, and is looked at whenever an answer brings its
 * id. Only what a flush finds still parked is written. Bounded: the oldest goes when there are too
 * many. The ledger's thread only.
 */
import { Buffer } from "node:buffer";
import { normaliseId } from "./receipt-id.ts";
import { readUint32, readUint48, writeUint32, writeUint48 } from "../messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

export const PARK_MS = 15 * 60 * 1000;
const ROW_FIXED = 13;

export interface ParkedReceipt {
  readonly at: number;
  readonly linkId: number;
  readonly messageState: number;
  readonly id: string;
  readonly error: string;
  /** Key in the store. */
  number: number;
  isStored: boolean;
  /** Matched, dropped or given up: to be skipped in the order of arrival. */
  isGone: boolean;
  /** Whether it was tried in other bases after waiting for its own answer. */
  wasRetried: boolean;
}

export class ParkedReceipts {
  readonly #byId = new Map<string, ParkedReceipt[]>();
  /** In order of arrival; entries before `#head` are gone. */
  #order: ParkedReceipt[] = [];
  #head = 0;
  #retryHead = 0;
  #count = 0;
  #new: ParkedReceipt[] = [];
  #removed: number[] = [];
  readonly #countMax: number;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#count;
  }

  /** Parks a receipt; returns the one that had to go for it, or null. */
  park(receipt: ParkedReceipt): ParkedReceipt | null {
    const displaced = this.#count >= this.#countMax ? this.oldest() : null;
    if (displaced !== null) this.take(displaced);
    this.#insert(receipt);
    this.#new.push(receipt);
    return displaced;
  }

  /** The parked receipts of this link whose ids have this normal form; do not change the list. */
  find(linkId: number, normal: string): readonly ParkedReceipt[] | undefined {
    return this.#byId.get(keyOf(linkId, normal));
  }

  /** The one that has been here longest, or null. */
  oldest(): ParkedReceipt | null {
    for (; this.#head < this.#order.length; this.#head++) {
      const receipt = this.#order[this.#head] as ParkedReceipt;
      if (!receipt.isGone) return receipt;
    }
    return null;
  }

  /**
   * The oldest one that has not been returned here before, if it arrived before `before` (wall ms).
   */
  nextToRetry(before: number): ParkedReceipt | null {
    for (; this.#retryHead < this.#order.length; this.#retryHead++) {
      const receipt = this.#order[this.#retryHead] as ParkedReceipt;
      if (receipt.isGone || receipt.wasRetried) continue;
      if (receipt.at >= before) return null;
      receipt.wasRetried = true;
      return receipt;
    }
    return null;
  }

  /** All parked receipts of a link, in order of arrival. */
  ofLink(linkId: number): ParkedReceipt[] {
    return this.#order.filter((receipt) => !receipt.isGone && receipt.linkId === linkId);
  }

  /** Takes a receipt out. */
  take(receipt: ParkedReceipt): void {
    if (receipt.isGone) return;
    receipt.isGone = true;
    this.#count--;
    if (receipt.isStored) this.#removed.push(receipt.number);
    const key = keyOf(receipt.linkId, normaliseId(receipt.id));
    const list = this.#byId.get(key);
    if (list === undefined) return;
    if (list.length === 1) this.#byId.delete(key);
    else list.splice(list.indexOf(receipt), 1);
    this.#shrink();
  }

  /**
   * Puts what changed since the last call into the store's next commit; returns the next free
   * number.
   */
  write(store: LedgerStore, nextNumber: number): number {
    let number = nextNumber;
    const key = new Uint8Array(6);
    for (const receipt of this.#new) {
      if (receipt.isGone) continue;
      receipt.number = number++;
      receipt.isStored = true;
      writeUint48(key, 0, receipt.number);
      store.put(LedgerTable.PARKED, key, encodeParked(receipt));
    }
    for (const gone of this.#removed) {
      writeUint48(key, 0, gone);
      store.remove(LedgerTable.PARKED, key);
    }
    this.#new = [];
    this.#removed = [];
    return number;
  }

  /** Reads what the store has. */
  load(store: LedgerStore): void {
    store.range(LedgerTable.PARKED, new Uint8Array(0), (key, value) => {
      this.#insert(decodeParked(readUint48(key, 0), value));
      return true;
    });
  }

  #insert(receipt: ParkedReceipt): void {
    const key = keyOf(receipt.linkId, normaliseId(receipt.id));
    const list = this.#byId.get(key);
    if (list === undefined) this.#byId.set(key, [receipt]);
    else list.push(receipt);
    this.#order.push(receipt);
    this.#count++;
  }

  #shrink(): void {
    if (this.#order.length < 1024 || this.#count * 2 > this.#order.length) return;
    const kept: ParkedReceipt[] = [];
    for (const receipt of this.#order) if (!receipt.isGone) kept.push(receipt);
    this.#order = kept;
    this.#head = 0;
    this.#retryHead = 0;
  }
}

function keyOf(linkId: number, normal: string): string {
  return `${linkId}|${normal}`;
}

function encodeParked(receipt: ParkedReceipt): Uint8Array {
  const { id, error } = receipt;
  const bytes = Buffer.alloc(ROW_FIXED + id.length + error.length);
  writeUint48(bytes, 0, receipt.at);
  writeUint32(bytes, 6, receipt.linkId);
  bytes[10] = receipt.messageState;
  bytes[11] = id.length;
  bytes[12] = error.length;
  bytes.write(id, ROW_FIXED, "latin1");
  bytes.write(error, ROW_FIXED + id.length, "latin1");
  return bytes;
}

function decodeParked(number: number, value: Uint8Array): ParkedReceipt {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const idEnd = ROW_FIXED + (bytes[11] as number);
  return {
    at: readUint48(bytes, 0),
    linkId: readUint32(bytes, 6),
    messageState: bytes[10] as number,
    id: bytes.toString("latin1", ROW_FIXED, idEnd),
    error: bytes.toString("latin1", idEnd, idEnd + (bytes[12] as number)),
    number,
    isStored: true,
    isGone: false,
    wasRetried: false,
  };
}
