/**
 * The power-loss model at large: `npm run fault:power-loss -- [--trials N] [--damages N] [--seed N]
 * [--out FILE]`. F6: the log cut at every byte of its last 64 KiB and, `damages` times, one bit
 * changed there. F5: trials of three lives each; SIGINT ends them, and those done count.
 */
import { writeFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { readFlags } from "../../support/flags.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";
import { cutPowerTrial, type Damage, damageTrial, soundLog } from "./power-loss.ts";
import { type Counted, resultDocument, runOf } from "./result-document.ts";

const RANGE = 65536;
const SAY_EVERY = 5000;
const LOOK_EVERY = 50;

const { values } = readFlags({
  options: {
    trials: { type: "string", default: "100000" },
    damages: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    out: { type: "string" },
  },
});
const seed = Number(values.seed);
const failed: string[] = [];
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

function attempt(what: string, trial: () => void): void {
  try {
    trial();
  } catch (error) {
    failed.push(`${what}: ${String(error)}`);
    process.stdout.write(`${what}: ${String(error)}\n`);
  }
}

async function runPowerFailures(wanted: number): Promise<Counted> {
  const failedBefore = failed.length;
  const sum = { promised: 0, power_failures: 0 };
  let trials = 0;
  for (; trials < wanted && !stop.signal.aborted; trials++) {
    attempt(`F5 seed ${seed + trials}`, () => {
      const counts = cutPowerTrial(seed + trials, "disk", 0.7);
      sum.promised += counts.promised;
      sum.power_failures += counts.powerFailures;
    });
    if (trials % LOOK_EVERY === 0) await turn();
    if (trials % SAY_EVERY === 0) process.stdout.write(`F5: ${trials} trials\n`);
  }
  const failures = failed.length - failedBefore;
  return { row: "F5", trials, failures, ...boundOf(trials, failures), ...sum };
}

function runDamages(flips: number): Counted & { readonly cuts: number; readonly flips: number } {
  const log = soundLog(seed);
  const random = seededRandom(seed);
  const sum = { refused: 0 };
  const tryOne = (damage: Damage): void => {
    const what = `F6 ${damage.kind} at ${damage.at} bit ${damage.bit}`;
    attempt(what, () => {
      if (damageTrial(log, damage)) sum.refused += 1;
    });
  };
  for (let at = log.end - RANGE; at < log.end; at++) {
    tryOne({ kind: "cut", at, bit: 0 });
    if (at % SAY_EVERY === 0) process.stdout.write(`F6: ${at - log.end + RANGE} cuts\n`);
  }
  for (let i = 0; i < flips; i++) {
    const at = integerIn(random, log.end - RANGE, log.end - 1);
    tryOne({ kind: "flip", at, bit: integerIn(random, 0, 7) });
  }
  const trials = RANGE + flips;
  const bound = boundOf(trials, failed.length);
  return { row: "F6", trials, failures: failed.length, ...bound, cuts: RANGE, flips, ...sum };
}

function boundOf(trials: number, failures: number): { bound_95: number | null } {
  return { bound_95: failures === 0 ? 3 / trials : null };
}

const damages = runDamages(Number(values.damages));
const results = [await runPowerFailures(Number(values.trials)), damages];
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
if (values.out !== undefined) {
  writeFileSync(values.out, resultDocument([runOf("power loss", values, results)]));
}
process.exit(failed.length === 0 ? 0 : 1);
