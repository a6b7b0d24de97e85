/**
 * Sizes of everything shared, fixed at start: how many threads there are, and how many pools,
 * links, sessions and apps there can be, spare ones for reloads included.
 *
 * Producers put messages to workers and append to the journal: ingress threads first, the ledger
 * last. Appenders are all who append to the journal: the producers, then the workers.
 * Threads, for bells, counters and in-hand marks: the appenders, the journal, the sink, the relay,
 * the sink's pool.
 */
export interface SharedPlan {
  readonly ingressCount: number;
  readonly workerCount: number;
  readonly poolCount: number;
  readonly linkCount: number;
  readonly sessionCount: number;
  readonly appCount: number;
}

/** Words of the app buckets: two per app, then two of the node. */
export function bucketWordCount(plan: SharedPlan): number {
  return 2 * (plan.appCount + 1);
}

/**
 * The word of an app's bucket (the node's for `appIndex` = appCount) that generation parity
 * `half`, 0 or 1, uses.
 */
export function bucketWord(appIndex: number, half: number): number {
  return 2 * appIndex + half;
}

export function producerCount(plan: SharedPlan): number {
  return plan.ingressCount + 1;
}

export function appenderCount(plan: SharedPlan): number {
  return producerCount(plan) + plan.workerCount;
}

export function threadCount(plan: SharedPlan): number {
  return appenderCount(plan) + 4;
}

/** The ledger's index as producer, appender and thread. */
export function ledgerIndex(plan: SharedPlan): number {
  return plan.ingressCount;
}

/** A worker's index as appender and thread; `worker` counts from 0. */
export function workerAppenderIndex(plan: SharedPlan, worker: number): number {
  return producerCount(plan) + worker;
}

/** The journal's index as thread. */
export function journalThreadIndex(plan: SharedPlan): number {
  return appenderCount(plan);
}

/** The sink's index as thread. */
export function sinkThreadIndex(plan: SharedPlan): number {
  return appenderCount(plan) + 1;
}

/** The relay's index as thread. */
export function relayThreadIndex(plan: SharedPlan): number {
  return appenderCount(plan) + 2;
}

/** Index as thread of the sink's pool. */
export function packThreadIndex(plan: SharedPlan): number {
  return appenderCount(plan) + 3;
}

/** Names of all threads by index, for people. */
export function threadNames(plan: SharedPlan): readonly string[] {
  const names: string[] = [];
  for (let ingress = 0; ingress < plan.ingressCount; ingress++) {
    names.push(ingress === 0 ? "main" : `ingress-${ingress}`);
  }
  names.push("ledger");
  for (let worker = 0; worker < plan.workerCount; worker++) names.push(`worker-${worker}`);
  names.push("journal", "sink", "relay", "pack");
  return names;
}
