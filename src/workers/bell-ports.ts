/**
 * The wires of the doorbells: who may wake whom, by MessagePort or by Atomics.notify.
 *
 * Every thread with an event loop gets one port per other thread to listen on; the journal has no
 * event loop and is woken through its bell word. The main thread makes all wires and hands each
 * thread its ends.
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Doorbell, DoorbellOwner, waitingDoorbell } from "../ring/doorbell.ts";
import { journalThreadIndex, type SharedPlan, threadCount } from "../tables/plan.ts";
import { bellIndex } from "../tables/thread-table.ts";

/** One thread's ends: `to[thread]` wakes that thread; messages on `from` wake this one. */
export interface BellPorts {
  readonly to: readonly (MessagePort | null)[];
  readonly from: readonly MessagePort[];
}

/** Wires for every thread of `plan`, by thread index. */
export function makeBellPorts(plan: SharedPlan): BellPorts[] {
  const threads = threadCount(plan);
  const ends = Array.from({ length: threads }, () => ({
    to: Array.from({ length: threads }, (): MessagePort | null => null),
    from: [] as MessagePort[],
  }));
  for (let target = 0; target < threads; target++) {
    if (target === journalThreadIndex(plan)) continue;
    for (let source = 0; source < threads; source++) {
      if (source === target) continue;
      const { port1, port2 } = new MessageChannel();
      (ends[source] as (typeof ends)[number]).to[target] = port1;
      (ends[target] as (typeof ends)[number]).from.push(port2);
    }
  }
  return ends;
}

/** All ports of one thread, for the transfer list of its start. */
export function portsOf(ports: BellPorts): MessagePort[] {
  return [...ports.to.filter((port) => port !== null), ...ports.from];
}

/**
 * Doorbells by thread index, as thread `self` rings them. Its own bell does nothing: it is awake.
 */
export function doorbells(ports: BellPorts, bells: Int32Array, plan: SharedPlan): Doorbell[] {
  return ports.to.map((port, thread) =>
    thread === journalThreadIndex(plan)
      ? waitingDoorbell(bells, bellIndex(thread))
      : new Doorbell(bells, bellIndex(thread), () => port?.postMessage(0)),
  );
}

/** The bell that thread `self` arms, with `wake` called whenever it is rung. */
export function ownBell(
  ports: BellPorts,
  bells: Int32Array,
  self: number,
  wake: () => void,
): DoorbellOwner {
  for (const port of ports.from) port.on("message", wake);
  return new DoorbellOwner(bells, bellIndex(self));
}
