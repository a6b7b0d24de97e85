/** A pick of smooth weighted round-robin over 2 and 16 candidates, beside one over objects. */
import { SmoothWeightedRoundRobin } from "../../../src/routing/swrr.ts";
import { type MicroRow, type MicroSpan, nsOf } from "../row.ts";

const CALLS = 1000;

interface Candidate {
  readonly index: number;
  readonly weight: number;
  credit: number;
}

export async function runSwrrBench(span: MicroSpan): Promise<MicroRow[]> {
  const rows: MicroRow[] = [];
  for (const count of [2, 16]) rows.push(await measurePick(count, span));
  return rows;
}

async function measurePick(count: number, span: MicroSpan): Promise<MicroRow> {
  const weights = Int32Array.from({ length: count }, (_, i) => 1 + (i % 5));
  const robin = new SmoothWeightedRoundRobin(count);
  const candidates: Candidate[] = Array.from(weights, (weight, index) => ({
    index,
    weight,
    credit: 0,
  }));
  for (let i = 0; i < CALLS; i++) {
    if (robin.pick(weights) !== pickPlainly(candidates)) throw new Error("the picks differ");
  }
  const picks = (pick: () => number) => (): number => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += pick();
    return sum;
  };
  return {
    what: `SWRR: pick of ${count}`,
    ns: await nsOf(
      picks(() => robin.pick(weights)),
      CALLS,
      span,
    ),
    reference: "array of objects, reduce",
    referenceNs: await nsOf(
      picks(() => pickPlainly(candidates)),
      CALLS,
      span,
    ),
  };
}

/** The algorithm as one writes it first. */
function pickPlainly(candidates: Candidate[]): number {
  const sum = candidates.reduce((total, { weight }) => total + weight, 0);
  for (const candidate of candidates) candidate.credit += candidate.weight;
  const best = candidates.reduce((most, candidate) =>
    candidate.credit > most.credit ? candidate : most,
  );
  best.credit -= sum;
  return best.index;
}
