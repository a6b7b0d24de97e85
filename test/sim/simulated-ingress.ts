/**
 * The ingress of one simulated thread, as src/workers/ingress-agent.ts puts it together; a message
 * from thread to thread takes its time.
 */
import type { PoolPlan } from "../../src/config/derive.ts";
import type { Dispatcher, WaitingOwner } from "../../src/dispatch/dispatcher.ts";
import type { Clock } from "../../src/environment.ts";
import { Ingress } from "../../src/ingress/ingress.ts";
import { MessageLookup } from "../../src/ingress/calls/message-lookup.ts";
import type { RecordLoader } from "../../src/journal/log-reading.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { journalThreadIndex, ledgerIndex, producerCount } from "../../src/tables/plan.ts";
import { allocateProducers } from "../../src/tables/producer-table.ts";
import type { ProcessMemory } from "./process-memory.ts";

/** What a process gives each of its ingress threads. */
export interface IngressParts {
  readonly memory: ProcessMemory;
  readonly epoch: number;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly pools: PoolPlan;
  readonly referencePromises: SharedArrayBuffer;
  readonly journalBytesMax: number;
  readonly loader: () => RecordLoader;
  readonly dispatcher: (producer: number, owner: WaitingOwner) => Dispatcher;
  /** Runs something on another thread, as a message to it would. */
  readonly tell: (thread: number, run: () => void) => void;
}

/** Calls that may wait for their commit: few, so that runs meet the bound. */
const PENDING_MAX = 256;

export function makeIngress(producer: number, parts: IngressParts): Ingress {
  const { memory, epoch, clock, ledger, tell } = parts;
  const { plan, logTable } = memory;
  const ledgerThread = ledgerIndex(plan);
  const others = Array.from({ length: plan.ingressCount }, (_, i) => i).filter(
    (other) => other !== producer,
  );
  return new Ingress({
    ...parts,
    producer,
    appender: memory.appender(producer, journalThreadIndex(plan)),
    logTable,
    keys: memory.keys,
    bucketWords: memory.bucketWords,
    ingressCount: plan.ingressCount,
    othersPendingBytes: () => others.reduce((sum, other) => sum + memory.stagedBytes(other), 0),
    dispatcherOf: (owner) => parts.dispatcher(producer, owner),
    loader: parts.loader(),
    lookup: new MessageLookup({
      query: {
        getMessage: (key, appId, done) => done(ledger.getMessage(key, appId)),
        cancel: (key, appId, done) =>
          tell(ledgerThread, () =>
            ledger.cancel(key, appId, (outcome) => tell(producer, () => done(outcome))),
          ),
        awaitAnswer: (key, appId, waitMs, done) =>
          ledger.awaitAnswer(key, appId, clock.wallMs() + waitMs, done),
      },
      logTable,
      clock,
      epoch,
      producerCount: producerCount(plan),
      onWaiting: () => undefined,
    }),
    metrics: memory.metrics(producer),
    producerWords: new Int32Array(allocateProducers(plan.ingressCount)),
    wake: () => undefined,
    pendingMax: PENDING_MAX,
  });
}
