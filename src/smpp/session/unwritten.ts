/**
 * Segments with a committed SENDING whose bytes will not be written: their session was lost first,
 * or they do not encode. Each gets its ANSWER (NOT_WRITTEN) as soon as there is room in the staging
 * ring, and goes back to a queue.
 *
 * So the ledger sees every attempt end, and "never written is always safe to reroute" holds. One
 * thread.
 */
import { Outcome } from "../../records/attempt.ts";
import type { TurnTime } from "../context.ts";
import { IntQueue } from "../queue/int-queue.ts";
import { ATTEMPT_MAX } from "../pace/limits.ts";
import type { LocalQueues } from "../queue/local-queues.ts";
import type { MessageTable } from "../queue/message-table.ts";
import type { RecordStager } from "../record-stager.ts";
import type { SmppSession } from "./session.ts";

const UNSENDABLE = 1 << 16;

/** Part and attempt of a prepared segment in one integer. */
export function packSegment(part: number, attempt: number): number {
  return part | (attempt << 8);
}

export function partOf(segment: number): number {
  return segment & 0xff;
}

export function attemptOf(segment: number): number {
  return (segment >>> 8) & 0xff;
}

export class UnwrittenQueue {
  readonly #table: MessageTable;
  readonly #stager: RecordStager;
  readonly #queues: LocalQueues;
  readonly #time: TurnTime;
  readonly #sessions: readonly SmppSession[];
  /** (entry, segment, session) each. */
  readonly #waiting = new IntQueue(64);

  constructor(
    table: MessageTable,
    stager: RecordStager,
    queues: LocalQueues,
    time: TurnTime,
    sessions: readonly SmppSession[],
  ) {
    this.#table = table;
    this.#stager = stager;
    this.#queues = queues;
    this.#time = time;
    this.#sessions = sessions;
  }

  get length(): number {
    return this.#waiting.length / 3;
  }

  /** The session was lost, or stopped sending, before these bytes were written. */
  add(entry: number, segment: number, session: SmppSession): void {
    this.#waiting.push(entry);
    this.#waiting.push(segment);
    this.#waiting.push(session.local);
  }

  /** The part cannot be encoded, now or ever. */
  addUnsendable(entry: number, segment: number, session: SmppSession): void {
    this.add(entry, segment | UNSENDABLE, session);
  }

  /** Records what there is room for; returns how many. */
  flush(): number {
    let count = 0;
    while (this.#waiting.length > 0 && this.#stager.hasRoom()) {
      const entry = this.#waiting.shift();
      const segment = this.#waiting.shift();
      const session = this.#sessions[this.#waiting.shift()] as SmppSession;
      this.#record(entry, segment, session);
      count++;
    }
    return count;
  }

  #record(entry: number, segment: number, session: SmppSession): void {
    const table = this.#table;
    const part = partOf(segment);
    const attempt = attemptOf(segment);
    const isOver = (segment & UNSENDABLE) !== 0;
    const outcome = isOver ? Outcome.REJECTED : Outcome.KEPT;
    this.#stager.stageNotWritten(table, entry, part, attempt, session, this.#time.wall, outcome);
    session.link.noteUnprepared(false);
    table.prepared[entry] = (table.prepared[entry] as number) - 1;
    table.restsOn[entry] = this.#stager.staged;
    if (!isOver) {
      table.parts[entry] = (table.parts[entry] as number) | (1 << part);
      table.attempt[entry] = Math.max(
        table.attempt[entry] as number,
        Math.min(ATTEMPT_MAX, attempt + 1),
      );
    }
    this.#queues.settle(entry);
  }
}
