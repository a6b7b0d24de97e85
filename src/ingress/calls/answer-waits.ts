/**
 * `Prefer: wait=N` (RFC 7240): calls that are answered when the operator has answered, or after N
 * seconds.
 *
 *   message durable ─► ledger watches it ─► every part answered ─► 200 and the message
 *                 └──► N seconds over, or nobody may wait any more ─► 202, as without waiting
 *
 * Bounded in number: beyond its app's share of WAITS_MAX a call is answered at once, without
 * Preference-Applied. One instance per listener.
 */
import type { Clock } from "../../environment.ts";
import type { AcceptedTexts } from "../admission/accepted-texts.ts";
import { AppPlaces } from "../admission/app-places.ts";
import type { AppGrant } from "../auth/authentication.ts";
import type { CallEnds } from "./call-ends.ts";
import type { Exchange } from "../http/exchange.ts";
import type { MessageLookup } from "./message-lookup.ts";
import type { PendingMessage } from "./pending-messages.ts";
import type { RateLimitState } from "../http/rate-headers.ts";
import {
  endAnswer,
  JSON_MEDIA_TYPE,
  statusLine,
  writeRateLimit,
  writeReplayed,
} from "../http/reply.ts";

/** Longest wait that is granted; a longer one is cut to it. */
export const WAIT_S_MAX = 30;
/** Calls that wait at once. */
export const WAITS_MAX = 1024;

interface Wait {
  readonly exchange: Exchange;
  readonly appId: number;
  readonly id: string;
  /** Body of the 202. */
  readonly accepted: string;
  readonly limit: RateLimitState | null;
  readonly isReplay: boolean;
  readonly seconds: number;
  readonly deadlineMs: number;
}

export interface AnswerWaitsOptions {
  readonly lookup: MessageLookup;
  readonly clock: Clock;
  readonly ends: CallEnds;
  readonly texts: AcceptedTexts;
}

export class AnswerWaits {
  readonly #options: AnswerWaitsOptions;
  readonly #waits = new Set<Wait>();
  readonly #places = new AppPlaces(WAITS_MAX);

  constructor(options: AnswerWaitsOptions) {
    this.#options = options;
  }

  /**
   * Takes over the answer of an accepted message if its call prefers to wait and may; else false,
   * and the caller answers.
   */
  take(exchange: Exchange, message: PendingMessage): boolean {
    const { lookup, clock, ends, texts } = this.#options;
    const seconds = preferredWait(exchange.prefer);
    const isOpen = exchange.response !== null && !ends.isClosing && !message.isScheduled;
    if (seconds === 0 || !isOpen) return false;
    const { appId } = exchange.grant as AppGrant;
    if (!this.#places.take(appId)) return false;
    const id = texts.id(message);
    const waitMs = seconds * 1000;
    const wait: Wait = {
      exchange,
      appId,
      id,
      accepted: texts.body(id, message),
      limit: message.limit,
      isReplay: message.isReplay,
      seconds,
      deadlineMs: clock.monotonicMs() + waitMs,
    };
    exchange.isHeld = true;
    this.#waits.add(wait);
    const { sequence, origin } = message;
    lookup.awaitAnswer({ sequence, origin }, appId, waitMs, (answer) => {
      if (answer !== null && answer !== "late") this.#end(wait, JSON.stringify(answer));
    });
    return true;
  }

  get isEmpty(): boolean {
    return this.#waits.size === 0;
  }

  /** Answers those whose time is over, and lets go of those whose caller is gone. */
  onTick(): void {
    if (this.#waits.size === 0) return;
    const nowMs = this.#options.clock.monotonicMs();
    for (const wait of this.#waits) {
      if (nowMs >= wait.deadlineMs || wait.exchange.response === null) this.#end(wait, null);
    }
  }

  /** Answers all now: the gateway stops. */
  endAll(): void {
    for (const wait of this.#waits) this.#end(wait, null);
  }

  /** `document`: the message, once it is answered; null: 202. */
  #end(wait: Wait, document: string | null): void {
    if (!this.#waits.delete(wait)) return;
    const { exchange, appId, id, seconds } = wait;
    this.#places.giveBack(appId);
    exchange.isHeld = false;
    const response = exchange.finish();
    if (response !== null) {
      response.cork(() => {
        response.writeStatus(statusLine(document === null ? 202 : 200));
        response.writeHeader("Location", `/v1/messages/${id}`);
        response.writeHeader("Content-Type", JSON_MEDIA_TYPE);
        response.writeHeader("Preference-Applied", `wait=${seconds}`);
        if (wait.isReplay) writeReplayed(response);
        writeRateLimit(response, wait.limit, 0);
        endAnswer(response, document ?? wait.accepted, this.#options.ends.isClosing);
      });
    }
    this.#options.ends.keep(exchange);
  }
}

/** Seconds of the first valid `wait` among preferences, cut to WAIT_S_MAX; 0 without one. */
export function preferredWait(prefer: string): number {
  const found = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;[^,]*)?(?:,|$)/i.exec(prefer);
  return found === null ? 0 : Math.min(WAIT_S_MAX, Number(found[1]));
}
