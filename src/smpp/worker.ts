/**
 * The SMPP worker: takes messages from the producers, sends them over its sessions, and records
 * what became of them.
 *
 *   submit rings ──► queues ──► SENDING ─[commit]─► ready ──token──► socket ──► window ──► ANSWER
 *        ▲ credits     └──► return rings                                           └──► AMBIGUOUS
 *   deliver_sm ──► RECEIPT ─[commit]─► deliver_sm_resp
 *
 * An agent: `doWork` moves everything one step, `onTick` acts on time. Everything it touches is
 * injected, so it runs on a thread of its own as well as in a simulation. Everything it staged in a
 * turn is published once, at its end. One thread, on which also its sockets call back.
 */
import { ReferenceTables } from "../codec/index.ts";
import type { Clock, Dial, Log, Random } from "../environment.ts";
import type { CommitVisitor, JournalAppender } from "../journal/appender.ts";
import type { RecordLoader } from "../journal/log-reading.ts";
import type { MetricBlock } from "../metrics/block.ts";
import { sendableFrom } from "../records/accept.ts";
import { SENDING_TYPE } from "../records/attempt.ts";
import { sequenceWallMs } from "../records/message-key.ts";
import { RECEIPT_TYPE } from "../records/receipt.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import type { RingConsumer, RingProducer } from "../ring/one-to-one-ring.ts";
import type { CreditTable } from "../tables/credit-table.ts";
import type { QueueTable } from "../tables/queue-table.ts";
import { SessionNotes } from "../tables/session-notes.ts";
import { TurnTime, type WorkerContext } from "./context.ts";
import { CreditKeeper } from "./queue/credit-keeper.ts";
import { DialLimiter } from "./session/dial-limiter.ts";
import { Intake } from "./queue/intake.ts";
import {
  EXPIRY_SWEEP_MS,
  GRACE_MS,
  LATE_TICK_MS,
  PREPARE_HORIZON_COMMITS,
  PREPARE_HORIZON_MAX_MS,
  PREPARE_HORIZON_MIN_MS,
  SHOW_INTERVAL_MS,
} from "./pace/limits.ts";
import type { WorkerLink } from "./link.ts";
import { LocalQueues } from "./queue/local-queues.ts";
import type { MessageList } from "./queue/message-list.ts";
import { MessageTable, NO_ENTRY } from "./queue/message-table.ts";
import type { SessionAssignment } from "./plan.ts";
import type { WorkerPool } from "./pool.ts";
import { ReceiptIntake } from "./receipt.ts";
import { RecordStager } from "./record-stager.ts";
import { Returns } from "./queue/returns.ts";
import { Roster, type WorkerPlan } from "./roster.ts";
import { Scheduler } from "./pace/scheduler.ts";
import { type SessionRecording, SmppSession } from "./session/session.ts";
import { SubmitEncoder } from "./submit-sm.ts";
import { UnwrittenQueue } from "./session/unwritten.ts";

export interface SmppWorkerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Dial;
  readonly log: Log;
  /** Asks for a `doWork` soon; called from the sockets' events. */
  readonly wake: () => void;
  readonly appender: JournalAppender;
  readonly loader: RecordLoader;
  /** By producer: submit rings, return rings, bells. */
  readonly submits: readonly RingConsumer[];
  readonly returns: readonly RingProducer[];
  readonly producerBells: readonly Doorbell[];
  readonly credits: CreditTable;
  readonly queueTable: QueueTable;
  /** Words of the link table; all of the session table, from `allocateSessions`. */
  readonly linkWords: Int32Array;
  /** The dial table: one bucket a host, shared by all workers. */
  readonly dialWords: Int32Array;
  readonly sessionWords: Int32Array;
  /** By linkIndex: the tokens of its contract (limit/contract.ts). */
  readonly contracts: readonly Int32Array[];
  /** Words of concatenation references, shared by all workers (allocateReferences). */
  readonly references: SharedArrayBuffer;
  readonly metrics: MetricBlock;
  /** Everything configured, from `derivePools`. */
  readonly plan: WorkerPlan;
  readonly workerIndex: number;
  /** The sessions this worker owns, from `assignSessions`. */
  readonly sessions: readonly SessionAssignment[];
  /** A link could send and did not; its sessions bind anew. */
  readonly onStalled?: (linkId: number) => void;
  /** The one word that names the record in hand, for whoever looks after a crash. */
  readonly inHand?: Float64Array;
  /** First sequence_number of every connection; 1 if absent. */
  readonly sequenceNumberFirst?: number;
}

export class SmppWorker implements CommitVisitor {
  readonly #options: SmppWorkerOptions;
  readonly #time: TurnTime;
  readonly #stager: RecordStager;
  readonly #table: MessageTable;
  readonly #roster: Roster;
  readonly #links: readonly WorkerLink[];
  readonly #pools: readonly WorkerPool[];
  readonly #sessions: readonly SmppSession[];
  readonly #credits: CreditKeeper;
  readonly #returns: Returns;
  readonly #queues: LocalQueues;
  readonly #unwritten: UnwrittenQueue;
  readonly #receipts: ReceiptIntake;
  readonly #scheduler: Scheduler;
  readonly #intake: Intake;
  readonly #context: WorkerContext;
  #isDraining = false;
  #lastTickAt: number;
  #graceUntil = 0;
  #nextSweepAt = 0;
  #nextShowAt = 0;
  #firstToPump = 0;

  constructor(options: SmppWorkerOptions) {
    const { metrics, log, loader, producerBells: bells } = options;
    this.#options = options;
    const time = new TurnTime(options.clock);
    const stager = new RecordStager(options.appender);
    const table = new MessageTable(0, options.inHand);
    const roster = new Roster(table, options.linkWords, options.contracts);
    const { links, pools, sessions } = roster;
    this.#time = time;
    this.#stager = stager;
    this.#table = table;
    this.#roster = roster;
    this.#links = links;
    this.#pools = pools;
    this.#sessions = sessions;
    this.#lastTickAt = time.now;
    const { poolCount } = options.credits;
    const credits = new CreditKeeper(options.credits, options.workerIndex, bells, poolCount);
    const returns = new Returns(table, stager, options.returns, bells, metrics);
    const queues = new LocalQueues({
      table,
      stager,
      loader,
      credits,
      returns,
      metrics,
      log,
      time,
      pools,
      links,
    });
    this.#credits = credits;
    this.#returns = returns;
    this.#queues = queues;
    this.#unwritten = new UnwrittenQueue(table, stager, queues, time, sessions);
    this.#receipts = new ReceiptIntake(stager, metrics, time, sessions);
    this.#scheduler = new Scheduler({
      table,
      stager,
      queues,
      time,
      sessions,
      links,
      pools,
      references: new ReferenceTables(options.references),
      random: options.random,
    });
    this.#intake = new Intake(options.submits, table, stager, queues, credits);
    this.#context = this.#makeContext();
    this.#apply(options.plan, options.sessions);
  }

  /** Moves everything one step, within bounds; returns how much was done. */
  doWork(): number {
    this.#time.refresh();
    let work = this.#options.appender.pollCommitted(this);
    this.#stager.noteCommits(this.#time.now);
    work += this.#unwritten.flush();
    for (const session of this.#sessions) work += session.turn();
    const horizonMs = prepareHorizonMs(this.#stager.commitMs);
    for (const link of this.#links) link.openTurn(this.#time.now, horizonMs);
    if (!this.#isDraining) {
      work += this.#intake.poll();
      work += this.#scheduler.run();
    }
    work += this.#pump();
    for (const link of this.#links) link.closeTurn();
    work += this.#returns.flush();
    this.#credits.flush();
    for (const session of this.#sessions) session.showProgress();
    this.#stager.publish(this.#time.now);
    return work;
  }

  /** Acts on what has come due; every few milliseconds. A `doWork` has to follow. */
  onTick(): void {
    this.#time.refresh();
    const { now } = this.#time;
    // After a stall of this thread, what the peers have answered lies unread in the sockets.
    if (now - this.#lastTickAt >= LATE_TICK_MS) this.#graceUntil = now + GRACE_MS;
    this.#lastTickAt = now;
    const inGrace = now < this.#graceUntil;
    for (const link of this.#links) link.onTick(now);
    for (const session of this.#sessions) session.onTick(inGrace);
    this.#showQueued();
    if (now >= this.#nextShowAt) this.#showQueues();
    if (!inGrace && !this.#isDraining) this.#lookForStalls();
    if (now < this.#nextSweepAt || this.#isDraining) return;
    this.#nextSweepAt = now + EXPIRY_SWEEP_MS;
    this.#queues.sweepExpired();
  }

  /** Whether it has no message in hand, and no session anything to do within `aheadMs`. */
  isQuiet(aheadMs: number): boolean {
    if (this.#isDraining || this.#table.usedCount > 0) return false;
    if (this.#stager.staged !== this.#stager.committed) return false;
    for (const link of this.#links) if (link.isPaced) return false;
    for (const session of this.#sessions) if (!session.isQuiet(aheadMs)) return false;
    return true;
  }

  /** Binds anew what could send and does not; its flight recorder is asked for first. */
  #lookForStalls(): void {
    const isJournalIdle = this.#stager.staged === this.#stager.committed;
    const hasRoom = this.#stager.hasRoomToSend();
    for (const link of this.#links) {
      const couldSend = hasRoom && this.#isWaitedFor(link) && link.couldSend(isJournalIdle);
      if (!link.stalls.look(this.#time.now, couldSend, link.sentCount)) continue;
      link.noteStall();
      this.#options.log.write("error", "link.stalled", {
        link: link.id,
        cause: "messages wait, tokens and window are there, and nothing is sent: bind anew",
      });
      this.#options.onStalled?.(link.id);
      for (const session of link.sessions) session.bindAnew("the link stalled");
    }
  }

  #isWaitedFor(link: WorkerLink): boolean {
    if (countOf(link.pinned) > 0) return true;
    return this.#pools.some((pool) => pool.countShown > 0 && pool.linkIds.has(link.id));
  }

  /** Shows others how much waits here, by pool and by link. */
  #showQueued(): void {
    const { credits, workerIndex } = this.#options;
    for (const pool of this.#pools) {
      const count = countOf(pool.queues);
      if (count === pool.countShown) continue;
      pool.countShown = count;
      credits.showQueued(workerIndex, pool.index, count);
    }
    for (const link of this.#links) {
      const count = countOf(link.pinned);
      if (count === link.countShown) continue;
      link.countShown = count;
      credits.showQueued(workerIndex, credits.poolCount + link.linkIndex, count);
    }
  }

  /** Shows how much waits here by pool and priority, and since when. */
  #showQueues(): void {
    this.#nextShowAt = this.#time.now + SHOW_INTERVAL_MS;
    const { queueTable, workerIndex } = this.#options;
    const source = queueTable.sourceOfWorker(workerIndex);
    for (const pool of this.#pools) {
      for (const [priority, list] of pool.queues.entries()) {
        const sinceMs = list.head === NO_ENTRY ? 0 : this.#waitsSince(list.head);
        queueTable.show(source, pool.index, priority, list.count, sinceMs);
      }
    }
  }

  /** Since when a message could be sent; without its body at hand, since its acceptance. */
  #waitsSince(entry: number): number {
    const table = this.#table;
    if (!table.hasBody(entry)) return sequenceWallMs(table.sequence[entry] as number);
    return sendableFrom(table.memoryOf(entry).view, table.recordOf(entry));
  }

  /** A record of this worker is committed. Called by the appender, in order of staging. */
  onCommitted(type: number): void {
    this.#stager.committed++;
    if (type === SENDING_TYPE) this.#scheduler.onCommitted();
    else if (type === RECEIPT_TYPE) this.#receipts.onCommitted();
  }

  /**
   * Goes over to another plan, between two turns. Sessions that are not wanted unbind when their
   * windows are empty; what waited for them finds another link, or goes back to its producer.
   */
  reload(plan: WorkerPlan, sessions: readonly SessionAssignment[]): void {
    if (this.#isDraining) return;
    this.#time.refresh();
    this.#apply(plan, sessions);
    this.#options.wake();
  }

  /** Takes and prepares nothing more; sessions unbind as their windows become empty. */
  drain(): void {
    this.#time.refresh();
    this.#isDraining = true;
    this.#queues.isDraining = true;
    for (const link of this.#links) this.#showLink(link);
    for (const pool of this.#pools) this.#showPool(pool);
    this.#credits.flush();
    for (const session of this.#sessions) session.drain(false);
    this.#options.wake();
  }

  /**
   * Ends a drain that takes too long: sessions unbind now, what is unanswered becomes ambiguous.
   */
  cutShort(): void {
    this.#time.refresh();
    for (const session of this.#sessions) session.drain(true);
    this.#options.wake();
  }

  /** After `drain`: every session is closed, and everything this worker has learnt is committed. */
  isDrained(): boolean {
    if (!this.#isDraining || this.#unwritten.length > 0) return false;
    for (const session of this.#sessions) if (!session.isClosed) return false;
    return this.#stager.staged === this.#stager.committed;
  }

  /** What the flight recorders of this worker's sessions of a link have kept. */
  recordingsOf(linkId: number, masksNumbers: boolean): SessionRecording[] {
    return this.#sessions
      .filter((session) => session.linkId === linkId)
      .flatMap((session) => session.recordings(masksNumbers));
  }

  /** Messages in hand: queued, prepared, or on their way back. */
  get messageCount(): number {
    return this.#table.usedCount;
  }

  /** Sessions in turn, so that none always takes the first tokens of a shared link. */
  #pump(): number {
    const count = this.#sessions.length;
    let work = 0;
    for (let i = 0; i < count; i++) {
      work += (this.#sessions[(this.#firstToPump + i) % count] as SmppSession).pump();
    }
    this.#firstToPump = count === 0 ? 0 : (this.#firstToPump + 1) % count;
    return work;
  }

  #apply(plan: WorkerPlan, sessions: readonly SessionAssignment[]): void {
    this.#roster.apply(
      plan,
      sessions,
      (link, at, local) => new SmppSession(this.#context, link, at, local),
    );
    this.#table.grow(this.#roster.entriesMax(this.#options.submits.length));
    for (const link of this.#links) this.#showLink(link);
    for (const pool of this.#pools) this.#showPool(pool);
    this.#queues.replan();
  }

  #makeContext(): WorkerContext {
    const { random, dial, log, metrics, sessionWords, sequenceNumberFirst, wake } = this.#options;
    const { queueTable, workerIndex } = this.#options;
    return {
      random,
      dial,
      log,
      metrics,
      countWait: (pool, priority, ms) => queueTable.countWait(workerIndex, pool, priority, ms),
      sessionWords,
      sessionNotes: new SessionNotes(sessionWords),
      sequenceNumberFirst: sequenceNumberFirst ?? 1,
      time: this.#time,
      stager: this.#stager,
      table: this.#table,
      queues: this.#queues,
      unwritten: this.#unwritten,
      receipts: this.#receipts,
      encoder: new SubmitEncoder(),
      dials: new DialLimiter(this.#options.dialWords),
      wake,
      availabilityChanged: (session) => {
        this.#availabilityChanged(session);
      },
    };
  }

  /** Shows producers what the session's pools can take now, and returns what waits for nobody. */
  #availabilityChanged(session: SmppSession): void {
    for (const pool of this.#pools) {
      if (!pool.sessions.includes(session)) continue;
      this.#showPool(pool);
      if (!pool.isAvailable) this.#queues.returnPool(pool);
    }
    this.#showLink(session.link);
    if (session.link.openCount === 0) this.#queues.returnLink(session.link);
  }

  #showLink(link: WorkerLink): void {
    const { credits, workerIndex } = this.#options;
    const open = link.isClosed || this.#isDraining ? 0 : link.openCount;
    credits.setOpenSessions(workerIndex, link.linkIndex, open);
  }

  #showPool(pool: WorkerPool): void {
    pool.refresh();
    const weight = this.#isDraining ? 0 : pool.availableWeight;
    this.#options.credits.setWeight(this.#options.workerIndex, pool.index, weight);
    this.#credits.setAllowance(pool.index, this.#isDraining ? 0 : pool.allowance);
  }
}

/** How far ahead segments are prepared where a commit takes `commitMs`. */
function prepareHorizonMs(commitMs: number): number {
  const wanted = commitMs * PREPARE_HORIZON_COMMITS;
  return Math.min(PREPARE_HORIZON_MAX_MS, Math.max(PREPARE_HORIZON_MIN_MS, wanted));
}

/** Messages in lists by priority. */
function countOf(lists: readonly MessageList[]): number {
  let sum = 0;
  for (const list of lists) sum += list.count;
  return sum;
}
