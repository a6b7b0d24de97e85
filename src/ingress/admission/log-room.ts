/**
 * Whether one more message of an app may be accepted: room in the log, and among those that wait.
 *
 *   0 ─────────────── every app ────────────── 7/8 ── apps with few waiting messages ── the bound
 *
 * An app that sends more than its links take is refused at seven eighths of either bound; the rest
 * is for others, so that its trouble stays its own. Few: 1/16 of what is kept back. What an app
 * has waiting for links is counted by the thread that accepted it; what the ledger has of it, as
 * scheduled and held messages, is not. One instance per ingress thread.
 */
import { LIFE_BYTES_PER_PART, promisedBytes } from "../../journal/space.ts";
import type { LogTable } from "../../tables/log-table.ts";

/** Space is looked up anew at each `refresh` and after charging so much. */
const STEP_BYTES = 1024 * 1024;
const KEPT_BACK_SHARE = 1 / 8;
const FEW_SHARE = 1 / 16;
/** A message of one part, roughly: its ACCEPT and its life. */
const MESSAGE_BYTES = LIFE_BYTES_PER_PART + 256;

/** What waits for links in this thread. */
export interface WaitingMessages {
  readonly waitingMax: number;
  /** How many more may wait. */
  readonly waitingRoom: number;
  waitingOfApp(appIndex: number): number;
}

export interface LogRoomOptions {
  readonly logTable: LogTable;
  readonly journalBytesMax: number;
  /** Ingress threads that admit at the same time. */
  readonly ingressCount: number;
  /** Bytes staged by all ingress threads that the journal has not committed. */
  readonly pendingBytes: () => number;
  readonly waiting: () => WaitingMessages;
}

export class LogRoom {
  readonly #options: LogRoomOptions;
  readonly #keptBackBytes: number;
  /** What was found free and is not charged yet. */
  #left = 0;

  constructor(options: LogRoomOptions) {
    this.#options = options;
    this.#keptBackBytes = Math.floor(options.journalBytesMax * KEPT_BACK_SHARE);
  }

  /** Looks anew at the next message. To be called every few milliseconds. */
  refresh(): void {
    this.#left = 0;
  }

  /** Charges a message of an app `charge` bytes (`lifeCharge`); false if there is no room. */
  take(appIndex: number, charge: number): boolean {
    if (charge > this.#left) {
      const { logTable, journalBytesMax, ingressCount } = this.#options;
      // The other threads may be about to take a step of their own.
      const others = (ingressCount - 1) * STEP_BYTES;
      const free = journalBytesMax - promisedBytes(logTable, this.#options.pendingBytes()) - others;
      const freeForAll = free - this.#keptBackBytes;
      if (freeForAll < STEP_BYTES) {
        return charge <= freeForAll || (charge <= free && this.#hasFewWaiting(appIndex));
      }
      this.#left = STEP_BYTES;
    }
    this.#left -= charge;
    return true;
  }

  /** Whether a message of an app may wait, should its links be busy. */
  mayWait(appIndex: number): boolean {
    const { waitingMax, waitingRoom } = this.#options.waiting();
    return waitingRoom > waitingMax * KEPT_BACK_SHARE || this.#hasFewWaiting(appIndex);
  }

  #hasFewWaiting(appIndex: number): boolean {
    const { journalBytesMax, ingressCount } = this.#options;
    const waiting = this.#options.waiting();
    const messagesMax = journalBytesMax / MESSAGE_BYTES / ingressCount;
    const few = Math.min(messagesMax, waiting.waitingMax) * KEPT_BACK_SHARE * FEW_SHARE;
    return waiting.waitingOfApp(appIndex) <= few;
  }
}
