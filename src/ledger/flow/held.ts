/**
 * Held messages: which there are, and decisions about them on their way through the log.
 *
 *   resolve ─► RESOLVED staged ─► [journal commit] ─► applied ─► answered
 *
 * A decision is answered when it is in the log and applied, so it survives whatever comes after the
 * answer. Held messages are few: their keys stand in a table of their own. The ledger's thread
 * only.
 */
import { MESSAGE_KEY_BYTES, type MessageKey } from "../../records/message-key.ts";
import { Decision } from "../../records/resolved.ts";
import type { Conclusions } from "../conclusions.ts";
import {
  type MessageState,
  MessageStatus,
  readKeyOrigin,
  readKeySequence,
} from "../messages/message-state.ts";
import type { Messages } from "../messages/messages.ts";
import type { MessageSummary } from "../queries.ts";
import { writeKeyBytes } from "../messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** Decisions that may be on their way at once. */
const PENDING_MAX = 10_000;
const EMPTY = Uint8Array.of(0);

/** A held message, and whose it is. */
export type HeldDocument = MessageSummary & { readonly app: number };

export interface HeldPage {
  readonly data: readonly HeldDocument[];
  readonly next: string | null;
}

/** What became of a decision. */
export type Resolution = "resolved" | "not_held" | "unknown" | "overloaded";

interface Pending {
  readonly done: (resolution: Resolution) => void;
}

export class HeldMessages {
  readonly #store: LedgerStore;
  readonly #key = new Uint8Array(MESSAGE_KEY_BYTES);
  readonly #pending = new Map<string, Pending[]>();
  #pendingCount = 0;

  constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** A message's status has changed from `before`. */
  note(message: MessageState, before: number): void {
    const isHeld = message.status === MessageStatus.HELD;
    if (!isHeld && before !== MessageStatus.HELD) return;
    writeKeyBytes(this.#key, 0, message.sequence, message.origin);
    if (isHeld) this.#store.put(LedgerTable.HELD, this.#key, EMPTY);
    else this.#store.remove(LedgerTable.HELD, this.#key);
  }

  /** Keys of held messages behind `after`, oldest first, as of the last visible commit. */
  list(after: MessageKey | null, limit: number): MessageKey[] {
    const from = new Uint8Array(MESSAGE_KEY_BYTES + 1);
    if (after !== null) writeKeyBytes(from, 0, after.sequence, after.origin);
    const start = after === null ? new Uint8Array(0) : from;
    const keys: MessageKey[] = [];
    this.#store.keys(LedgerTable.HELD, start, (key) => {
      keys.push({ sequence: readKeySequence(key, 0), origin: readKeyOrigin(key, 0) });
      return keys.length < limit;
    });
    return keys;
  }

  /**
   * Decides about a message (`Decision`); `done` is told once, when the decision is durable or
   * there is none to make.
   */
  resolve(
    messages: Messages,
    conclusions: Conclusions,
    key: MessageKey,
    decision: number,
    done: (resolution: Resolution) => void,
  ): void {
    const message = messages.find(key.sequence, key.origin);
    if (message === null) {
      done("unknown");
    } else if (message.status !== MessageStatus.HELD) {
      done("not_held");
    } else if (
      this.#pendingCount >= PENDING_MAX ||
      !conclusions.resolve(key.sequence, key.origin, decision)
    ) {
      done("overloaded");
    } else {
      const name = nameOf(key.sequence, key.origin);
      const waiting = this.#pending.get(name);
      if (waiting === undefined) this.#pending.set(name, [{ done }]);
      else waiting.push({ done });
      this.#pendingCount++;
    }
  }

  /** The oldest RESOLVED about this message has been applied; `isChanged`: it found it held. */
  onResolved(sequence: number, origin: number, isChanged: boolean): void {
    const name = nameOf(sequence, origin);
    const waiting = this.#pending.get(name);
    const pending = waiting?.shift();
    if (pending === undefined) return;
    this.#pendingCount--;
    if (waiting?.length === 0) this.#pending.delete(name);
    pending.done(isChanged ? "resolved" : "not_held");
  }
}

/** A ledger that decides about held messages. */
interface Decider {
  resolveHeld(key: MessageKey, decision: number, done: (resolution: Resolution) => void): void;
}

/** Decides about several; `done` is told all outcomes, in order, when the last is known. */
export function resolveHeld(
  ledger: Decider,
  keys: readonly MessageKey[],
  decision: "resend" | "fail",
  done: (outcomes: readonly Resolution[]) => void,
): void {
  const outcomes: Resolution[] = keys.map(() => "unknown");
  let open = keys.length;
  if (open === 0) done(outcomes);
  const value = decision === "resend" ? Decision.RESEND : Decision.FAIL;
  for (const [i, key] of keys.entries()) {
    ledger.resolveHeld(key, value, (outcome) => {
      outcomes[i] = outcome;
      if (--open === 0) done(outcomes);
    });
  }
}

function nameOf(sequence: number, origin: number): string {
  return `${sequence}|${origin}`;
}
