/**
 * The ledger: reads the log front to back, knows the state of every message, and puts back on the
 * way what it owns.
 *
 *   log ─tail─► apply ─► messages in memory ─every flush─► one commit ─► visible ─► flushed
 *                 │             ▲    │       (states, open index, waits, receipts, books, cursor)
 *                 │             │    └─ due or left over ─► submitter ─► workers
 *                 └─ STARTED, CONCLUDED of its own come back through the log
 *
 * The store always holds exactly the state behind its cursor, so after a crash the log from there
 * gives the rest. An agent: one thread calls `doWork` again and again; it runs under test/sim as
 * well, with everything injected.
 */
import type { CommitVisitor } from "../journal/appender.ts";
import { LIFE_BYTES_PER_PART } from "../journal/space.ts";
import { Counter } from "../metrics/block.ts";
import {
  formatMessageId,
  type MessageKey,
  parseMessageId,
  PRODUCER_COUNT_MAX,
} from "../records/message-key.ts";
import { LogWord } from "../tables/log-table.ts";
import { AnswerWatch, isAnswered } from "./flow/answer-watch.ts";
import { RecordApplier } from "./apply.ts";
import { type BooksSummary, summarise } from "./books.ts";
import { STRETCH_BYTES_MAX } from "./body-holds.ts";
import { BodyMoves } from "./body-moves.ts";
import { type CancelOutcome, Cancels } from "./flow/cancels.ts";
import { Conclusions } from "./conclusions.ts";
import {
  type DeadLetterFilter,
  type DeadLetterPage,
  DeadLetters,
  deadLetterPage,
  type ReplayClaim,
} from "./flow/dead-letters.ts";
import { Endings } from "./endings.ts";
import { Flights } from "./flow/flights.ts";
import { Followers } from "./followers.ts";
import { type HeldDocument, HeldMessages, type HeldPage, type Resolution } from "./flow/held.ts";
import { HandOvers } from "./flow/hand-overs.ts";
import type { LinkSummary } from "./receipts/link-learning.ts";
import { type MessageState, MessageStatus } from "./messages/message-state.ts";
import { ListJobs } from "./messages/list-jobs.ts";
import { MessageIndex } from "./messages/message-index.ts";
import {
  decodeListCursor,
  type MessageListPage,
  type MessageListQuestion,
  MessageListScan,
} from "./messages/message-list.ts";
import { Messages } from "./messages/messages.ts";
import { Outbox } from "./outbox.ts";
import { type OutcomeObserver, OutcomeObservers } from "./outcomes.ts";
import { encodeMeta, type LedgerMeta, META_KEY, readMeta } from "./store/meta.ts";
import { LEDGER_LIMITS, type LedgerLimits, type LedgerOptions } from "./ledger-options.ts";
import type { LedgerPlan } from "./policy.ts";
import {
  documentOf,
  type EventDocument,
  eventDocumentOf,
  type MessageDocument,
  type MessageSummary,
  type QueueReason,
  summaryOf,
} from "./queries.ts";
import { Receipts } from "./receipts/receipts.ts";
import { RecoveryHits } from "./flow/recovery.ts";
import { LedgerTable } from "./store/store.ts";
import { Upkeep } from "./upkeep.ts";

export interface LedgerStatus {
  readonly applied: number;
  readonly flushed: number;
  readonly books: BooksSummary;
  readonly cached: number;
  readonly dirty: number;
  /** Open messages that only the log has. */
  readonly fresh: number;
  readonly parked: number;
  readonly hand_overs: number;
  readonly recovering: boolean;
  readonly unknown_records: number;
  readonly store_bytes: number;
  readonly receipt_index: { entries: number; generations: number; bytes: number };
  readonly links: readonly LinkSummary[];
}

/** What `events` found. */
export type EventsPage =
  | {
      readonly kind: "events";
      readonly data: readonly EventDocument[];
      readonly next: string | null;
    }
  | { readonly kind: "expired" | "unknown" };

const NOTHING_TO_VISIT: CommitVisitor = { onCommitted: () => undefined };

export class Ledger {
  /** Rows of the recovery table that this run has met. */
  readonly hits = new RecoveryHits();
  readonly #options: LedgerOptions;
  readonly #limits: LedgerLimits;
  readonly #meta: LedgerMeta;
  readonly #index: MessageIndex;
  readonly #messages: Messages;
  readonly #receipts: Receipts;
  readonly #outcomes: OutcomeObserver;
  readonly #outbox: Outbox;
  readonly #held: HeldMessages;
  readonly #deadLetters: DeadLetters;
  readonly #lists: ListJobs;
  readonly #watch = new AnswerWatch();
  readonly #applier: RecordApplier;
  readonly #conclusions: Conclusions;
  readonly #handOvers: HandOvers;
  readonly #cancels: Cancels;
  readonly #upkeep: Upkeep;
  readonly #bodyMoves: BodyMoves;
  readonly #flights: Flights;
  /** The store has applied the log up to here; before, only fresh messages are made anew. */
  readonly #replayUntil: number;
  /** Whether all that is committed survives power loss, as of the last look into the log. */
  #isLogSynced = false;
  #isStartStaged = false;
  #isChanged = false;
  #mustFlush = false;
  #nextFlushAt = 0;
  #nextUpkeepAt = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
    const { store, log, policy, metrics, clock, appender } = options;
    this.#lists = new ListJobs(clock);
    const limits = { ...LEDGER_LIMITS, ...options.limits };
    this.#limits = limits;
    const meta = openMeta(options);
    this.#meta = meta;
    this.#replayUntil = meta.cursor;
    const { eventsMax, eventsTtlMs } = policy;
    const appIds = policy.plan.appIndexById.keys();
    const deadLetters = new DeadLetters(store, options.loader, policy.keepsDeadTexts);
    this.#deadLetters = deadLetters;
    const endings = new Endings({ store, meta, deadLetters });
    const outbox = new Outbox({ store, eventsMax, eventsTtlMs, appIds });
    this.#outbox = outbox;
    this.#held = new HeldMessages(store);
    this.#index = new MessageIndex(store, this.#isUnseen);
    const followers = new Followers(endings, this.#index, outbox, this.#held, deadLetters);
    const outcomes = new OutcomeObservers([followers, this.#watch, ...(options.observers ?? [])]);
    this.#outcomes = outcomes;
    const onPartFinal = (message: MessageState, part: number): void =>
      this.#receipts.onPartFinal(message, part);
    const { hits } = this;
    const { cacheMax } = limits;
    const base = { store, meta, policy, hits };
    const messages = new Messages({ ...base, cacheMax, onPartFinal, outcomes });
    this.#messages = messages;
    this.#receipts = new Receipts({ ...limits, ...policy, store, meta, messages, metrics, log });
    const conclusions = new Conclusions(appender, clock, metrics);
    this.#conclusions = conclusions;
    const handOvers = new HandOvers({ ...options, ...limits, messages, conclusions, hits });
    this.#handOvers = handOvers;
    this.#cancels = this.#makeCancels(messages, handOvers);
    this.#applier = new RecordApplier({
      ...options,
      messages,
      receipts: this.#receipts,
      outcomes,
      meta,
      hits,
      replayUntil: this.#replayUntil,
      isLogSynced: () => this.#isLogSynced,
      producerCount: PRODUCER_COUNT_MAX,
      onQuarantined: (message) => handOvers.concludeQuarantined(message),
      onAttempt: (message, part, attempt) => handOvers.onAttempt(message, part, attempt),
      onConcluded: (message) => {
        handOvers.onConcluded(message);
        this.#cancels.onConcluded(message);
      },
      onReplayed: (key) => {
        const message = messages.find(key.sequence, key.origin);
        deadLetters.noteReplayed(key, message !== null && message.finalAt === 0);
      },
      onResolved: (sequence, origin, isChanged) =>
        this.#held.onResolved(sequence, origin, isChanged),
    });
    const { segmentBytes } = policy;
    this.#bodyMoves = new BodyMoves({ ...options, meta, messages, segmentBytes });
    this.#flights = new Flights({
      ...options,
      cursor: meta.cursor,
      onVisible: (flight) => {
        messages.release(flight.messages, flight.number);
        handOvers.onWaitsVisible(flight.earliestDueAt);
      },
    });
    this.#upkeep = new Upkeep({ store, meta, messages, handOvers, endings, policy });
    this.#publishWords();
  }

  #makeCancels(messages: Messages, handOvers: HandOvers): Cancels {
    const { policy, epoch, cancelOrders } = this.#options;
    return new Cancels({
      messages,
      policy,
      epoch,
      orders: cancelOrders ?? ((_, order) => this.refuseCancel(order)),
      cancelOwn: (message, order) =>
        handOvers.cancel(message, order, () => this.refuseCancel(order)),
    });
  }

  /** One bounded round; returns how much it did, 0 if the thread may sleep until it is woken. */
  doWork(): number {
    const { appender, clock, node, epoch } = this.#options;
    const now = clock.wallMs();
    if (!this.#isStartStaged) this.#isStartStaged = this.#conclusions.start(node, epoch);
    let work = appender.pollCommitted(NOTHING_TO_VISIT);
    this.#flights.follow(now);
    work += this.#readLog();
    if (this.#isReplaying()) {
      this.#evict();
      this.#conclusions.publish();
      return work;
    }
    if (this.#flights.isStartVisible) {
      const changesMax = this.#limits.dirtyMax - this.#messages.changedCount;
      work += this.#handOvers.doWork(now, changesMax);
    }
    if (now >= this.#nextUpkeepAt) {
      this.#nextUpkeepAt = now + this.#limits.upkeepIntervalMs;
      work += this.#keepUp(now);
    }
    this.#cancels.doWork(now);
    if (!this.#flights.isFull) work += this.#bodyMoves.doWork(now);
    work += this.#lists.doWork(this.#isBehind());
    if (this.#outcomes.doWork(now, this.#options.store.flushedCommit)) this.#isChanged = true;
    if (this.#isFlushDue(now)) {
      this.#flush(now);
      // There is room for changes again.
      work++;
    }
    this.#flights.follow(now);
    this.#evict();
    this.#conclusions.publish();
    return work;
  }

  #evict(): void {
    const { cache, fresh } = this.#messages;
    cache.evict(this.#options.store.visibleCommit, fresh.parts);
  }

  /** To be called every few milliseconds by the thread's timer, before `doWork`. */
  onTick(): void {
    this.#flights.follow(this.#options.clock.wallMs());
  }

  /** Whether all it read is durable, nobody waits for it, and nothing is due within `aheadMs`. */
  isQuiet(aheadMs: number): boolean {
    if (!this.isAllDurable()) return false;
    if (this.#watch.count > 0 || this.#cancels.count > 0) return false;
    return this.#handOvers.isQuiet(this.#options.clock.wallMs() + aheadMs);
  }

  /** Whether the store has, durably, all that was read of the log, fresh messages too. */
  isAllDurable(): boolean {
    if (!this.#flights.isSettled || this.#isFlushPending()) return false;
    return this.#messages.fresh.count === 0;
  }

  /** Whether STARTED of this run is applied: from here on messages of this run are welcome. */
  isReady(): boolean {
    return this.#meta.startedEpoch === this.#options.epoch;
  }

  /** Whether what earlier runs left waiting is still being handed over. */
  isRecovering(): boolean {
    return this.#handOvers.isWalking;
  }

  /** Makes the next `doWork` flush without waiting for its time, fresh messages too. */
  requestFlush(): void {
    this.#mustFlush = true;
  }

  /**
   * The message with this key as of the last applied record; null if it is not here or is another
   * app's.
   */
  getMessage(key: MessageKey, appId: number): MessageDocument | null {
    const message = this.#messages.find(key.sequence, key.origin);
    if (message === null || message.appId !== appId) return null;
    return documentOf(this.#options.node, message, this.#queueReasonOf(message));
  }

  /**
   * Finds a page of an app's messages; `done` is called once, later. False: too many are being
   * looked for. A cursor that was not given for this app leads to null.
   */
  list(question: MessageListQuestion, done: (page: MessageListPage | null) => void): boolean {
    if (this.#lists.isFull) return false;
    const { after, appId } = question;
    const cursor = after === null ? null : decodeListCursor(after, appId);
    if (after !== null && cursor === null) {
      done(null);
      return true;
    }
    const { store } = this.#options;
    const sort = this.#index.askSort();
    const options = {
      store,
      messages: this.#messages,
      summaryOf: this.#summaryOf,
      isReady: () => this.#index.isSorted(sort),
    };
    this.#lists.add(new MessageListScan(options, question, cursor), done);
    return true;
  }

  /** A page of held messages of all apps, oldest first; null for a cursor that is none. */
  held(after: string | null, limit: number): HeldPage | null {
    const behind = this.#keyOf(after);
    if (after !== null && behind === null) return null;
    const keys = this.#held.list(behind, limit + 1);
    const data: HeldDocument[] = [];
    for (const { sequence, origin } of keys.slice(0, limit)) {
      const message = this.#messages.peek(sequence, origin, () => true);
      // Decided about since the last commit.
      if (message === null || message.status !== MessageStatus.HELD) continue;
      data.push({ app: message.appId, ...this.#summaryOf(message) });
    }
    const last = keys[limit - 1];
    const isMore = keys.length > limit && last !== undefined;
    const { node } = this.#options;
    return { data, next: isMore ? formatMessageId(node, last.sequence, last.origin) : null };
  }

  /** Decides about a held message (`Decision`); `done` is told once, when that is durable. */
  resolveHeld(key: MessageKey, decision: number, done: (resolution: Resolution) => void): void {
    this.#held.resolve(this.#messages, this.#conclusions, key, decision, done);
  }

  /** A page of dead letters, oldest first; null for a cursor that is none. */
  deadLetters(
    filter: DeadLetterFilter,
    after: string | null,
    limit: number,
  ): DeadLetterPage | null {
    const behind = this.#keyOf(after);
    if (after !== null && behind === null) return null;
    const scan = this.#deadLetters.list(filter, behind, limit);
    const find = ({ sequence, origin }: MessageKey): MessageState | null =>
      this.#messages.peek(sequence, origin, () => true);
    return deadLetterPage(this.#options.node, scan, find, this.#summaryOf);
  }

  /** The key of an id that is a cursor; null for one of another node, or none. */
  #keyOf(cursor: string | null): MessageKey | null {
    const known = cursor === null ? null : parseMessageId(cursor);
    return known?.node === this.#options.node ? known.key : null;
  }

  /** Takes dead letters for a replay (DeadLetters.claim). */
  claimDeadLetters(keys: readonly MessageKey[]): ReplayClaim[] {
    return keys.map((key) => {
      const message = this.#messages.peek(key.sequence, key.origin, () => true);
      // With parts under way it is not dead yet.
      if (message === null || message.finalAt === 0) return { outcome: "unknown" };
      return this.#deadLetters.claim(key);
    });
  }

  /** The replay of claimed dead letters was refused. */
  releaseDeadLetters(keys: readonly MessageKey[]): void {
    for (const key of keys) this.#deadLetters.release(key);
  }

  /** Takes a message of an app back; `done` is told once, when that is durable or refused. */
  cancel(key: MessageKey, appId: number, done: (outcome: CancelOutcome) => void): void {
    if (!this.#flights.isStartVisible) done("overloaded");
    else this.#cancels.cancel(key, appId, this.#options.clock.wallMs(), done);
  }

  /** The owner of a message that was to be canceled does not give it up. */
  refuseCancel(key: MessageKey): void {
    this.#cancels.onRefused(key);
  }

  /** Events of an app behind number `after`, 0 for the oldest there is. */
  events(appId: number, after: number, limit: number): EventsPage {
    const page = this.#outbox.read(appId, after, limit);
    if (page.kind !== "events") return page;
    const data = page.events.map((event) => {
      const message = this.#messages.peek(event.sequence, event.origin, () => true);
      const summary = message === null ? null : this.#summaryOf(message);
      return eventDocumentOf(this.#options.node, event, summary);
    });
    const last = data.at(-1);
    return { kind: "events", data, next: page.hasMore ? (last?.cursor ?? null) : null };
  }

  readonly #isUnseen = (sequence: number, origin: number): boolean =>
    this.#messages.isUnseen(sequence, origin);

  readonly #summaryOf = (message: MessageState): MessageSummary => {
    const { node } = this.#options;
    return summaryOf(node, message, this.#queueReasonOf(message));
  };

  #queueReasonOf(message: MessageState): QueueReason | null {
    const { policy, queueReasonOf } = this.#options;
    const poolIndex = policy.plan.poolIndexById.get(message.poolId);
    if (poolIndex === undefined) return "link_down";
    return queueReasonOf?.(poolIndex, message.priority) ?? null;
  }

  /** Goes by another plan from now on. */
  reload(plan: LedgerPlan): void {
    const { policy } = this.#options;
    const before = policy.plan.poolIndexById;
    policy.plan = plan;
    this.#handOvers.onPoolsAdded([...plan.poolIndexById.keys()].filter((id) => !before.has(id)));
  }

  /**
   * Calls `done` once: with the message when every part of it is answered or final, or with null at
   * wall ms `untilMs`, or if too many wait. The message need not be applied yet.
   */
  awaitAnswer(
    key: MessageKey,
    appId: number,
    untilMs: number,
    done: (document: MessageDocument | null) => void,
  ): void {
    const tell = (answered: boolean): void => done(answered ? this.getMessage(key, appId) : null);
    const message = this.#messages.find(key.sequence, key.origin);
    if (message !== null && isAnswered(message)) tell(true);
    else if (!this.#watch.add(key, untilMs, tell)) done(null);
  }

  /** Writes what is learnt of the ids in receipts into the link table (LinkLearnings.show). */
  showLinks(words: Int32Array, rowOf: (linkId: number) => number | undefined): void {
    this.#receipts.links.show(words, rowOf);
  }

  /** Where the ledger stands. */
  status(): LedgerStatus {
    const { index, parked, links } = this.#receipts;
    return {
      applied: this.#options.tailer.position,
      flushed: this.#flights.flushedCursor,
      books: summarise(this.#meta.books),
      cached: this.#messages.cache.count,
      dirty: this.#messages.changedCount,
      fresh: this.#messages.fresh.count,
      parked: parked.count,
      hand_overs: this.#handOvers.underWay,
      recovering: this.#handOvers.isWalking,
      unknown_records: this.#applier.unknownCount,
      store_bytes: this.#upkeep.storeBytes,
      receipt_index: {
        entries: index.entryCount,
        generations: index.generationCount,
        bytes: index.bytes,
      },
      links: links.summary(),
    };
  }

  #readLog(): number {
    const { tailer } = this.#options;
    if (this.#flights.isFull) return 0;
    const isStopped = this.#messages.changedCount >= this.#limits.dirtyStop;
    if (isStopped && !this.#isReplaying()) return 0;
    const { logTable, clock } = this.#options;
    this.#isLogSynced = logTable.load(LogWord.SYNCED) >= logTable.load(LogWord.COMMITTED);
    this.#messages.fresh.follow(tailer.position, clock.monotonicMs());
    const records = tailer.poll(this.#applier, this.#limits.pollBytes);
    if (records === 0) return 0;
    this.#publishWords();
    return records;
  }

  /** Whether the log is still read that the store has applied; nothing may be written by then. */
  #isReplaying(): boolean {
    return this.#options.tailer.position < this.#replayUntil;
  }

  /** Whether the log has more than was read of it. */
  #isBehind(): boolean {
    const { tailer, logTable } = this.#options;
    return tailer.position < logTable.load(LogWord.COMMITTED);
  }

  #publishWords(): void {
    const { logTable, tailer } = this.#options;
    const { books } = this.#meta;
    logTable.store(LogWord.MOVED_BYTES, this.#meta.holds.movedBytes);
    logTable.store(LogWord.OPEN_COUNT, books.open);
    logTable.store(LogWord.OPEN_LIFE_BYTES, books.openParts * LIFE_BYTES_PER_PART);
    const { appliedSequences } = this.#applier;
    for (let producer = 0; producer < appliedSequences.length; producer++) {
      const sequence = appliedSequences[producer] as number;
      if (sequence === 0) continue;
      logTable.storeAppliedSequence(producer, sequence);
    }
    logTable.store(LogWord.LEDGER_APPLIED, tailer.position);
  }

  #keepUp(now: number): number {
    const { store } = this.#options;
    this.#applier.logUnknown(now);
    let work = this.#receipts.tidy(now);
    // What either changes has to stay in memory until there is a commit: none while it is full.
    const mayChange = this.#flights.isStartVisible && !this.#flights.isFull;
    if (mayChange && !this.#isBehind()) this.#upkeep.sweep(now);
    const removed = !this.#flights.isUnderWay ? this.#upkeep.retain(now, store.visibleCommit) : 0;
    work += removed;
    if (mayChange) this.#bodyMoves.look(now);
    if (work > 0) this.#isChanged = true;
    return work;
  }

  #isFlushDue(now: number): boolean {
    if (this.#flights.isUnderWay) return false;
    if (this.#messages.changedCount >= this.#limits.dirtyMax) return true;
    if (this.#index.isSortAsked) return true;
    if (this.#messages.fresh.isOverdue(this.#options.clock.monotonicMs())) return true;
    return this.#isFlushPending() && (this.#mustFlush || now >= this.#nextFlushAt);
  }

  /** Whether there is anything that no commit has. */
  #isFlushPending(): boolean {
    return (
      this.#messages.changedCount > 0 ||
      (this.#mustFlush && this.#messages.fresh.count > 0) ||
      this.#isChanged ||
      this.#options.tailer.position !== this.#flights.committedCursor
    );
  }

  #flush(now: number): void {
    const { store, tailer, metrics, logTable, clock } = this.#options;
    const meta = this.#meta;
    const cursor = tailer.position;
    const isAll = this.#mustFlush || logTable.load(LogWord.SYNCED) < cursor;
    this.#mustFlush = false;
    this.#isChanged = false;
    // Time ends messages, too, while no record is read.
    this.#publishWords();
    this.#nextFlushAt = now + this.#limits.flushIntervalMs;
    const written = this.#messages.write(cursor, clock.monotonicMs(), isAll);
    this.#receipts.write();
    this.#outcomes.beforeCommit();
    const { fresh } = this.#messages;
    meta.cursor = cursor;
    meta.replayFrom = fresh.replayFrom(cursor);
    store.put(LedgerTable.META, META_KEY, encodeMeta(meta, fresh));
    const number = store.commit();
    this.#messages.launch(written, number);
    const releasable = Math.min(meta.replayFrom, meta.holds.lowest());
    const { startedEpoch } = meta;
    this.#flights.launch({
      number,
      ...written,
      cursor,
      releasable,
      startedEpoch,
    });
    metrics.add(Counter.ledgerCommits, 1);
  }
}

/** What the store says, or what a new one starts with. */
function openMeta({ store, policy, random }: LedgerOptions): LedgerMeta {
  const meta = readMeta(store);
  if (meta.books.accepted === 0) {
    meta.holds.stretchBytes = Math.min(STRETCH_BYTES_MAX, policy.segmentBytes);
  }
  if (meta.seed === 0) meta.seed = 1 + Math.floor(random() * 0xfffffffe);
  return meta;
}
