/** A token from a shared bucket that has some, and from one that has none. */
import { BURST_UNITS_MAX, tryAcquire, UNITS_PER_TOKEN } from "../../../src/limit/bucket.ts";
import { type MicroRow, type MicroSpan, nsOf } from "../row.ts";

const CALLS = 1000;
const BURST = Math.floor(BURST_UNITS_MAX / UNITS_PER_TOKEN) * UNITS_PER_TOKEN;

export async function runBucketBench(span: MicroSpan): Promise<MicroRow[]> {
  const words = new Int32Array(new SharedArrayBuffer(8));
  let now = 0;
  const take = (): number => {
    let failed = 0;
    for (let i = 0; i < CALLS; i++) {
      now = (now + UNITS_PER_TOKEN) | 0;
      if (tryAcquire(words, 0, now, UNITS_PER_TOKEN, BURST) < 0) failed++;
    }
    if (failed > 0) throw new Error("the bucket refused what it had");
    return failed;
  };
  Atomics.store(words, 1, UNITS_PER_TOKEN);
  const refuse = (): number => {
    let failed = 0;
    for (let i = 0; i < CALLS; i++) {
      if (tryAcquire(words, 1, 0, UNITS_PER_TOKEN, UNITS_PER_TOKEN) < 0) failed++;
    }
    if (failed !== CALLS) throw new Error("the bucket gave what it did not have");
    return failed;
  };
  const add = (): number => {
    for (let i = 0; i < CALLS; i++) Atomics.add(words, 0, 1);
    return words[0] as number;
  };
  const reference = "Atomics.add";
  const referenceNs = await nsOf(add, CALLS, span);
  Atomics.store(words, 0, now);
  return [
    { what: "bucket: take a token", ns: await nsOf(take, CALLS, span), reference, referenceNs },
    { what: "bucket: refuse one", ns: await nsOf(refuse, CALLS, span), reference, referenceNs },
  ];
}
