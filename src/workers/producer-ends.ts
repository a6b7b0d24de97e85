/**
 * A producer's ends of what it shares with the SMPP workers, as its dispatcher wants them.
 */
import { derivePools } from "../config/derive.ts";
import type { GatewayConfig } from "../config/types.ts";
import type { DispatcherOptions } from "../dispatch/dispatcher.ts";
import type { Doorbell } from "../ring/doorbell.ts";
import { assignSessions } from "../smpp/plan.ts";
import { CreditTable } from "../tables/credit-table.ts";
import { workerAppenderIndex } from "../tables/plan.ts";
import { ringConsumer, ringProducer, type SharedMemory } from "./shared-memory.ts";

/** Everything of a dispatcher's options but its bounds and its owner. */
export function producerEnds(
  memory: SharedMemory,
  config: GatewayConfig,
  producer: number,
  ring: readonly Doorbell[],
): Omit<DispatcherOptions, "waitingMax" | "owner"> {
  const { plan } = memory;
  const workers = Array.from({ length: plan.workerCount }, (_, worker) => worker);
  return {
    producer,
    plan,
    credits: new CreditTable(memory.credits, plan),
    submitRings: workers.map((worker) => ringProducer(memory.submit[producer]?.[worker])),
    returnRings: workers.map((worker) => ringConsumer(memory.returns[worker]?.[producer])),
    bells: workers.map((worker) => ring[workerAppenderIndex(plan, worker)] as Doorbell),
    linkWorkers: linkWorkers(config, plan.workerCount),
  };
}

/** By link id, by worker: 1 if the worker has sessions of that link. */
function linkWorkers(config: GatewayConfig, workerCount: number): Map<number, Uint8Array> {
  const { links } = derivePools(config);
  const byLink = new Map(links.map(({ config: link }) => [link.id, new Uint8Array(workerCount)]));
  assignSessions(links, workerCount).forEach((sessions, worker) => {
    for (const { linkIndex } of sessions) {
      const id = links[linkIndex]?.config.id as number;
      (byLink.get(id) as Uint8Array)[worker] = 1;
    }
  });
  return byLink;
}
