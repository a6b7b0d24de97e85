/**
 * Open messages that no commit has yet: the log alone has them, and a start reads them there again.
 *
 *   log   ···│ group: none left │ group: 3 left │ group: 41 │ group being filled │ not read yet
 *                               ▲ replayFrom: a start reads on from here           ▲ cursor
 *
 * Most messages end within a second. Written while they were open they would be written twice, and
 * removed from the open index after that. So one of which the log says no more than ACCEPT and
 * SENDING is left out of the commits, and out of the books in them, as if it was not applied yet;
 * records in [replayFrom, cursor) make it anew. It is written as soon as anything else happens to
 * it, or when its group lies too far behind: by time, by log bytes, or by what all take of memory.
 *
 * The messages of a group are those whose ACCEPT lies between its beginning and the next one's.
 * The ledger's thread only.
 */
import { MessageStack } from "./message-stack.ts";
import { type MessageState, MessageStatus, NO_VERDICT } from "./message-state.ts";
import { type PartRecord, PartState } from "./part-state.ts";

/** Parts of messages that may stay unwritten; what memory they take is bounded by it. */
export const FRESH_PARTS_MAX = 98_304;
/** Log that a start reads once more, and that stays for it: at most about so much. */
const LOG_BYTES_MAX = 64 * 1024 * 1024;
/** And at most this share of what the log may take. */
const LOG_SHARE_MAX = 1 / 8;
const AGE_MS_MAX = 2000;
/** Of a group: what leaves late leaves together. */
const GROUP_MESSAGES_MAX = 2048;

export class FreshGroup {
  /** Log offset of a block, no ACCEPT of these messages lies before it. */
  from = 0;
  /** Monotonic ms. */
  since = 0;
  readonly messages = new MessageStack();
}

export class FreshMessages {
  /** Oldest first; the last one is being filled. */
  readonly #groups: FreshGroup[] = [];
  /** Empty ones, to be used again: each message points to its group. */
  readonly #spare: FreshGroup[] = [];
  /** Log bytes at which a group is full. */
  readonly #groupBytesMax: number;
  readonly #logBytesMax: number;
  #count = 0;
  #parts = 0;

  /** `journalBytesMax`: what the log may take (`journal.bytes_max`). */
  constructor(groupBytesMax: number, journalBytesMax: number) {
    this.#groupBytesMax = groupBytesMax;
    this.#logBytesMax = Math.min(LOG_BYTES_MAX, journalBytesMax * LOG_SHARE_MAX);
  }

  get count(): number {
    return this.#count;
  }

  get parts(): number {
    return this.#parts;
  }

  /** Parts beyond those that may stay unwritten. */
  get excess(): number {
    return Math.max(0, this.#parts - FRESH_PARTS_MAX);
  }

  /** What is added from here on has its ACCEPT at or behind `position`. `now`: monotonic ms. */
  follow(position: number, now: number): void {
    let last = this.#groups.at(-1);
    if (last !== undefined && last.messages.count > 0) {
      const isFull = last.messages.count >= GROUP_MESSAGES_MAX;
      if (!isFull && position - last.from < this.#groupBytesMax) return;
      last = undefined;
    }
    if (last === undefined) {
      last = this.#spare.pop() ?? new FreshGroup();
      this.#groups.push(last);
    }
    last.from = position;
    last.since = now;
  }

  /** Adds a message that no list of changed ones has; `follow` was called before. */
  add(message: MessageState): void {
    const group = this.#groups.at(-1) as FreshGroup;
    message.fresh = group;
    message.dirtyIndex = group.messages.count;
    group.messages.push(message);
    this.#count++;
    this.#parts += message.parts.length;
  }

  /** Takes a message out: it counts as clean from here on. */
  remove(message: MessageState): void {
    const { messages } = message.fresh as FreshGroup;
    const last = messages.pop();
    if (last !== message) {
      messages.replace(message.dirtyIndex, last);
      last.dirtyIndex = message.dirtyIndex;
    }
    message.fresh = null;
    message.dirtyIndex = -1;
    this.#count--;
    this.#parts -= message.parts.length;
  }

  /** Whether the oldest ones have to be written for their age. `now`: monotonic ms. */
  isOverdue(now: number): boolean {
    if (this.#count === 0) return false;
    this.#dropEmpty();
    return now - (this.#groups[0] as FreshGroup).since >= AGE_MS_MAX;
  }

  /**
   * A message that must be written now that the log is applied up to `cursor`, or null. It is to be
   * removed before the next call.
   */
  due(cursor: number, now: number): MessageState | null {
    if (this.#count === 0) return null;
    this.#dropEmpty();
    const { from, since, messages } = this.#groups[0] as FreshGroup;
    const isLate = now - since >= AGE_MS_MAX || cursor - from > this.#logBytesMax;
    return isLate || this.#parts > FRESH_PARTS_MAX ? messages.last : null;
  }

  /** Any of them, or null. */
  any(): MessageState | null {
    if (this.#count === 0) return null;
    this.#dropEmpty();
    return (this.#groups[0] as FreshGroup).messages.last;
  }

  /** From where on a start has to read if the log is applied up to `cursor`. */
  replayFrom(cursor: number): number {
    if (this.#count === 0) return cursor;
    this.#dropEmpty();
    return (this.#groups[0] as FreshGroup).from;
  }

  /** Leaves in front a group that has messages; there must be any. */
  #dropEmpty(): void {
    while ((this.#groups[0] as FreshGroup).messages.count === 0) {
      this.#spare.push(this.#groups.shift() as FreshGroup);
    }
  }
}

/** Whether ACCEPT and SENDING alone tell all of an open message. */
export function isFresh({ status, verdict, parts }: MessageState): boolean {
  if (verdict !== NO_VERDICT) return false;
  if (status !== MessageStatus.ACCEPTED && status !== MessageStatus.SUBMITTED) return false;
  for (let i = 0; i < parts.length; i++) {
    const { state, dueAt, lastAmbiguous } = parts[i] as PartRecord;
    if (state !== PartState.WAITING && state !== PartState.SENDING) return false;
    if (dueAt !== 0 || lastAmbiguous !== 0) return false;
  }
  return true;
}
