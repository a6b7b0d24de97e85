/**
 * POST /v1/messages:batch: up to 1,000 messages in one body, one reply.
 *
 *   {"messages": [m0, m1, m2]} ─► m0 staged, m1 refused, m2 staged ─► [commits] ─► one answer
 *
 * Each message is admitted as if it came alone, in order; results keep that order. The answer is
 * 202 if any was accepted, else the status of the first problem. One instance per listener.
 */
import { ERRORS, type FieldError, problemJson, type ProblemSource } from "../../errors.ts";
import type { AcceptedBytes } from "../admission/accepted-bytes.ts";
import type { AcceptedTexts } from "../admission/accepted-texts.ts";
import { Admit } from "../admission/admission.ts";
import type { AppGrant } from "../auth/authentication.ts";
import { BatchReply } from "./batch-reply.ts";
import type { BatchAdmitter, BatchTurns } from "./batch-turns.ts";
import type { BatchWaits, ReadyCall } from "./batch-waits.ts";
import { admissionProblem, type CallEnds } from "./call-ends.ts";
import type { CallKind, Exchange } from "../http/exchange.ts";
import { keyOfItem } from "../admission/idempotency.ts";
import type { Ingress } from "../ingress.ts";
import { pointerStep, readJson } from "../http/json-body.ts";
import { refuse } from "../admission/message-fields.ts";
import type { PendingMessage, Ticket } from "./pending-messages.ts";
import { PlainBatch } from "../admission/plain-batch.ts";
import {
  endAnswer,
  JSON_MEDIA_TYPE,
  statusLine,
  writeRateLimit,
  writeReplayed,
} from "../http/reply.ts";
import type { RateLimitState } from "../http/rate-headers.ts";

/** Messages of one batch. */
export const BATCH_MESSAGES_MAX = 1000;
/**
 * Errors listed of one message of a batch: so the answer has at most twice the body's bytes, which
 * names in pointers may repeat, and a megabyte.
 */
export const MESSAGE_ERRORS_MAX = 8;
/** Replies kept for further batches. */
const SPARE_MAX = 64;

export class BatchCall implements CallKind, BatchAdmitter {
  readonly bodyBytesMax: number;
  readonly #ingress: Ingress;
  readonly #ends: CallEnds;
  readonly #makers: ResultMakers;
  readonly #turns: BatchTurns;
  readonly #plain = new PlainBatch();

  constructor(
    ingress: Ingress,
    ends: CallEnds,
    turns: BatchTurns,
    texts: AcceptedTexts,
    bytes: AcceptedBytes,
    bodyBytesMax: number,
  ) {
    this.#ingress = ingress;
    this.#ends = ends;
    this.#turns = turns;
    this.#makers = { texts, bytes, waits: turns.answers, replies: [] };
    this.bodyBytesMax = bodyBytesMax;
  }

  start(exchange: Exchange, grant: AppGrant): void {
    this.#turns.take(exchange, grant, this);
  }

  /** Admits the batch now, as far as there is room. */
  admit(exchange: Exchange, grant: AppGrant): void {
    const ingress = this.#ingress;
    if (ingress.isShedding()) {
      this.#ends.refuseAdmission(exchange, Admit.OVERLOADED, ingress.outcome);
      return;
    }
    const errors: FieldError[] = [];
    const { body, idempotencyKey } = exchange;
    // Requests with a key are compared with later ones, as JSON.
    const isPlain = idempotencyKey === "" && this.#plain.read(body, BATCH_MESSAGES_MAX);
    const messages = isPlain ? null : readBatch(body, errors);
    if (errors.length > 0) {
      this.#ends.refuseInvalid(exchange, errors);
      return;
    }
    const count = messages?.length ?? this.#plain.count;
    if (count > BATCH_MESSAGES_MAX) {
      const detail = `the batch has more than ${BATCH_MESSAGES_MAX} messages`;
      this.#ends.refuse(exchange, { code: "too-large", detail });
      return;
    }
    const batch = new Batch(count, exchange, this.#ends, this.#makers);
    exchange.isHeld = true;
    this.#admitEach(batch, count, messages, exchange, grant);
    batch.noneFollows();
  }

  /** Admits `messages`; null: those of the plain batch. */
  #admitEach(
    batch: Batch,
    count: number,
    messages: readonly unknown[] | null,
    { from, idempotencyKey }: Exchange,
    { appIndex, scopes }: AppGrant,
  ): void {
    const ingress = this.#ingress;
    for (let item = 0; item < count; item++) {
      const message = messages === null ? this.#plain.next() : messages[item];
      const key = idempotencyKey === "" ? "" : keyOfItem(idempotencyKey, item);
      const code = ingress.accept(appIndex, message, scopes, batch, from, item, key);
      if (code === Admit.STAGED) continue;
      const { outcome } = ingress;
      const limit = code === Admit.RATE_LIMITED ? outcome.limit : null;
      batch.refused(item, admissionProblem(code, outcome, `/messages/${item}`), limit);
    }
  }

  onAccepted(): void {
    throw new Error("a batch is its own ticket");
  }
}

/** What results are made with. */
interface ResultMakers {
  readonly texts: AcceptedTexts;
  readonly bytes: AcceptedBytes;
  readonly waits: BatchWaits;
  /** Kept for further batches. */
  readonly replies: BatchReply[];
}

/** One batch between its messages' admission and its answer. */
class Batch implements Ticket, ReadyCall {
  readonly #count: number;
  readonly #reply: BatchReply;
  readonly #exchange: Exchange;
  readonly #ends: CallEnds;
  readonly #makers: ResultMakers;
  #accepted = 0;
  #replayed = 0;
  /** Messages without a result, and one more until all are admitted. */
  #missing: number;
  #firstProblem: ProblemSource | null = null;
  #limit: RateLimitState | null = null;

  constructor(count: number, exchange: Exchange, ends: CallEnds, makers: ResultMakers) {
    this.#count = count;
    this.#reply = makers.replies.pop() ?? new BatchReply();
    this.#missing = count + 1;
    this.#exchange = exchange;
    this.#ends = ends;
    this.#makers = makers;
  }

  accepted(message: PendingMessage): void {
    this.#accepted++;
    this.#limit = message.limit;
    if (message.isReplay) this.#replayed++;
    const { item, isReplay } = message;
    const { texts, bytes } = this.#makers;
    const result = isReplay || !this.#reply.isNext(item) ? null : bytes.object(message);
    if (result === null) this.#reply.addText(item, `{${texts.result(message)}}`);
    else this.#reply.add(result);
    this.#countDown();
  }

  refused(item: number, source: ProblemSource, limit: RateLimitState | null): void {
    if (this.#firstProblem === null) {
      this.#firstProblem = source;
      this.#limit = limit;
    }
    const errors = source.errors?.slice(0, MESSAGE_ERRORS_MAX);
    const shown = errors === undefined ? source : { ...source, errors };
    this.#reply.addText(item, `{"problem":${problemJson(shown)}}`);
    this.#countDown();
  }

  noneFollows(): void {
    this.#countDown();
  }

  #countDown(): void {
    if (--this.#missing > 0) return;
    if (this.#accepted === 0) this.answer();
    else this.#makers.waits.answer(this);
  }

  answer(): void {
    const exchange = this.#exchange;
    exchange.isHeld = false;
    const response = exchange.finish();
    const problem = this.#accepted === 0 ? this.#firstProblem : null;
    if (response !== null) {
      const body = this.#reply.body(this.#accepted);
      response.cork(() => {
        response.writeStatus(statusLine(problem === null ? 202 : ERRORS[problem.code].http));
        response.writeHeader("Content-Type", JSON_MEDIA_TYPE);
        if (this.#replayed === this.#count) writeReplayed(response);
        const retryAfterS = problem?.retryAfterS ?? 0;
        if (retryAfterS > 0) response.writeHeader("Retry-After", String(retryAfterS));
        writeRateLimit(response, this.#limit, retryAfterS);
        endAnswer(response, body, this.#ends.isClosing);
      });
    }
    this.#keepReply();
    this.#ends.keep(exchange);
  }

  #keepReply(): void {
    const { replies } = this.#makers;
    if (!this.#reply.isKept || replies.length >= SPARE_MAX) return;
    this.#reply.reset();
    replies.push(this.#reply);
  }
}

/** The messages of a batch; null if the body is none, with the reasons in `errors`. */
function readBatch(bytes: Buffer, errors: FieldError[]): readonly unknown[] | null {
  const body = readJson(bytes, errors);
  if (errors.length > 0) return null;
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    errors.push({ pointer: "", detail: "must be a JSON object with messages" });
    return null;
  }
  for (const name of Object.keys(body)) {
    if (name !== "messages") refuse(errors, pointerStep(name), "is not a known field");
  }
  const { messages } = body as { messages?: unknown };
  if (!Array.isArray(messages) || messages.length === 0) {
    errors.push({ pointer: "/messages", detail: `must be 1 to ${BATCH_MESSAGES_MAX} messages` });
  }
  return errors.length > 0 ? null : (messages as readonly unknown[]);
}
