/** Small runs of the power-loss model; `npm run fault:power-loss` does 100,000 and more. */
import { test } from "node:test";
import { cutPowerTrial, damageTrial, soundLog } from "../../fault/recovery/power-loss.ts";
import { integerIn, seededRandom } from "../../support/seeded-random.ts";

test("mode disk loses nothing promised to a power failure", () => {
  for (let seed = 1; seed <= 500; seed++) cutPowerTrial(seed, "disk", 0.7);
});

test("mode disk loses nothing promised to kill -9", () => {
  for (let seed = 1; seed <= 100; seed++) cutPowerTrial(1000 + seed, "disk", 0);
});

test("mode process loses nothing promised to kill -9", () => {
  for (let seed = 1; seed <= 100; seed++) cutPowerTrial(2000 + seed, "process", 0);
});

test("mode process keeps what a power failure leaves whole, in order, without garbage", () => {
  for (let seed = 1; seed <= 200; seed++) cutPowerTrial(3000 + seed, "process", 0.7);
});

test("a log cut or changed in its end keeps what is before, and delivers no garbage", () => {
  const log = soundLog(1);
  const random = seededRandom(2);
  for (let i = 0; i < 200; i++) {
    const at = integerIn(random, log.end - 65536, log.end - 1);
    damageTrial(log, { kind: i % 2 === 0 ? "cut" : "flip", at, bit: i % 8 });
  }
});
