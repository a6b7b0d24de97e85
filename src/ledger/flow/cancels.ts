/**
 * Calls that take a message back, from the question to the answer.
 *
 *   cancel ─► not begun? ─► its owner takes it out ─► CONCLUDED canceled ─► applied ─► told
 *                             └─ begun: refused ────────────────────────────────────► told
 *
 * The owner decides, since only it knows whether the message is still to be had: this ledger for
 * what it puts to workers, the ingress thread that accepted it otherwise. The answer follows the
 * commit, so it survives whatever comes after it. The ledger's thread only.
 */
import { epochOf, type MessageKey, producerOf } from "../../records/message-key.ts";
import {
  type MessageState,
  MessageStatus,
  NO_VERDICT,
  sendAtOf,
} from "../messages/message-state.ts";
import type { Messages } from "../messages/messages.ts";
import { isPutOff, PartState } from "../messages/part-state.ts";
import type { LedgerPolicy } from "../policy.ts";

/** What became of a call. */
export type CancelOutcome = "canceled" | "not_cancellable" | "unknown" | "overloaded";

/** To the ingress thread that owns a message: take it back and conclude it. */
export interface CancelOrder {
  readonly sequence: number;
  readonly origin: number;
  readonly logOffset: number;
  readonly poolIndex: number;
  readonly priority: number;
  readonly appIndex: number;
  readonly partCount: number;
}

/** Sends an order to the ingress thread with this producer number. */
export type CancelOrders = (producer: number, order: CancelOrder) => void;

/** Messages under way to be canceled, and how long a call waits for one. */
const PENDING_MAX = 10_000;
export const CANCEL_MS_MAX = 5000;
const LOOK_MS = 50;

interface Call {
  readonly untilMs: number;
  readonly done: (outcome: CancelOutcome) => void;
}

export interface CancelsOptions {
  readonly messages: Messages;
  readonly policy: LedgerPolicy;
  readonly epoch: number;
  readonly orders: CancelOrders;
  /**
   * Ends a message that the ledger owns, or has the owner's refusal told (`onRefused`); false: not
   * now.
   */
  readonly cancelOwn: (message: MessageState, order: CancelOrder) => boolean;
}

export class Cancels {
  readonly #options: CancelsOptions;
  /** By message: an order is under way as long as its entry stands, callers or not. */
  readonly #calls = new Map<string, Call[]>();

  #nextLookAt = 0;

  constructor(options: CancelsOptions) {
    this.#options = options;
  }

  /** Takes a message of an app back; `done` is told once. `now`: wall ms. */
  cancel(
    key: MessageKey,
    appId: number,
    now: number,
    done: (outcome: CancelOutcome) => void,
  ): void {
    const message = this.#options.messages.find(key.sequence, key.origin);
    if (message === null || message.appId !== appId) done("unknown");
    else if (message.status === MessageStatus.CANCELED) done("canceled");
    else if (!isUntouched(message)) done("not_cancellable");
    else if (this.#calls.size >= PENDING_MAX) done("overloaded");
    else {
      const name = nameOf(key);
      const call = { untilMs: now + CANCEL_MS_MAX, done };
      const calls = this.#calls.get(name);
      if (calls !== undefined) {
        calls.push(call);
        return;
      }
      this.#calls.set(name, [call]);
      if (!this.#order(message)) this.#tell(key, "overloaded");
    }
  }

  /** Its owner has begun it. */
  onRefused(key: MessageKey): void {
    this.#tell(key, "not_cancellable");
  }

  /** The log has CONCLUDED of this message. */
  onConcluded(message: MessageState): void {
    if (this.#calls.size === 0) return;
    const isCanceled = message.status === MessageStatus.CANCELED;
    this.#tell(message, isCanceled ? "canceled" : "not_cancellable");
  }

  /** Messages whose owner has been asked for them. */
  get count(): number {
    return this.#calls.size;
  }

  /** Gives up those that wait too long: whether they take effect shows later. `now`: wall ms. */
  doWork(now: number): void {
    if (this.#calls.size === 0 || now < this.#nextLookAt) return;
    this.#nextLookAt = now + LOOK_MS;
    for (const [name, calls] of this.#calls) {
      if (calls.length === 0 || (calls[0] as Call).untilMs > now) continue;
      this.#calls.set(name, []);
      for (const { done } of calls) done("overloaded");
    }
  }

  #order(message: MessageState): boolean {
    const { policy, epoch, orders, cancelOwn } = this.#options;
    const { sequence, origin, logOffset, priority } = message;
    const order: CancelOrder = {
      sequence,
      origin,
      logOffset,
      priority,
      poolIndex: policy.plan.poolIndexById.get(message.poolId) ?? -1,
      appIndex: policy.plan.appIndexById.get(message.appId) ?? 0,
      partCount: message.parts.length,
    };
    const isOwn =
      epochOf(origin) !== epoch || sendAtOf(message) !== null || message.parts.some(isPutOff);
    if (isOwn) return cancelOwn(message, order);
    if (order.poolIndex < 0) return false;
    orders(producerOf(origin), order);
    return true;
  }

  #tell(key: MessageKey, outcome: CancelOutcome): void {
    const name = nameOf(key);
    const calls = this.#calls.get(name);
    if (calls === undefined) return;
    this.#calls.delete(name);
    for (const { done } of calls) done(outcome);
  }
}

/** Whether the log shows no attempt at any part that was begun, nor an end. */
function isUntouched(message: MessageState): boolean {
  if (message.verdict !== NO_VERDICT) return false;
  return message.parts.every((part) => {
    const { state, attempt, dueAt } = part;
    if (attempt !== 0) return false;
    return state === PartState.WAITING
      ? dueAt === 0
      : state === PartState.SCHEDULED || isPutOff(part);
  });
}

function nameOf({ sequence, origin }: MessageKey): string {
  return `${sequence}/${origin}`;
}
