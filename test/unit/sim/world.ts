/**
 * A small simulated world for the tests of its own parts: clock, effects, scheduler, disk, network.
 */
import { SimulatedClock } from "../../sim/clock.ts";
import { Effects } from "../../sim/effects.ts";
import { SeededRandom } from "../../sim/random.ts";
import { Scheduler } from "../../sim/scheduler.ts";
import { SimulatedDirectory, SimulatedDisk } from "../../sim/simulated-directory.ts";
import { SimulatedNetwork } from "../../sim/simulated-network.ts";

export function makeWorld(seed: number) {
  const random = new SeededRandom(seed);
  const clock = new SimulatedClock();
  const nowMs = (): number => clock.monotonicMs();
  const effects = new Effects(nowMs);
  const scheduler = new Scheduler(clock, random.fork("scheduler"), effects);
  const disk = new SimulatedDisk(random.fork("disk"));
  const directory = new SimulatedDirectory(disk, effects, (ms) => scheduler.sleep(ms));
  const network = new SimulatedNetwork(scheduler, random.fork("network"), effects, nowMs);
  return { random, clock, effects, scheduler, disk, directory, network };
}
