/**
 * POST /v1/messages, and what it would say: POST /v1/messages:preview.
 *
 *   body ─► Ingress.accept ─► [commit] ─► 202, or with `Prefer: wait` the operator's answer
 *   body ─► Ingress.preview ─► 200 and a verdict; nothing is sent, nothing is charged
 *
 * One instance of each per listener, used by its thread only.
 */
import { type FieldError, problemOf } from "../../errors.ts";
import { BODY_ENCODING_NAMES, MESSAGE_CLASS_NAMES } from "../../records/types.ts";
import type { AcceptedWriter } from "../admission/accepted-writer.ts";
import { Admit } from "../admission/admission.ts";
import type { AnswerWaits } from "./answer-waits.ts";
import type { AppGrant } from "../auth/authentication.ts";
import { admissionProblem, type CallEnds } from "./call-ends.ts";
import type { CallKind, Exchange } from "../http/exchange.ts";
import type { Ingress } from "../ingress.ts";
import { readJson } from "../http/json-body.ts";
import type { PendingMessage } from "./pending-messages.ts";
import { PlainMessage } from "../admission/plain-message.ts";
import { JSON_MEDIA_TYPE, writeText } from "../http/reply.ts";

/** One message. */
export class MessageCall implements CallKind {
  readonly bodyBytesMax: number;
  readonly #ingress: Ingress;
  readonly #ends: CallEnds;
  readonly #writer: AcceptedWriter;
  readonly #waits: AnswerWaits;
  readonly #plain = new PlainMessage();

  constructor(
    ingress: Ingress,
    ends: CallEnds,
    writer: AcceptedWriter,
    waits: AnswerWaits,
    bodyBytesMax: number,
  ) {
    this.#ingress = ingress;
    this.#ends = ends;
    this.#writer = writer;
    this.#waits = waits;
    this.bodyBytesMax = bodyBytesMax;
  }

  start(exchange: Exchange, grant: AppGrant): void {
    const ingress = this.#ingress;
    if (ingress.isShedding()) {
      this.#ends.refuseAdmission(exchange, Admit.OVERLOADED, ingress.outcome);
      return;
    }
    const { from, idempotencyKey } = exchange;
    const errors: FieldError[] = [];
    // A request with a key is compared with later ones, as JSON.
    const isPlain = idempotencyKey === "" && this.#plain.read(exchange.body);
    const body = isPlain ? this.#plain : readJson(exchange.body, errors);
    if (errors.length > 0) {
      this.#ends.refuseInvalid(exchange, errors);
      return;
    }
    const { appIndex, scopes } = grant;
    const code = ingress.accept(appIndex, body, scopes, exchange, from, 0, idempotencyKey);
    if (code === Admit.STAGED) exchange.isHeld = true;
    else this.#ends.refuseAdmission(exchange, code, ingress.outcome);
  }

  onAccepted(exchange: Exchange, message: PendingMessage): void {
    exchange.isHeld = false;
    if (exchange.prefer !== "" && this.#waits.take(exchange, message)) return;
    const response = exchange.finish();
    if (response !== null) this.#writer.write(response, message, this.#ends.isClosing);
    this.#ends.keep(exchange);
  }
}

/** What would become of one message. */
export class PreviewCall implements CallKind {
  readonly bodyBytesMax: number;
  readonly #ingress: Ingress;
  readonly #ends: CallEnds;

  constructor(ingress: Ingress, ends: CallEnds, bodyBytesMax: number) {
    this.#ingress = ingress;
    this.#ends = ends;
    this.bodyBytesMax = bodyBytesMax;
  }

  start(exchange: Exchange, grant: AppGrant): void {
    const ingress = this.#ingress;
    const errors: FieldError[] = [];
    const body = readJson(exchange.body, errors);
    if (errors.length > 0) {
      this.#ends.refuseInvalid(exchange, errors);
      return;
    }
    const code = ingress.preview(grant.appIndex, body, grant.scopes, exchange.from);
    if (code === Admit.INVALID || code === Admit.FORBIDDEN) {
      this.#ends.refuseAdmission(exchange, code, ingress.outcome);
      return;
    }
    const text = JSON.stringify(this.#describe(code));
    const response = exchange.finish();
    if (response !== null) writeText(response, JSON_MEDIA_TYPE, text);
    this.#ends.keep(exchange);
  }

  onAccepted(): void {
    throw new Error("a preview admits nothing");
  }

  #describe(code: number): object {
    const { draft, outcome } = this.#ingress;
    const { poolIndex, encoding, parts, transliterated } = outcome;
    const isRouted = code !== Admit.NO_ROUTE;
    return {
      verdict: code === Admit.STAGED ? "accepted" : "refused",
      ...(code === Admit.STAGED ? {} : { problem: problemOf(admissionProblem(code, outcome)) }),
      // How a text is encoded and cut depends on the links that would send it.
      segments: isRouted ? parts : null,
      encoding: isRouted ? BODY_ENCODING_NAMES[encoding as 0 | 1 | 2 | 3] : null,
      characters: draft.text === null ? null : countCharacters(draft.text),
      ...(isRouted && transliterated !== "" ? { transliterated } : {}),
      class: MESSAGE_CLASS_NAMES[draft.messageClass as 0 | 1 | 2],
      priority: draft.priority,
      ttl_s: draft.ttlS,
      route: isRouted ? this.#ingress.poolIdOf(poolIndex) : null,
    };
  }
}

/** Characters as people count them in code points, not in units of UTF-16. */
function countCharacters(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++;
  return count;
}
