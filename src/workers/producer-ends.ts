/**
 * A producer's ends of what it shares with the SMPP workers, as its dispatcher wants them.
 */
import { byIndex, type PoolPlan } from "../config/derive.ts";
import type { DispatcherOptions, LinkDirectory } from "../dispatch/dispatcher.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { QueueTable } from "../tables/queue-table.ts";
import { workerAppenderIndex } from "../tables/plan.ts";
import { ringConsumer, ringProducer, type SharedMemory } from "./shared-memory.ts";

/** Everything of a dispatcher's options but its bounds and its owner. */
export function producerEnds(
  memory: SharedMemory,
  pools: PoolPlan,
  producer: number,
  ring: readonly Doorbell[],
): Omit<DispatcherOptions, "waitingMax" | "owner"> {
  const { plan } = memory;
  const workers = Array.from({ length: plan.workerCount }, (_, worker) => worker);
  return {
    producer,
    plan,
    credits: new CreditTable(memory.credits, plan),
    queues: new QueueTable(memory.queues, plan),
    submitRings: workers.map((worker) => ringProducer(memory.submit[producer]?.[worker])),
    returnRings: workers.map((worker) => ringConsumer(memory.returns[worker]?.[producer])),
    bells: workers.map((worker) => ring[workerAppenderIndex(plan, worker)] as Doorbell),
    links: linkDirectory(pools),
  };
}

/** Which links the pools of a plan have. */
export function linkDirectory(plan: PoolPlan): LinkDirectory {
  const members = byIndex(plan.pools, (pool) => pool.poolIndex).map(
    (pool) => new Set(pool?.members.map((member) => member.linkIndex)),
  );
  return {
    linkIndexOf: (poolIndex, linkId) => {
      const linkIndex = plan.linkIndexById.get(linkId) ?? -1;
      return members[poolIndex]?.has(linkIndex) === true ? linkIndex : -1;
    },
  };
}
