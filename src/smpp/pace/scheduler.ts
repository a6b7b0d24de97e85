/**
 * Chooses what is sent next, and on which session, and stages its SENDING.
 *
 *   the highest waiting priority first; every 16th pick goes to the lowest. Within a priority:
 *   1. rests of messages that a session carries
 *   2. messages bound to a link, by acceptance
 *   3. pool queues in turn, each by smooth weighted round-robin over the pool's sessions, in runs
 *
 * A session takes part while it is bound, its window has room and its link's budget lasts. All
 * parts of a message go to one session, in order, with the concatenation reference that is drawn
 * for the first of them. One thread.
 */
import type { ReferenceTables } from "../../codec/index.ts";
import type { Random } from "../../environment.ts";
import { sendableFrom } from "../../records/accept.ts";
import { Outcome } from "../../records/attempt.ts";
import { Verdict } from "../../records/concluded.ts";
import { PRIORITY_COUNT } from "../../records/types.ts";
import { putOffMs } from "../session/answer.ts";
import type { TurnTime } from "../context.ts";
import { IntQueue } from "../queue/int-queue.ts";
import { PREPARED_PER_TURN_MAX, STARVATION_PICKS } from "./limits.ts";
import type { WorkerLink } from "../link.ts";
import type { LocalQueues } from "../queue/local-queues.ts";
import type { MessageList } from "../queue/message-list.ts";
import { type MessageTable, NO_ENTRY } from "../queue/message-table.ts";
import type { WorkerPool } from "../pool.ts";
import type { RecordStager } from "../record-stager.ts";
import { drawReference } from "../reference-draw.ts";
import type { SmppSession } from "../session/session.ts";
import { packSegment } from "../session/unwritten.ts";

export interface SchedulerParts {
  readonly table: MessageTable;
  readonly stager: RecordStager;
  readonly queues: LocalQueues;
  readonly time: TurnTime;
  readonly sessions: readonly SmppSession[];
  readonly links: readonly WorkerLink[];
  readonly pools: readonly WorkerPool[];
  readonly references: ReferenceTables;
  readonly random: Random;
}

export class Scheduler {
  readonly #parts: SchedulerParts;
  /** (session, generation, entry, segment) of each SENDING staged and not committed. */
  readonly #prepared = new IntQueue(256);
  #picks = 0;
  /** Counts calls of `run`. */
  #turn = 0;
  #nextPool = 0;
  #nextLink = 0;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Segments whose SENDING is not committed yet. */
  get preparedCount(): number {
    return this.#prepared.length / 4;
  }

  /** The oldest staged SENDING is committed. */
  onCommitted(): void {
    const session = this.#parts.sessions[this.#prepared.shift()] as SmppSession;
    const generation = this.#prepared.shift();
    const entry = this.#prepared.shift();
    session.sendingCommitted(generation, entry, this.#prepared.shift());
  }

  /**
   * Prepares what can be prepared now; returns how many segments (and messages that were concluded
   * instead).
   */
  run(): number {
    const { stager } = this.#parts;
    let done = 0;
    let blocked = 0;
    this.#turn = (this.#turn + 1) | 0;
    while (done < PREPARED_PER_TURN_MAX && stager.hasRoomToSend()) {
      const priority = this.#nextPriority(blocked);
      if (priority < 0) break;
      const count = this.#sendOne(priority);
      if (count === 0) {
        blocked |= 1 << priority;
        continue;
      }
      this.#picks = (this.#picks + 1) % STARVATION_PICKS;
      done += count;
    }
    return done;
  }

  /**
   * Highest priority that waits and is not blocked, or the lowest when it is its turn; -1 for none.
   */
  #nextPriority(blocked: number): number {
    const { listed, carried } = this.#parts.queues;
    const lowestFirst = this.#picks === STARVATION_PICKS - 1;
    for (let i = 0; i < PRIORITY_COUNT; i++) {
      const priority = lowestFirst ? i : PRIORITY_COUNT - 1 - i;
      if ((blocked & (1 << priority)) !== 0) continue;
      if (listed[priority] !== 0 || carried[priority] !== 0) return priority;
    }
    return -1;
  }

  /**
   * One message of this priority to one session; returns the number of segments, 0 if none can go
   * now.
   */
  #sendOne(priority: number): number {
    const { links, pools, queues } = this.#parts;
    if (queues.carried[priority] !== 0) {
      const session = this.#carrier(priority);
      if (session !== null) {
        return this.#prepare(session, queues.takeCarried(session, priority));
      }
    }
    if (queues.listed[priority] === 0) return 0;
    for (let i = 0; i < links.length; i++) {
      const link = links[(this.#nextLink + i) % links.length] as WorkerLink;
      const list = link.pinned[priority] as MessageList;
      if (list.count === 0 || link.budget <= 0) continue;
      const session = roomiest(link, priority);
      if (session === null) continue;
      this.#nextLink = (this.#nextLink + i + 1) % links.length;
      return this.#sendHead(list, session);
    }
    for (let i = 0; i < pools.length; i++) {
      const index = (this.#nextPool + i) % pools.length;
      const pool = pools[index] as WorkerPool;
      const list = pool.queues[priority] as MessageList;
      if (list.count === 0) continue;
      const session = pool.pickSession(priority, this.#turn);
      if (session === null) continue;
      this.#nextPool = (index + 1) % pools.length;
      return this.#sendHead(list, session);
    }
    return 0;
  }

  #sendHead(list: MessageList, session: SmppSession): number {
    const { queues } = this.#parts;
    const entry = list.head;
    queues.take(list, entry);
    if (!queues.load(entry)) {
      queues.conclude(entry, Verdict.UNSENDABLE);
      return 1;
    }
    return this.#prepare(session, entry);
  }

  /** A session that carries a message of this priority and can take more of it, or null. */
  #carrier(priority: number): SmppSession | null {
    for (const session of this.#parts.sessions) {
      if (session.carry[priority] === NO_ENTRY) continue;
      if (session.room > 0 && session.link.budget > 0) return session;
    }
    return null;
  }

  /**
   * Stages SENDING for the parts of an entry while the session takes them; the session carries the
   * rest.
   */
  #prepare(session: SmppSession, entry: number): number {
    const { table, stager, queues, time, references } = this.#parts;
    const { link } = session;
    if ((table.expiresAt[entry] as number) <= time.wall) {
      queues.conclude(entry, Verdict.EXPIRED);
      return 1;
    }
    if (!drawReference(table, entry, references, time.wall)) return this.#putOff(session, entry);
    let count = 0;
    let parts = table.parts[entry] as number;
    while (parts !== 0 && session.room > 0 && link.budget > 0) {
      const part = 31 - Math.clz32(parts & -parts);
      if (!stager.stageSending(table, entry, part, session, time.wall)) break;
      this.#prepared.push(session.local);
      this.#prepared.push(session.generation);
      this.#prepared.push(entry);
      this.#prepared.push(packSegment(part, table.attempt[entry] as number));
      parts &= parts - 1;
      session.reserved++;
      link.notePrepared();
      count++;
    }
    table.prepared[entry] = (table.prepared[entry] as number) + count;
    table.parts[entry] = parts;
    if (parts === 0) queues.uncount(entry);
    else queues.carry(session, entry);
    return count;
  }

  /**
   * No reference towards its handset is free: the ledger hands it over again later. No operator was
   * offered it, so the attempt does not count: it ends by its validity only.
   */
  #putOff(session: SmppSession, entry: number): number {
    const { table, stager, queues, time, random } = this.#parts;
    const attempt = table.attempt[entry] as number;
    const since = sendableFrom(table.memoryOf(entry).view, table.recordOf(entry));
    const delayMs = putOffMs(time.wall - since, random());
    for (let parts = table.parts[entry] as number; parts !== 0; parts &= parts - 1) {
      const part = 31 - Math.clz32(parts & -parts);
      const { RETRY } = Outcome;
      stager.stageNotWritten(table, entry, part, attempt, session, time.wall, RETRY, delayMs);
    }
    table.parts[entry] = 0;
    queues.settle(entry);
    return 1;
  }
}

/** The session of the link with most room that carries nothing of this priority, or null. */
function roomiest(link: WorkerLink, priority: number): SmppSession | null {
  let best: SmppSession | null = null;
  for (const session of link.sessions) {
    if (session.carry[priority] !== NO_ENTRY || session.room <= 0) continue;
    if (best === null || session.room > best.room) best = session;
  }
  return best;
}
