/**
 * The operator simulator without its listener: accepts sockets, owns accounts, sessions and time.
 *
 *   accept(socket) ─► session
 *   doWork() ─► delayed answers and due receipts fire; once a second a sweep over the sessions
 *
 * The caller brings clock, randomness and sockets, and calls `doWork` no later than `nextDueMs`; so
 * the same engine runs behind real TCP and in a simulated world. One thread.
 */
import type { Clock, Random, Socket } from "../environment.ts";
import { Account } from "./account.ts";
import { type SmscStats, snapshotCounters } from "./counters.ts";
import { Intake } from "./intake.ts";
import { JOB_KIND, JOB_WORD } from "./job-pool.ts";
import type { SmscOptions } from "./options.ts";
import { DRAW_RANGE } from "./random.ts";
import { SmscSession, type SessionOwner } from "./session.ts";
import { SmscShared } from "./shared.ts";
import type { Witness } from "./witness.ts";

const SWEEP_INTERVAL_MS = 1000;
const WITNESS_INTERVAL_MS = 100;
const ACCOUNTS_MAX = 65_536;

export class SmscEngine implements SessionOwner {
  readonly shared: SmscShared;
  readonly intake: Intake;
  readonly #seed: number;
  readonly #random: Random;
  readonly #sessions: (SmscSession | null)[] = [];
  readonly #accounts: Account[] = [];
  readonly #accountsById = new Map<string, Account>();
  /** Sessions whose socket is not closed yet. */
  sessionCount = 0;
  #sweptMs: number;
  #witnessedMs: number;

  /**
   * `seed` is only reported; `random` is what decides. A `witness` gets a line for everything that
   * happens.
   */
  constructor(
    options: SmscOptions,
    clock: Clock,
    random: Random,
    seed: number,
    witness: Witness | null,
  ) {
    this.shared = new SmscShared(options, clock, witness);
    this.intake = new Intake(this.shared);
    this.#seed = seed;
    this.#random = random;
    this.#sweptMs = this.shared.nowMs;
    this.#witnessedMs = this.shared.nowMs;
  }

  /** Takes a connection that is established; its events must be told to the session returned. */
  accept(socket: Socket): SmscSession {
    const { shared } = this;
    shared.readClock();
    const free = this.#sessions.indexOf(null);
    const index = free < 0 ? this.#sessions.length : free;
    const serial = ++shared.counters.sessionsOpened;
    const seed = Math.floor(this.#random() * DRAW_RANGE);
    const session = new SmscSession(this, socket, index, serial, seed);
    this.#sessions[index] = session;
    this.sessionCount++;
    return session;
  }

  accountOf(systemId: string): Account | null {
    let account = this.#accountsById.get(systemId);
    if (account !== undefined) return account;
    if (this.#accounts.length >= ACCOUNTS_MAX) return null;
    account = new Account(this.shared, this.#accounts.length, systemId);
    this.#accounts.push(account);
    this.#accountsById.set(systemId, account);
    return account;
  }

  forget(session: SmscSession): void {
    if (this.#sessions[session.index] !== session) return;
    this.#sessions[session.index] = null;
    this.sessionCount--;
  }

  /** Does whatever is due by now. */
  doWork(): void {
    const { shared } = this;
    shared.readClock();
    shared.wheel.advance(shared.tick, this);
    if (shared.nowMs - this.#sweptMs >= SWEEP_INTERVAL_MS) {
      this.#sweptMs = shared.nowMs;
      for (const session of this.#sessions) session?.sweep();
    }
    shared.settle();
    if (shared.nowMs - this.#witnessedMs >= WITNESS_INTERVAL_MS) {
      this.#witnessedMs = shared.nowMs;
      shared.witness?.flush();
    }
  }

  /**
   * When `doWork` must be called at the latest, on the monotonic clock; Infinity if nothing waits.
   */
  nextDueMs(): number {
    const { shared } = this;
    let due = Number.POSITIVE_INFINITY;
    const ticks = shared.wheel.ticksUntilNext();
    if (ticks >= 0) due = shared.wheelMs + ticks;
    if (this.sessionCount > 0) due = Math.min(due, this.#sweptMs + SWEEP_INTERVAL_MS);
    if (shared.witness?.hasBytes) due = Math.min(due, this.#witnessedMs + WITNESS_INTERVAL_MS);
    return due;
  }

  /** The wheel's call: an answer or a receipt is due. */
  onDue(job: number): void {
    const { pool } = this.shared;
    const kind = pool.get(job, JOB_WORD.KIND);
    if (kind === JOB_KIND.receipt) {
      this.#accounts[pool.get(job, JOB_WORD.ACCOUNT)]!.enqueue(job);
    } else if (kind === JOB_KIND.answer) {
      this.#answer(job);
    } else {
      this.#goOn(job, kind);
    }
  }

  /** A delayed bind is answered, or a slow reader reads on. */
  #goOn(job: number, kind: number): void {
    const { pool } = this.shared;
    const session = this.#sessions[pool.get(job, JOB_WORD.SESSION)] ?? null;
    const commandId = pool.get(job, JOB_WORD.STATE) >>> 0;
    const status = pool.get(job, JOB_WORD.STATUS) >>> 0;
    const sequence = pool.get(job, JOB_WORD.SEQUENCE) >>> 0;
    const isCurrent = session?.serial === pool.get(job, JOB_WORD.SERIAL) && !session.isOver;
    pool.release(job);
    if (session === null || !isCurrent) return;
    if (kind === JOB_KIND.bind) session.answerBind(commandId, status, sequence);
    else session.readOn();
  }

  #answer(job: number): void {
    const { shared } = this;
    const { pool, counters, witness } = shared;
    const session = this.#sessions[pool.get(job, JOB_WORD.SESSION)] ?? null;
    if (session === null || session.serial !== pool.get(job, JOB_WORD.SERIAL) || session.isOver) {
      counters.answersLost++;
      pool.release(job);
      return;
    }
    if (!session.hasAnswerRoom()) {
      shared.wheel.schedule(job, (shared.tick + 1) | 0);
      return;
    }
    const status = pool.get(job, JOB_WORD.STATUS) >>> 0;
    const sequence = pool.get(job, JOB_WORD.SEQUENCE) >>> 0;
    const idLength = status === 0 ? shared.writeId(shared.idWriting.answer, pool.idOf(job)) : 0;
    pool.release(job);
    session.unansweredCount--;
    session.answerSubmit(sequence, status, idLength);
    witness?.writeAnswer(shared.wallMs, session.serial, sequence, shared.idBytes, idLength, status);
  }

  stats(): SmscStats {
    const { shared } = this;
    return snapshotCounters(
      shared.counters,
      this.#seed,
      Math.round(shared.nowMs - shared.startMs),
      this.sessionCount,
      shared.pool.usedCount,
      shared.parts.incompleteCount(),
    );
  }

  /** Unbinds from every bound peer and ends the others. */
  leaveAll(): void {
    this.shared.readClock();
    for (const session of this.#sessions) session?.leave();
    this.shared.settle();
  }

  /** Cuts every connection without a word, as a crash of the operator would. */
  dropAll(cause: string): void {
    for (const session of this.#sessions) session?.drop(cause);
  }
}
