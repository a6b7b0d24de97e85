/**
 * The agent of an ingress thread: admits messages, and when they are durable dispatches and answers
 * them.
 *
 *   accept ─► ACCEPT staged ─► [journal commit] ─► dispatcher ─► ticket.accepted
 *
 * Order rule (a): nothing is answered or published before its commit is seen. As owner of what
 * waits it ends expired messages by CONCLUDED. Knows nothing of HTTP; one instance per thread, used
 * by that thread only.
 */
import type { PoolPlan } from "../config/derive.ts";
import type { Dispatcher, LinkDirectory, WaitingOwner } from "../dispatch/dispatcher.ts";
import { emptyDispatchEntry, type WholeMessage } from "../dispatch/waiting-room.ts";
import type { CommitVisitor, JournalAppender } from "../journal/appender.ts";
import type { RecordLoader } from "../journal/log-reading.ts";
import { Counter, Histogram } from "../metrics/block.ts";
import { Accept, ACCEPT_TYPE, sendableFrom } from "../records/accept.ts";
import { Concluded, CONCLUDED_BYTES, CONCLUDED_TYPE, Verdict } from "../records/concluded.ts";
import type { MessageKey } from "../records/message-key.ts";
import { RING_FULL } from "../ring/layout.ts";
import type { LogTable } from "../tables/log-table.ts";
import { ProducerWord, producerWord } from "../tables/producer-table.ts";
import {
  Admission,
  type AdmissionOptions,
  type AdmissionOutcome,
  Admit,
} from "./admission/admission.ts";
import { UNKNOWN_ADDRESS } from "./http/address-filter.ts";
import type { MessageDraft } from "./admission/message-fields.ts";
import type { MessageLookup } from "./calls/message-lookup.ts";
import { PendingMessage, PendingMessages, type Ticket } from "./calls/pending-messages.ts";
import { type RefusalCode, Refusals } from "./http/refusals.ts";

/** So many calls go to the journal at once: it commits them while further ones are still read. */
const PUBLISH_EARLY = 16;
/**
 * … and after so many, what was committed meanwhile goes to the workers: a batch of a thousand
 * messages would else leave them without work.
 */
const DISPATCH_EARLY = 256;
/** Calls that may wait for their commit. */
export const PENDING_MAX = 16_384;
/** A waiting message that cannot be read now is looked at again after this time. */
const UNREADABLE_RETRY_MS = 60_000;

/** Errors of the refusals that get a CDR row. */
const REFUSAL_CODES: ReadonlyMap<number, RefusalCode> = new Map([
  [Admit.INVALID, "invalid"],
  [Admit.FORBIDDEN, "forbidden"],
  [Admit.NO_ROUTE, "no-route"],
  [Admit.RATE_LIMITED, "rate-limited"],
]);

export interface IngressOptions extends AdmissionOptions {
  readonly dispatcherOf: (owner: WaitingOwner) => Dispatcher;
  /** Reads ACCEPTs of expired waiting messages. */
  readonly loader: RecordLoader;
  readonly lookup: MessageLookup;
  /** Of the producer table. */
  readonly producerWords: Int32Array;
  /** "Call doWork soon": the runner's `wake`. */
  readonly wake: () => void;
  /** Refused calls a second that get a CDR row; default none. */
  readonly refusalsPerSMax?: number;
  /** Power of two; default PENDING_MAX. */
  readonly pendingMax?: number;
}

/** A message to be taken back. */
export interface TakeBack extends WholeMessage {
  readonly sequence: number;
  readonly origin: number;
}

/** What else lives in an ingress thread: the calls of its listener. */
export interface IngressFollower {
  /** At each tick of the thread. */
  onTick(): void;
  /** At the end of each `doWork`: what was durable is answered. */
  afterWork(): void;
  /** Whether no call waits for its time. */
  isQuiet(): boolean;
}

export class Ingress implements CommitVisitor, WaitingOwner {
  readonly dispatcher: Dispatcher;
  readonly lookup: MessageLookup;
  readonly logTable: LogTable;
  readonly origin: number;
  readonly #options: IngressOptions;
  readonly #admission: Admission;
  readonly #appender: JournalAppender;
  readonly #pending: PendingMessages;
  readonly #entry = emptyDispatchEntry();
  readonly #refusals: Refusals | null;
  #follower: IngressFollower | null = null;
  /** Taken back, CONCLUDED still to be staged. */
  #toConclude: TakeBack[] = [];
  /** Messages of earlier calls, to be told to those that repeat them. */
  #replays: PendingMessage[] = [];
  #unpublished = 0;
  /** Messages staged since workers were last given any. */
  #sinceDispatch = 0;
  #draining = false;

  constructor(options: IngressOptions) {
    this.#options = options;
    this.#admission = new Admission(options, () => this.dispatcher);
    const perSMax = options.refusalsPerSMax ?? 0;
    this.#refusals = perSMax === 0 ? null : new Refusals({ ...options, perSMax });
    this.#appender = options.appender;
    this.logTable = options.logTable;
    this.#pending = new PendingMessages(options.pendingMax ?? PENDING_MAX);
    this.origin = this.#admission.origin;
    this.lookup = options.lookup;
    this.dispatcher = options.dispatcherOf(this);
  }

  /** What the last `accept` found. */
  get outcome(): AdmissionOutcome {
    return this.#admission.outcome;
  }

  /** Calls without an answer. */
  get pendingCount(): number {
    return this.#pending.count;
  }

  /**
   * Whether nothing can be taken now, whatever it is; if so `outcome` says why. Cheap: ask before
   * parsing.
   */
  isShedding(): boolean {
    const { outcome } = this.#admission;
    outcome.retryAfterS = 1;
    if (this.#draining) outcome.detail = "the gateway is stopping";
    else if (this.#pending.isFull()) outcome.detail = "too many calls wait for the journal";
    else if (this.dispatcher.waitingRoom <= this.#pending.uncommittedCount) {
      outcome.detail = "too many messages wait for a link";
    } else return false;
    return true;
  }

  /**
   * Whether half of what may wait for the journal does, in messages or bytes: it commits in
   * milliseconds, and what comes in hundreds may wait so long.
   */
  isCrowded(): boolean {
    const { appender } = this.#options;
    return this.#pending.isHalfFull || 2 * appender.pendingBytes() >= appender.stagedBytesMax;
  }

  /**
   * Admits one message, a PlainMessage or parsed JSON, sent from `from` with the idempotency key
   * `key` (empty: none). Admit.STAGED: `ticket` will be told when the message, its number `item`,
   * is durable; with a known key that is the message of the earlier call. Anything else: refused
   * for good, `outcome` says why.
   */
  accept(
    appIndex: number,
    body: unknown,
    scopes: number,
    ticket: Ticket,
    from: ArrayBuffer = UNKNOWN_ADDRESS,
    item: number = 0,
    key: string = "",
  ): number {
    const code = this.isShedding()
      ? Admit.OVERLOADED
      : this.#admission.admit(appIndex, body, scopes, from, key);
    if (code === Admit.REPLAYED) {
      this.#replay(ticket, item);
      return Admit.STAGED;
    }
    if (code !== Admit.STAGED) {
      this.#options.metrics.add(Counter.messagesRefused, 1);
      if (this.#refusals !== null) this.#recordRefusal(code, appIndex, body);
      return code;
    }
    this.#note(appIndex, ticket, item);
    return code;
  }

  /**
   * The same for a message that sends the dead letter `of` anew, as an operator at `from` wants it.
   */
  replay(
    appIndex: number,
    body: unknown,
    of: MessageKey,
    ticket: Ticket,
    from: ArrayBuffer,
    item: number,
  ): number {
    const code = this.isShedding()
      ? Admit.OVERLOADED
      : this.#admission.admitReplay(appIndex, body, from, of);
    if (code === Admit.STAGED) this.#note(appIndex, ticket, item);
    else this.#options.metrics.add(Counter.messagesRefused, 1);
    return code;
  }

  /** Index of the app with this id, -1 if it is not configured. */
  appIndexOf(appId: number): number {
    return this.#admission.appIndexOf(appId);
  }

  /** The message was accepted before: `ticket` is told soon, and never within its own call. */
  #replay(ticket: Ticket, item: number): void {
    const { outcome } = this.#admission;
    const message = new PendingMessage();
    message.ticket = ticket;
    message.item = item;
    message.sequence = outcome.sequence;
    message.origin = outcome.origin;
    message.isScheduled = outcome.isScheduled;
    message.parts = outcome.parts;
    message.encoding = outcome.encoding;
    message.reference = outcome.reference;
    message.transliterated = outcome.transliterated;
    message.isReplay = true;
    this.#replays.push(message);
    this.#options.wake();
  }

  /** The message was staged: `ticket` is told when it is durable. */
  #note(appIndex: number, ticket: Ticket, item: number): void {
    const { outcome } = this.#admission;
    const slot = this.#pending.stage();
    slot.ticket = ticket;
    slot.item = item;
    slot.sequence = outcome.sequence;
    slot.origin = outcome.origin;
    slot.claim = this.#admission.keys.claimed;
    slot.poolIndex = outcome.poolIndex;
    slot.priority = outcome.priority;
    slot.appIndex = appIndex;
    slot.isScheduled = outcome.isScheduled;
    slot.expiresAtMs = outcome.expiresAtMs;
    slot.parts = outcome.parts;
    slot.encoding = outcome.encoding;
    slot.reference = outcome.reference;
    slot.transliterated = outcome.transliterated;
    slot.limit = outcome.limit;
    slot.admittedAtMs = outcome.admittedAtMs;
    if (this.#unpublished++ === 0) this.#options.wake();
    if (this.#unpublished >= PUBLISH_EARLY) this.#publish();
    if (++this.#sinceDispatch >= DISPATCH_EARLY) this.#dispatch();
  }

  /** Stages the row of a refused call; calls that were shed have none. */
  #recordRefusal(code: number, appIndex: number, body: unknown): void {
    const error = REFUSAL_CODES.get(code);
    if (error === undefined || this.#refusals === null) return;
    const app = this.#admission.appIdOf(appIndex);
    const pool = code === Admit.RATE_LIMITED ? this.#admission.poolIdOf(this.outcome.poolIndex) : 0;
    if (!this.#refusals.stage(error, "", app, pool, body)) return;
    if (this.#unpublished++ === 0) this.#options.wake();
  }

  /** What `accept` would say now (Admission.preview). */
  preview(appIndex: number, body: unknown, scopes: number, from: ArrayBuffer): number {
    const code = this.#admission.preview(appIndex, body, scopes, from);
    return code === Admit.STAGED && this.isShedding() ? Admit.OVERLOADED : code;
  }

  /** Id of a pool, or of the link that it was made for; 0 if there is no such pool. */
  poolIdOf(poolIndex: number): number {
    return this.#admission.poolIdOf(poolIndex);
  }

  /** The message that `preview` or `accept` understood last. */
  get draft(): Readonly<MessageDraft> {
    return this.#admission.draft;
  }

  /**
   * Takes back a message of this thread and concludes it; or `onRefused` is told, soon: it was
   * begun.
   */
  cancel(order: TakeBack, onRefused: () => void): void {
    const done = (isOut: boolean): void => {
      if (isOut) this.#toConclude.push(order);
      else onRefused();
    };
    this.dispatcher.cancel({ ...order, done });
    this.#options.wake();
  }

  /** Hands on what was staged, answers what was committed, and moves waiting messages. */
  doWork(): number {
    const { clock } = this.#options;
    const staged = this.#publish();
    const moved = this.#dispatch();
    if (this.#toConclude.length > 0) this.#concludeCanceled(clock.wallMs());
    this.#answer();
    this.#publish();
    this.lookup.poll();
    this.#follower?.afterWork();
    return staged + moved;
  }

  /** Hands on what was committed, and what waits; answers nobody. */
  #dispatch(): number {
    this.#sinceDispatch = 0;
    const committed = this.#appender.pollCommitted(this);
    return committed + this.dispatcher.doWork(this.#options.clock.wallMs());
  }

  /** Has `follower` called from now on, in place of any before it. */
  follow(follower: IngressFollower): void {
    this.#follower = follower;
  }

  /** Has `doWork` called soon. */
  wake(): void {
    this.#options.wake();
  }

  onTick(): void {
    this.#admission.refresh();
    const { producerWords: words, producer } = this.#options;
    const pending = producerWord(producer, ProducerWord.PENDING_CALLS);
    const waiting = producerWord(producer, ProducerWord.WAITING_MESSAGES);
    Atomics.store(words, pending, this.#pending.count);
    Atomics.store(words, waiting, this.dispatcher.waitingCount);
    this.#follower?.onTick();
  }

  /** Whether no call waits for an answer, and no message for a link. */
  isQuiet(): boolean {
    if (this.#draining || this.#pending.count > 0 || this.#toConclude.length > 0) return false;
    if (this.lookup.waitingCount > 0) return false;
    return this.dispatcher.waitingCount === 0 && (this.#follower?.isQuiet() ?? true);
  }

  /**
   * Goes on with another plan: messages are admitted, and those that wait are bound to links, by
   * it.
   */
  reload(plan: PoolPlan, links: LinkDirectory): void {
    this.#admission.reload(plan);
    this.dispatcher.reload(links);
    this.#options.wake();
  }

  /** Refuses everything from now on; what was admitted is still answered. */
  drain(): void {
    this.#draining = true;
  }

  /** Whether every staged record is committed and every call answered. */
  isDrained(): boolean {
    if (this.#replays.length > 0) return false;
    return this.#draining && this.#pending.count === 0 && this.#appender.pendingBytes() === 0;
  }

  onCommitted(type: number, offset: number, lengthBytes: number, logOffset: number): void {
    if (type !== ACCEPT_TYPE) return;
    const { memory } = this.#appender;
    const slot = this.#pending.commit();
    if (slot === null || memory.view.getFloat64(offset + Accept.SEQUENCE, true) !== slot.sequence) {
      throw new Error("committed ACCEPT is not the one that waits for its commit");
    }
    if (slot.claim !== null) {
      this.#admission.keys.complete(slot.claim, slot);
      slot.claim = null;
    }
    if (slot.isScheduled) return;
    const entry = this.#entry;
    entry.logOffset = logOffset;
    entry.poolIndex = slot.poolIndex;
    entry.priority = slot.priority;
    entry.appIndex = slot.appIndex;
    entry.expiresAtMs = slot.expiresAtMs;
    if (!this.dispatcher.submit(entry, memory, offset, lengthBytes)) this.dispatcher.keep(entry);
  }

  isWanted(): boolean {
    return true;
  }

  expire(logOffset: number, wallMs: number): number {
    const { loader } = this.#options;
    const at = loader.load(logOffset);
    if (at < 0) return wallMs + UNREADABLE_RETRY_MS;
    const { view } = loader.memory;
    const expiresAtMs = view.getFloat64(at + Accept.EXPIRES_AT, true);
    if (expiresAtMs > wallMs) return expiresAtMs;
    const sequence = view.getFloat64(at + Accept.SEQUENCE, true);
    const origin = view.getUint32(at + Accept.ORIGIN, true);
    return this.#conclude(sequence, origin, Verdict.EXPIRED, wallMs) ? 0 : expiresAtMs;
  }

  waitsSince(logOffset: number): number {
    const { loader } = this.#options;
    const at = loader.load(logOffset);
    return at < 0 ? 0 : sendableFrom(loader.memory.view, at);
  }

  /** Stages CONCLUDED; false if there is no room now. */
  #conclude(sequence: number, origin: number, verdict: number, wallMs: number): boolean {
    const record = this.#appender.claim(CONCLUDED_BYTES, CONCLUDED_TYPE);
    if (record === RING_FULL) return false;
    const out = this.#appender.memory.view;
    out.setFloat64(record + Concluded.SEQUENCE, sequence, true);
    out.setUint32(record + Concluded.ORIGIN, origin, true);
    out.setUint32(record + Concluded.VERDICT, verdict, true);
    out.setFloat64(record + Concluded.AT, wallMs, true);
    this.#options.metrics.add(Counter.messagesConcluded, 1);
    this.#unpublished++;
    return true;
  }

  /** Ends what was taken back; nobody else has it, so there is time. */
  #concludeCanceled(wallMs: number): void {
    this.#toConclude = this.#toConclude.filter(
      ({ sequence, origin }) => !this.#conclude(sequence, origin, Verdict.CANCELED, wallMs),
    );
  }

  #publish(): number {
    const staged = this.#unpublished;
    if (staged === 0) return 0;
    this.#unpublished = 0;
    const { logTable, producer } = this.#options;
    logTable.storeStagedSequence(producer, this.#admission.lastSequence);
    this.#appender.publish();
    return staged;
  }

  #answer(): void {
    const { clock, metrics } = this.#options;
    const nowMs = clock.monotonicMs();
    let answered = 0;
    for (let slot = this.#pending.answer(); slot !== null; slot = this.#pending.answer()) {
      const { ticket } = slot;
      slot.ticket = null;
      ticket?.accepted(slot);
      metrics.record(Histogram.acceptLatency, nowMs - slot.admittedAtMs);
      answered++;
    }
    if (answered > 0) metrics.add(Counter.messagesAccepted, answered);
    if (this.#replays.length > 0) this.#answerReplays();
  }

  #answerReplays(): void {
    const replays = this.#replays;
    this.#replays = [];
    for (const message of replays) message.ticket?.accepted(message);
  }
}
