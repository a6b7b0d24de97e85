/**
 * All shared memory of one gateway, allocated once at start and handed to every thread.
 *
 * Rings are named by their ends: `submit[producer][worker]`, `returns[worker][producer]`, `staging`
 * and `notices` by appender. Indices are those of src/tables/plan.ts.
 */
import { allocateReferences } from "../codec/index.ts";
import { allocateContract } from "../limit/contract.ts";
import { allocateMetrics } from "../metrics/block.ts";
import { allocateRing } from "../ring/layout.ts";
import { RingConsumer, RingMemory, RingProducer } from "../ring/one-to-one-ring.ts";
import { allocateCreditTable } from "../tables/credit-table.ts";
import { allocateIdempotency } from "../tables/idempotency-table.ts";
import { allocateDials, allocateRows } from "../tables/link-table.ts";
import { allocateSessions } from "../tables/session-notes.ts";
import { allocateLogTable } from "../tables/log-table.ts";
import {
  appenderCount,
  bucketWordCount,
  producerCount,
  type SharedPlan,
  threadCount,
} from "../tables/plan.ts";
import { allocateProducers } from "../tables/producer-table.ts";
import { allocateQueueTable } from "../tables/queue-table.ts";
import { allocateBells, allocateInHand } from "../tables/thread-table.ts";

const STAGING_BYTES = 4 * 1024 * 1024;
const NOTICE_BYTES = 64 * 1024;
const SUBMIT_BYTES = 1024 * 1024;
const RETURN_BYTES = 64 * 1024;

export interface SharedMemory {
  readonly plan: SharedPlan;
  readonly staging: readonly SharedArrayBuffer[];
  readonly notices: readonly SharedArrayBuffer[];
  readonly submit: readonly (readonly SharedArrayBuffer[])[];
  readonly returns: readonly (readonly SharedArrayBuffer[])[];
  readonly log: SharedArrayBuffer;
  readonly credits: SharedArrayBuffer;
  readonly links: SharedArrayBuffer;
  readonly queues: SharedArrayBuffer;
  readonly sessions: SharedArrayBuffer;
  readonly dials: SharedArrayBuffer;
  /** Tokens by linkIndex, for any rate: what is not used costs address space only. */
  readonly contracts: readonly SharedArrayBuffer[];
  readonly apps: SharedArrayBuffer;
  /** Words of the concatenation references that workers draw. */
  readonly references: SharedArrayBuffer;
  /** … and of those that ingress threads promise. */
  readonly referencePromises: SharedArrayBuffer;
  /** Idempotency keys. */
  readonly idempotency: SharedArrayBuffer;
  readonly producers: SharedArrayBuffer;
  readonly bells: SharedArrayBuffer;
  readonly inHand: SharedArrayBuffer;
  readonly metrics: SharedArrayBuffer;
}

/** `idempotencyKeysMax`: how many idempotency keys there can be. */
export function allocateSharedMemory(plan: SharedPlan, idempotencyKeysMax: number): SharedMemory {
  const producers = producerCount(plan);
  const appenders = appenderCount(plan);
  return {
    plan,
    staging: times(appenders, () => allocateRing(STAGING_BYTES)),
    notices: times(appenders, () => allocateRing(NOTICE_BYTES)),
    submit: times(producers, () => times(plan.workerCount, () => allocateRing(SUBMIT_BYTES))),
    returns: times(plan.workerCount, () => times(producers, () => allocateRing(RETURN_BYTES))),
    log: allocateLogTable(producers),
    credits: allocateCreditTable(plan),
    links: allocateRows(plan.linkCount),
    queues: allocateQueueTable(plan),
    sessions: allocateSessions(plan.sessionCount),
    dials: allocateDials(),
    contracts: times(plan.linkCount, () => allocateContract()),
    apps: new SharedArrayBuffer(bucketWordCount(plan) * 4),
    references: allocateReferences(),
    referencePromises: allocateReferences(),
    idempotency: allocateIdempotency(idempotencyKeysMax),
    producers: allocateProducers(producers),
    bells: allocateBells(threadCount(plan)),
    inHand: allocateInHand(threadCount(plan)),
    metrics: allocateMetrics(threadCount(plan)),
  };
}

export function ringProducer(buffer: SharedArrayBuffer | undefined): RingProducer {
  return new RingProducer(new RingMemory(buffer as SharedArrayBuffer));
}

export function ringConsumer(buffer: SharedArrayBuffer | undefined): RingConsumer {
  return new RingConsumer(new RingMemory(buffer as SharedArrayBuffer));
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
