/**
 * One pool as one worker sees it: its own sessions with their weights, and the messages that wait
 * for any of them.
 *
 *   weight of a session = member weight × WEIGHT_SCALE ÷ sessions of its link
 *
 * Where a pool has many sessions, messages that are there in one turn go to a session in runs: a
 * write to its socket costs as much for thirty as for one, and so does a read of their answers. A
 * run is charged as so many picks, so shares are as the weights say.
 *
 * Available means open: bound and wanted. A throttled link or a full window only makes the queue
 * wait. One thread.
 */
import { PRIORITY_COUNT } from "../records/types.ts";
import { SmoothWeightedRoundRobin } from "../routing/swrr.ts";
import {
  ALLOWANCE_HORIZON_MS,
  ALLOWANCE_MAX,
  ALLOWANCE_MIN,
  ALLOWANCE_WINDOWS,
  SESSION_RUN_MAX,
  SESSIONS_INTERLEAVED_MAX,
  WEIGHT_SCALE,
} from "./pace/limits.ts";
import { MessageList } from "./queue/message-list.ts";
import type { MessageTable } from "./queue/message-table.ts";
import type { SmppSession } from "./session/session.ts";

export class WorkerPool {
  readonly index: number;
  /** By priority. */
  readonly queues: MessageList[];
  /** Messages may wait here: some session is open, on a link that is not closed. */
  isAvailable = false;
  /** What producers choose this worker by. */
  availableWeight = 0;
  /** Messages in its queues, as others were shown last. */
  countShown = 0;
  /** Messages that one producer may have waiting here per priority. */
  allowance = 0;
  /** Ids of its links, also of those that other workers have. */
  readonly linkIds = new Set<number>();
  #sessions: SmppSession[] = [];
  #weights: number[] = [];
  #eligible = new Float64Array(0);
  #choice = new SmoothWeightedRoundRobin(0);
  /** Index of the session that was picked last or -1, in which turn, and what more it may take. */
  #run = -1;
  #runTurn = 0;
  #runLeft = 0;

  constructor(index: number, table: MessageTable) {
    this.index = index;
    this.queues = Array.from({ length: PRIORITY_COUNT }, () => new MessageList(table));
  }

  /** Takes all members out, for others to be added. */
  clearMembers(): void {
    this.linkIds.clear();
    this.#sessions = [];
    this.#weights = [];
    this.#eligible = new Float64Array(0);
    this.#choice = new SmoothWeightedRoundRobin(0);
    this.#run = -1;
    this.#runLeft = 0;
  }

  /** Adds the sessions that this worker owns of a member link. */
  addSessions(sessions: readonly SmppSession[], memberWeight: number): void {
    for (const session of sessions) {
      const share = (memberWeight * WEIGHT_SCALE) / session.link.config.sessions;
      this.#sessions.push(session);
      this.#weights.push(Math.max(1, Math.round(share)));
    }
    this.#eligible = new Float64Array(this.#sessions.length);
    this.#choice = new SmoothWeightedRoundRobin(this.#sessions.length);
  }

  get sessions(): readonly SmppSession[] {
    return this.#sessions;
  }

  /** The allowance that it has when all its sessions are open. */
  get allowanceMax(): number {
    return allowanceOf(this.#sessions);
  }

  /** Looks at its sessions again after one of them was bound, lost or stalled. */
  refresh(): void {
    const open: SmppSession[] = [];
    this.availableWeight = 0;
    for (let i = 0; i < this.#sessions.length; i++) {
      const session = this.#sessions[i] as SmppSession;
      if (!session.isOpen || session.link.isClosed) continue;
      open.push(session);
      if (!session.isStalled) this.availableWeight += this.#weights[i] as number;
    }
    this.isAvailable = open.length > 0;
    this.allowance = this.isAvailable ? allowanceOf(open) : 0;
  }

  /**
   * The session that takes the next message of this priority, or null if none can now; `turn`: any
   * number that is another one in each turn of the worker.
   */
  pickSession(priority: number, turn: number): SmppSession | null {
    if (this.#runLeft > 0) {
      const session = this.#sessions[this.#run] as SmppSession;
      if (turn === this.#runTurn && session.takesNew(priority)) {
        this.#runLeft--;
        return session;
      }
    }
    this.#chargeRun();
    for (let i = 0; i < this.#sessions.length; i++) {
      const takes = (this.#sessions[i] as SmppSession).takesNew(priority);
      this.#eligible[i] = takes ? (this.#weights[i] as number) : 0;
    }
    this.#run = this.#choice.pick(this.#eligible);
    if (this.#run < 0) return null;
    this.#runTurn = turn;
    this.#runLeft = this.#runLength - 1;
    return this.#sessions[this.#run] as SmppSession;
  }

  /** Makes the last run's session pay for what it took beyond its pick, by the weights then. */
  #chargeRun(): void {
    if (this.#run < 0) return;
    const more = this.#runLength - 1 - this.#runLeft;
    if (more > 0) this.#choice.charge(this.#eligible, this.#run, more);
    this.#run = -1;
    this.#runLeft = 0;
  }

  get #runLength(): number {
    return this.#sessions.length <= SESSIONS_INTERLEAVED_MAX ? 1 : SESSION_RUN_MAX;
  }
}

function allowanceOf(sessions: readonly SmppSession[]): number {
  let perS = 0;
  let windows = 0;
  for (const { link } of sessions) {
    const { rateTps, sessions: count, windowMax } = link.config;
    perS += rateTps === null ? Number.POSITIVE_INFINITY : rateTps / count;
    windows += windowMax;
  }
  const needed = Math.min(
    Math.ceil((perS * ALLOWANCE_HORIZON_MS) / 1000),
    ALLOWANCE_WINDOWS * windows,
  );
  return Math.max(ALLOWANCE_MIN, Math.min(ALLOWANCE_MAX, needed));
}
