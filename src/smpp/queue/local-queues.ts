/**
 * Where the messages of a worker wait: per pool and priority, or with the one link that may send
 * them.
 *
 *   submit ring ──► pool queue ──► session (carry) ──► prepared ──► written
 *                      ▲   └──► RETURN to the producer, when no session of its pool or link is here
 *                      └── in front: not written after all, throttled (kept), the rest of a message
 *
 * A message whose parts went to a link, or that was throttled there, stays with that link. One
 * thread.
 */
import type { Log } from "../../environment.ts";
import type { RecordLoader } from "../../journal/log-reading.ts";
import { Counter, type MetricBlock } from "../../metrics/block.ts";
import { Accept, acceptIsConsistent } from "../../records/accept.ts";
import { Verdict } from "../../records/concluded.ts";
import { PRIORITY_COUNT } from "../../records/types.ts";
import type { TurnTime } from "../context.ts";
import type { CreditKeeper } from "./credit-keeper.ts";
import { ATTEMPT_MAX } from "../pace/limits.ts";
import type { WorkerLink } from "../link.ts";
import type { MessageList } from "./message-list.ts";
import {
  MARK_CARRIED,
  MARK_COUNTED,
  MARK_LISTED,
  type MessageTable,
  NO_ENTRY,
} from "./message-table.ts";
import type { WorkerPool } from "../pool.ts";
import type { RecordStager } from "../record-stager.ts";
import type { Returns } from "./returns.ts";
import type { SmppSession } from "../session/session.ts";
import type { Window } from "../session/window.ts";

export interface QueueParts {
  readonly table: MessageTable;
  readonly stager: RecordStager;
  readonly loader: RecordLoader;
  readonly credits: CreditKeeper;
  readonly returns: Returns;
  readonly metrics: MetricBlock;
  readonly log: Log;
  readonly time: TurnTime;
  readonly pools: readonly WorkerPool[];
  readonly links: readonly WorkerLink[];
}

export class LocalQueues {
  /** Messages in queues, by priority. */
  readonly listed = new Int32Array(PRIORITY_COUNT);
  /** Messages that sessions carry, by priority. */
  readonly carried = new Int32Array(PRIORITY_COUNT);
  /** While draining, nothing is returned: the journal has it. */
  isDraining = false;
  readonly #parts: QueueParts;
  #linkById: ReadonlyMap<number, WorkerLink> = new Map();

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  /** Links and pools have changed: what waited for one link finds its place anew. */
  replan(): void {
    const { links, pools } = this.#parts;
    this.#linkById = new Map(links.map((link) => [link.id, link]));
    for (const link of links) this.#replacePinned(link);
    for (const pool of pools) if (!pool.isAvailable) this.returnPool(pool);
  }

  /** Queues a message that just came in, or returns it at once. */
  accept(entry: number): void {
    this.#parts.table.mark(entry, MARK_COUNTED);
    this.#place(entry, false);
  }

  /**
   * Keeps a throttled part, whose ANSWER is staged: it waits in front, bound to its link, with the
   * next attempt number. The body is read from the log again when its turn comes. There must be a
   * free entry.
   */
  keep(window: Window, slot: number, link: WorkerLink): void {
    const { table, stager } = this.#parts;
    const bit = 1 << (window.part[slot] as number);
    const attempt = Math.min(ATTEMPT_MAX, (window.attempt[slot] as number) + 1);
    const offset = window.logOffset[slot] as number;
    const list = link.pinned[window.priority[slot] as number] as MessageList;
    const same = list.lastUpTo(offset);
    if (
      same !== NO_ENTRY &&
      table.logOffset[same] === offset &&
      table.attempt[same] === attempt &&
      table.flags[same] === window.flags[slot] &&
      table.concatReference[same] === window.concatReference[slot]
    ) {
      table.parts[same] = (table.parts[same] as number) | bit;
      table.restsOn[same] = stager.staged;
      return;
    }
    const entry = table.take();
    table.logOffset[entry] = offset;
    table.sequence[entry] = window.keySequence[slot] as number;
    table.origin[entry] = window.origin[slot] as number;
    table.expiresAt[entry] = window.expiresAt[slot] as number;
    table.appIndex[entry] = window.appIndex[slot] as number;
    table.pool[entry] = window.pool[slot] as number;
    table.concatReference[entry] = window.concatReference[slot] as number;
    table.drawnAt[entry] = window.drawnAt[slot] as number;
    table.priority[entry] = window.priority[slot] as number;
    table.producer[entry] = window.producer[slot] as number;
    table.flags[entry] = window.flags[slot] as number;
    table.attempt[entry] = attempt;
    table.parts[entry] = bit;
    table.linkId[entry] = link.id;
    table.restsOn[entry] = stager.staged;
    this.#place(entry, true);
  }

  /**
   * After one of its prepared parts was written or given up: frees it, or queues the rest once
   * nothing is prepared.
   */
  settle(entry: number): void {
    const { table } = this.#parts;
    if (table.prepared[entry] !== 0 || table.hasMark(entry, MARK_LISTED | MARK_CARRIED)) return;
    if (table.parts[entry] === 0) this.#free(entry);
    else this.#place(entry, true);
  }

  /** Takes an entry out of `list` to prepare it; it keeps counting as held. */
  take(list: MessageList, entry: number): void {
    list.remove(entry);
    const priority = this.#parts.table.priority[entry] as number;
    this.listed[priority] = (this.listed[priority] as number) - 1;
  }

  /** The session takes the rest of this message as soon as it can. */
  carry(session: SmppSession, entry: number): void {
    const { table } = this.#parts;
    const priority = table.priority[entry] as number;
    session.carry[priority] = entry;
    table.mark(entry, MARK_CARRIED);
    this.carried[priority] = (this.carried[priority] as number) + 1;
  }

  /** Takes back what the session carries of a priority; NO_ENTRY if it carries nothing. */
  takeCarried(session: SmppSession, priority: number): number {
    const entry = session.carry[priority] as number;
    if (entry === NO_ENTRY) return NO_ENTRY;
    session.carry[priority] = NO_ENTRY;
    this.#parts.table.unmark(entry, MARK_CARRIED);
    this.carried[priority] = (this.carried[priority] as number) - 1;
    return entry;
  }

  /** All its parts are prepared: the producer may send another one. */
  uncount(entry: number): void {
    const { table, credits } = this.#parts;
    if (!table.hasMark(entry, MARK_COUNTED)) return;
    table.unmark(entry, MARK_COUNTED);
    credits.release(
      table.producer[entry] as number,
      table.pool[entry] as number,
      table.priority[entry] as number,
    );
  }

  /**
   * Ends a message in no list, as far as it is not prepared. There must be room in the staging
   * ring.
   */
  conclude(entry: number, verdict: number): void {
    const { table, stager, metrics, time } = this.#parts;
    stager.stageConcluded(table, entry, verdict, time.wall);
    metrics.add(Counter.messagesConcluded, 1);
    table.parts[entry] = 0;
    this.settle(entry);
  }

  /**
   * Makes sure that the body of an entry is here. False: the log does not give it; if the key is
   * not known either, nothing can be recorded, and the message is left to the ledger (it is open
   * there until its validity ends).
   */
  load(entry: number): boolean {
    const { table, loader, log } = this.#parts;
    if (table.hasBody(entry)) return true;
    const logOffset = table.logOffset[entry] as number;
    const record = loader.load(logOffset);
    if (record >= 0) {
      // Named only now: a log that cannot be read is no fault of the message.
      table.inHand[0] = logOffset;
      const lengthBytes = loader.memory.view.getUint32(record, true);
      const isConsistent = acceptIsConsistent(loader.memory, record, lengthBytes);
      if (isConsistent) table.setBody(entry, loader.memory, record, lengthBytes);
      table.inHand[0] = -1;
      if (isConsistent) return true;
    }
    log.write("error", "load a message from the log", {
      logOffset,
      cause: record < 0 ? "no ACCEPT record at this offset" : "its lengths do not agree",
    });
    return false;
  }

  /** Reads key and validity from the body into the table. */
  readKey(entry: number): void {
    const { table } = this.#parts;
    const { view } = table.memoryOf(entry);
    const record = table.recordOf(entry);
    table.sequence[entry] = view.getFloat64(record + Accept.SEQUENCE, true);
    table.origin[entry] = view.getUint32(record + Accept.ORIGIN, true);
    table.expiresAt[entry] = view.getFloat64(record + Accept.EXPIRES_AT, true);
  }

  /** Gives an entry up without a record: neither body nor key could be had. */
  drop(entry: number): void {
    this.#free(entry);
  }

  /**
   * Returns a message that nobody has begun, or refuses to: it is not here, or has a SENDING. What
   * is on its way back already just goes on.
   */
  giveBack(logOffset: number, producer: number): void {
    const { table, pools, returns } = this.#parts;
    const entry = table.findWhole(logOffset);
    if (entry === NO_ENTRY || table.producer[entry] !== producer) {
      returns.refuse(logOffset, producer);
    } else if (table.hasMark(entry, MARK_COUNTED)) {
      const pool = pools[table.pool[entry] as number] as WorkerPool;
      const list = pool.queues[table.priority[entry] as number] as MessageList;
      this.take(list, entry);
      list.closeGaps();
      this.#return(entry);
    }
  }

  /** No session of the pool is open here any more: what waits for it goes back. */
  returnPool(pool: WorkerPool): void {
    for (const list of pool.queues) this.#returnList(list);
  }

  /** No session of the link is open here any more. */
  returnLink(link: WorkerLink): void {
    if (!this.isDraining) this.#replacePinned(link);
  }

  /** Ends what has expired in all queues, as far as there is room; returns how many messages. */
  sweepExpired(): number {
    let count = 0;
    for (const pool of this.#parts.pools) {
      for (const list of pool.queues) {
        const ended = this.#sweepList(list);
        if (ended > 0) list.closeGaps();
        count += ended;
      }
    }
    for (const link of this.#parts.links) {
      for (const list of link.pinned) count += this.#sweepList(list);
    }
    return count;
  }

  /** What waits for this link stays, goes to its pool, or goes back, as things are now. */
  #replacePinned(link: WorkerLink): void {
    for (const list of link.pinned) {
      for (let left = list.count; left > 0; left--) {
        const entry = list.head;
        this.take(list, entry);
        this.#place(entry, true);
      }
    }
  }

  #sweepList(list: MessageList): number {
    const { table, stager, time } = this.#parts;
    let count = 0;
    for (let entry = list.head; entry !== NO_ENTRY; ) {
      const next = table.next[entry] as number;
      if ((table.expiresAt[entry] as number) <= time.wall) {
        if (!stager.hasRoom()) return count;
        this.take(list, entry);
        this.conclude(entry, Verdict.EXPIRED);
        count++;
      }
      entry = next;
    }
    return count;
  }

  #returnList(list: MessageList): void {
    if (this.isDraining) return;
    while (list.head !== NO_ENTRY) {
      const entry = list.head;
      this.take(list, entry);
      this.#return(entry);
    }
  }

  #return(entry: number): void {
    this.uncount(entry);
    this.#parts.returns.add(entry);
  }

  #place(entry: number, inFront: boolean): void {
    const { table, pools } = this.#parts;
    const priority = table.priority[entry] as number;
    const pool = pools[table.pool[entry] as number] as WorkerPool;
    let linkId = table.linkId[entry] as number;
    // The pool has this link no more: any other may send the rest.
    if (linkId !== 0 && !pool.linkIds.has(linkId)) {
      linkId = 0;
      table.linkId[entry] = 0;
    }
    if (linkId !== 0) {
      const link = this.#linkById.get(linkId);
      const isHere = link !== undefined && link.openCount > 0 && !link.isClosed;
      if (link === undefined || (!isHere && !this.isDraining)) {
        this.#return(entry);
        return;
      }
      (link.pinned[priority] as MessageList).insertByOffset(entry);
    } else {
      if (!pool.isAvailable && !this.isDraining) {
        this.#return(entry);
        return;
      }
      const list = pool.queues[priority] as MessageList;
      if (inFront) list.insertInFront(entry);
      else list.append(entry);
    }
    this.listed[priority] = (this.listed[priority] as number) + 1;
  }

  #free(entry: number): void {
    this.uncount(entry);
    this.#parts.table.free(entry);
  }
}
