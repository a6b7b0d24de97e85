/**
 * One system_id: its sessions that take receipts, the receipts due for them, and its contract rate.
 *
 *   head ──► job ──► job ──► tail      due receipts wait here until a session's window has room
 *
 * The rate is exact: `tps` timestamps of the latest accepted submits, of which the oldest must lie
 * a second back. Accounts outlive their sessions, so receipts wait for the next bind. One thread.
 */
import { JOB_NONE, JOB_WORD } from "./job-pool.ts";
import type { Deliverer, SmscShared } from "./shared.ts";

/** A session bound as receiver or transceiver. */
export interface Receiver {
  hasReceiptRoom(): boolean;
  sendReceipt(job: number): void;
}

const SECOND_MS = 1000;

export class Account implements Deliverer {
  readonly index: number;
  readonly systemId: string;
  /** Sessions bound in any way. */
  boundCount = 0;
  readonly #shared: SmscShared;
  readonly #receivers: Receiver[] = [];
  readonly #acceptedMs: Float64Array | null;
  #oldest = 0;
  #cursor = 0;
  #head = JOB_NONE;
  #tail = JOB_NONE;
  #isDirty = false;

  constructor(shared: SmscShared, index: number, systemId: string) {
    this.#shared = shared;
    this.index = index;
    this.systemId = systemId;
    const { tps } = shared.options;
    this.#acceptedMs = tps === null ? null : new Float64Array(tps).fill(Number.NEGATIVE_INFINITY);
  }

  addReceiver(receiver: Receiver): void {
    this.#receivers.push(receiver);
    this.#markDirty();
  }

  removeReceiver(receiver: Receiver): void {
    const at = this.#receivers.indexOf(receiver);
    if (at >= 0) this.#receivers.splice(at, 1);
    this.#cursor = 0;
  }

  /** Counts a submit against the contract rate; false if it is one too many within a second. */
  takesSubmit(nowMs: number): boolean {
    const times = this.#acceptedMs;
    if (times === null) return true;
    if (nowMs - times[this.#oldest]! < SECOND_MS) return false;
    times[this.#oldest] = nowMs;
    this.#oldest = this.#oldest + 1 === times.length ? 0 : this.#oldest + 1;
    return true;
  }

  /** Puts a receipt that is due behind the others. */
  enqueue(job: number): void {
    this.#shared.pool.set(job, JOB_WORD.NEXT, JOB_NONE);
    if (this.#tail === JOB_NONE) this.#head = job;
    else this.#shared.pool.set(this.#tail, JOB_WORD.NEXT, job);
    this.#tail = job;
    this.#markDirty();
  }

  /** A session's window or outbox has room again. */
  onRoom(): void {
    if (this.#head !== JOB_NONE) this.#markDirty();
  }

  #markDirty(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#shared.deliverLater(this);
  }

  /** Hands queued receipts to the sessions in turn, as far as they have room. */
  deliverQueued(): void {
    this.#isDirty = false;
    while (this.#head !== JOB_NONE) {
      const receiver = this.#nextReceiver();
      if (receiver === null) return;
      const job = this.#head;
      this.#head = this.#shared.pool.get(job, JOB_WORD.NEXT);
      if (this.#head === JOB_NONE) this.#tail = JOB_NONE;
      receiver.sendReceipt(job);
    }
  }

  #nextReceiver(): Receiver | null {
    const count = this.#receivers.length;
    for (let i = 0; i < count; i++) {
      this.#cursor = this.#cursor + 1 < count ? this.#cursor + 1 : 0;
      const receiver = this.#receivers[this.#cursor]!;
      if (receiver.hasReceiptRoom()) return receiver;
    }
    return null;
  }
}
