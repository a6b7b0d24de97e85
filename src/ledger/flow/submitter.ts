/**
 * How the ledger puts messages to workers: the part of src/dispatch that it uses, and what it
 * answers in return.
 *
 *   ledger ──submit──► waiting lanes ──isWanted?──► worker
 *
 * One per ledger, used by its thread only.
 */
import type { Cancellation } from "../../dispatch/cancellations.ts";
import type { WaitingOwner } from "../../dispatch/dispatcher.ts";
import type { DispatchEntry } from "../../dispatch/waiting-room.ts";
import type { RecordMemory } from "../../records/memory.ts";

export interface Submitter {
  /**
   * Publishes or queues by reference (`memory` null); false if there is no room: try again later.
   */
  submit(
    entry: DispatchEntry,
    memory: RecordMemory | null,
    acceptOffset: number,
    acceptLength: number,
  ): boolean;
  /**
   * Moves waiting and returned messages; makes everything submitted visible. Returns what it moved.
   */
  doWork(wallMs: number): number;
  /** Takes a message back that was submitted, if no part of it was begun. */
  cancel(wanted: Cancellation): void;
  /** Messages that wait for a worker. */
  readonly waitingCount: number;
  /** Whether `submit` would refuse now. */
  isFull(): boolean;
}

/** Makes the submitter of the ledger that owns what waits in it; Dispatcher fits. */
export type SubmitterFactory = (owner: WaitingOwner) => Submitter;
