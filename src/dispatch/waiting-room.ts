/**
 * Everything that waits at one producer: a lane per group and priority, and the attributes of what
 * differs from an ordinary message.
 *
 *   group   0 … poolCount - 1   a pool: any link of it may send
 *           poolCount …         a link: only it may send, since other parts of the message went
 *                               there, or it is sent again where it may have arrived before
 *
 * A waiting message costs 8 bytes; one with a later attempt, some of its parts, a flag or a link of
 * its own has those kept beside, by log offset. One instance per producer, its thread only.
 */
import { allParts, PARTS_ALL } from "../records/hand-over.ts";
import { PRIORITY_COUNT } from "../records/types.ts";
import { ChunkStore, type ExpiryCheck, NONE_WAITING, WaitingLane } from "./waiting-queue.ts";

/** One message to be published; callers keep one such object and fill it anew. */
export interface DispatchEntry {
  /** Of the ACCEPT. */
  logOffset: number;
  poolIndex: number;
  priority: number;
  appIndex: number;
  /** Number of its next sending, 1-based. */
  attempt: number;
  /** Bit per part that is to be sent, or PARTS_ALL. */
  parts: number;
  /** FLAG_MAYBE_DUP or 0. */
  flags: number;
  /** The only link that may send it, or 0. */
  linkId: number;
  /** The concatenation reference that parts of it went out with, or 0. */
  concatReference: number;
  /** Wall ms; 0 = not known. */
  expiresAtMs: number;
}

/** The attributes of one that differs, and where it waits. */
interface UnusualEntry extends Readonly<DispatchEntry> {
  readonly group: number;
}

/** What a message is found by as long as no part of it was begun. */
export interface WholeMessage {
  readonly logOffset: number;
  readonly poolIndex: number;
  readonly priority: number;
  readonly appIndex: number;
  readonly partCount: number;
}

/** Whether an entry is about all parts of a message, none of them ever begun. */
export function isWhole(entry: Readonly<DispatchEntry>, partCount: number): boolean {
  const { attempt, parts, flags } = entry;
  return attempt === 1 && flags === 0 && (parts === PARTS_ALL || parts === allParts(partCount));
}

export function emptyDispatchEntry(): DispatchEntry {
  return {
    logOffset: 0,
    poolIndex: 0,
    priority: 0,
    appIndex: 0,
    attempt: 1,
    parts: PARTS_ALL,
    flags: 0,
    linkId: 0,
    concatReference: 0,
    expiresAtMs: 0,
  };
}

const SWEEP_INTERVAL_MS = 1000;
const SWEEP_CONTINUE_MS = 20;
const SWEEP_BUDGET = 1024;

export class WaitingRoom {
  readonly groupCount: number;
  /** Messages that wait. */
  count = 0;
  readonly #poolCount: number;
  readonly #appCount: number;
  readonly #store = new ChunkStore();
  readonly #lanes: (WaitingLane | null)[];
  readonly #waiting: Int32Array;
  /** Several where parts of one message wait on their own. */
  readonly #unusual = new Map<number, UnusualEntry[]>();
  readonly #owner: ExpiryCheck;
  #nextSweepMs = 0;
  #sweepLane = 0;

  /** `owner` ends what has expired. */
  constructor(poolCount: number, linkCount: number, appCount: number, owner: ExpiryCheck) {
    this.groupCount = poolCount + linkCount;
    this.#poolCount = poolCount;
    this.#appCount = appCount;
    this.#lanes = Array.from({ length: this.groupCount * PRIORITY_COUNT }, () => null);
    this.#waiting = new Int32Array(this.groupCount);
    this.#owner = owner;
  }

  /** The group of what only this link may send. */
  groupOfLink(linkIndex: number): number {
    return this.#poolCount + linkIndex;
  }

  /** The link of a group, or -1 if it is a pool's. */
  linkOf(group: number): number {
    return group < this.#poolCount ? -1 : group - this.#poolCount;
  }

  waitingOf(group: number): number {
    return this.#waiting[group] as number;
  }

  waitingIn(group: number, priority: number): number {
    return this.#lanes[group * PRIORITY_COUNT + priority]?.count ?? 0;
  }

  /** Whether the next message of a lane is of an app that has come anew. */
  isNextFresh(group: number, priority: number): boolean {
    return this.#lanes[group * PRIORITY_COUNT + priority]?.isNextFresh() ?? false;
  }

  /** Messages of one app, in all lanes. */
  waitingOfApp(appIndex: number): number {
    let sum = 0;
    for (const lane of this.#lanes) sum += lane?.countOf(appIndex) ?? 0;
    return sum;
  }

  /** Log offset of about the oldest message that waits there; NONE_WAITING for none. */
  oldestIn(group: number, priority: number): number {
    return this.#lanes[group * PRIORITY_COUNT + priority]?.oldest() ?? NONE_WAITING;
  }

  /** Lets a message wait: behind its app's others, or before them if it had its turn already. */
  add(group: number, entry: Readonly<DispatchEntry>, first: boolean): void {
    const index = group * PRIORITY_COUNT + entry.priority;
    let lane = this.#lanes[index] ?? null;
    if (lane === null) {
      lane = new WaitingLane(this.#appCount, this.#store);
      this.#lanes[index] = lane;
    }
    if (first) lane.prepend(entry.appIndex, entry.logOffset, entry.expiresAtMs);
    else lane.append(entry.appIndex, entry.logOffset, entry.expiresAtMs);
    if (!isOrdinary(entry)) this.#keepUnusual(entry, group);
    this.count++;
    this.#waiting[group] = (this.#waiting[group] as number) + 1;
  }

  /** Takes the next message in turn and fills `into`; false if none waits. */
  take(group: number, priority: number, into: DispatchEntry): boolean {
    const lane = this.#lanes[group * PRIORITY_COUNT + priority] ?? null;
    const logOffset = lane === null ? NONE_WAITING : lane.take();
    if (lane === null || logOffset === NONE_WAITING) return false;
    this.#noteLeft(group, 1);
    const unusual = this.#takeUnusual(logOffset, group);
    into.logOffset = logOffset;
    into.poolIndex = unusual?.poolIndex ?? group;
    into.priority = priority;
    into.appIndex = lane.takenApp;
    into.attempt = unusual?.attempt ?? 1;
    into.parts = unusual?.parts ?? PARTS_ALL;
    into.flags = unusual?.flags ?? 0;
    into.linkId = unusual?.linkId ?? 0;
    into.concatReference = unusual?.concatReference ?? 0;
    into.expiresAtMs = unusual?.expiresAtMs ?? 0;
    return true;
  }

  /**
   * Takes a message out that waits for its pool with all its parts, none of them ever begun; false
   * if it does not wait so.
   */
  removeWhole(wanted: Readonly<WholeMessage>): boolean {
    const { logOffset, poolIndex, priority, appIndex } = wanted;
    const lane = this.#lanes[poolIndex * PRIORITY_COUNT + priority] ?? null;
    if (lane === null) return false;
    const kept = this.#unusual.get(logOffset)?.find(({ linkId }) => linkId === 0);
    if (kept !== undefined && !isWhole(kept, wanted.partCount)) return false;
    if (!lane.remove(appIndex, logOffset)) return false;
    this.#takeUnusual(logOffset, poolIndex);
    this.#noteLeft(poolIndex, 1);
    return true;
  }

  /** Drops what its owner ends, in bounded steps. To be called again and again. */
  sweep(wallMs: number): void {
    if (wallMs < this.#nextSweepMs) return;
    let budget = SWEEP_BUDGET;
    for (; this.#sweepLane < this.#lanes.length && budget > 0; this.#sweepLane++) {
      const lane = this.#lanes[this.#sweepLane] ?? null;
      if (lane === null || lane.lowestExpiresAtMs > wallMs) continue;
      const group = Math.floor(this.#sweepLane / PRIORITY_COUNT);
      const before = lane.count;
      budget = lane.sweep(this.#checkOf(group), wallMs, budget);
      this.#noteLeft(group, before - lane.count);
      if (budget === 0) break;
    }
    const done = this.#sweepLane === this.#lanes.length;
    if (done) this.#sweepLane = 0;
    this.#nextSweepMs = wallMs + (done ? SWEEP_INTERVAL_MS : SWEEP_CONTINUE_MS);
  }

  #checkOf(group: number): ExpiryCheck {
    return {
      expire: (logOffset, wallMs) => {
        const expiresAtMs = this.#owner.expire(logOffset, wallMs);
        if (expiresAtMs === 0) this.#takeUnusual(logOffset, group);
        return expiresAtMs;
      },
    };
  }

  #noteLeft(group: number, messages: number): void {
    this.count -= messages;
    this.#waiting[group] = (this.#waiting[group] as number) - messages;
  }

  #keepUnusual(entry: Readonly<DispatchEntry>, group: number): void {
    const kept = this.#unusual.get(entry.logOffset);
    if (kept === undefined) this.#unusual.set(entry.logOffset, [{ ...entry, group }]);
    else kept.push({ ...entry, group });
  }

  /** The kept attributes of one that waits in this group. */
  #takeUnusual(logOffset: number, group: number): UnusualEntry | undefined {
    if (this.#unusual.size === 0) return undefined;
    const kept = this.#unusual.get(logOffset);
    if (kept === undefined) return undefined;
    const index = kept.findIndex((entry) => entry.group === group);
    if (index < 0) return undefined;
    const entry = kept[index];
    kept.splice(index, 1);
    if (kept.length === 0) this.#unusual.delete(logOffset);
    return entry;
  }
}

function isOrdinary(entry: Readonly<DispatchEntry>): boolean {
  const { attempt, parts, flags, linkId, concatReference } = entry;
  const isWholeAndNew = attempt === 1 && parts === PARTS_ALL && flags === 0;
  return isWholeAndNew && linkId === 0 && concatReference === 0;
}
