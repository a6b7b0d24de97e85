/**
 * What the sessions of one worker share: the injected world, the time of the present turn, and the
 * worker's parts.
 */
import type { Clock, Dial, Log, Random } from "../environment.ts";
import type { MetricBlock } from "../metrics/block.ts";
import type { SessionNotes } from "../tables/session-notes.ts";
import type { DialLimiter } from "./session/dial-limiter.ts";
import type { LocalQueues } from "./queue/local-queues.ts";
import type { MessageTable } from "./queue/message-table.ts";
import type { ReceiptIntake } from "./receipt.ts";
import type { RecordStager } from "./record-stager.ts";
import type { SmppSession } from "./session/session.ts";
import type { SubmitEncoder } from "./submit-sm.ts";
import type { UnwrittenQueue } from "./session/unwritten.ts";

/** The clock as it was read last: at the start of a turn, a tick, or an event of a socket. */
export class TurnTime {
  /** Monotonic ms. */
  now = 0;
  /** Wall ms. */
  wall = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.refresh();
  }

  /** Monotonic ms as of this instant; `now` stays. */
  readMonotonic(): number {
    return this.#clock.monotonicMs();
  }

  refresh(): void {
    this.now = this.#clock.monotonicMs();
    this.wall = this.#clock.wallMs();
  }
}

export interface WorkerContext {
  readonly random: Random;
  readonly dial: Dial;
  readonly log: Log;
  readonly metrics: MetricBlock;
  /** Counts a segment that goes out, by how long its message had waited (ms). */
  countWait(pool: number, priority: number, ms: number): void;
  readonly sessionWords: Int32Array;
  readonly sessionNotes: SessionNotes;
  readonly sequenceNumberFirst: number;
  readonly time: TurnTime;
  readonly stager: RecordStager;
  readonly table: MessageTable;
  readonly queues: LocalQueues;
  readonly unwritten: UnwrittenQueue;
  readonly receipts: ReceiptIntake;
  readonly encoder: SubmitEncoder;
  readonly dials: DialLimiter;
  /** Asks for a turn soon. */
  wake(): void;
  /** The session was bound, left the bound state, or its `isStalled` changed. */
  availabilityChanged(session: SmppSession): void;
}
