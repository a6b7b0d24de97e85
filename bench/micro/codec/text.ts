/**
 * Bench: GSM 7-bit encoding and segmenting against a copy of the same octets.
 *
 * The yardsticks: `TypedArray.set`, which is memcpy as a JavaScript program can have it, C's
 * memcpy, and TextEncoder.encodeInto, the fastest way out of a string, which no encoder in
 * JavaScript can beat.
 */
import { execFileSync } from "node:child_process";
import {
  CONCAT_METHOD,
  ENCODING,
  encodeGsm7,
  encodeUcs2,
  planByMethod,
} from "../../../src/codec/index.ts";
import { createRandom, randomText } from "./corpus.ts";
import { ALLOCATION_CALLS, allocatedBytes, medianNs } from "./report.ts";

export interface TextRow {
  name: string;
  ns: number;
  setNs: number;
  memcpyNs: number | null;
  encodeIntoNs: number;
  allocated: number;
}

const CALLS = 1000;

/** Nanoseconds of one call, from batches of a thousand. */
async function each(run: () => number): Promise<number> {
  const batch = (): number => {
    let sum = 0;
    for (let i = 0; i < CALLS; i++) sum += run();
    return sum;
  };
  return (await medianNs(batch)) / CALLS;
}

function memcpyNs(minimal: string | null, length: number): number | null {
  if (minimal === null) return null;
  const line = execFileSync(minimal, ["memcpy", String(length)], { encoding: "utf8" });
  return (JSON.parse(line) as { nsPerPdu: number }).nsPerPdu;
}

export async function runTextBench(minimal: string | null): Promise<TextRow[]> {
  const rows: TextRow[] = [];
  const out = new Uint8Array(8192);
  const ends = new Uint16Array(255);
  const encoder = new TextEncoder();
  for (const length of [40, 160, 1000]) {
    const text = randomText(createRandom(5), length);
    const source = new Uint8Array(length);
    encodeGsm7(text, source, 0);
    const encodeInto = (): number => encoder.encodeInto(text, out).written;
    const set = (): number => {
      out.set(source, 3);
      return out[3]!;
    };
    const yardsticks = {
      setNs: await each(set),
      memcpyNs: memcpyNs(minimal, length),
      encodeIntoNs: await each(encodeInto),
    };
    const add = async (name: string, run: () => number): Promise<void> => {
      const ns = await each(run);
      rows.push({ name, ns, ...yardsticks, allocated: allocatedBytes(run, ALLOCATION_CALLS) });
    };
    const encode = (): number => encodeGsm7(text, out, 3);
    const plan = (at: number, size: number): number =>
      planByMethod(ENCODING.gsm7, out, at, at + size, CONCAT_METHOD.udh8, 0, 10, ends);
    await add(`gsm7 encode, ${length} characters`, encode);
    await add(`segment, ${length} septets`, () => plan(3, length));
    await add(`encode and segment, ${length}`, () => plan(3, encode()));
    if (length === 160) {
      const cyrillic = "Привет, мир! ".repeat(6).slice(0, 70);
      await add("ucs2 encode, 70 units", () => encodeUcs2(cyrillic, out, 0));
    }
  }
  return rows;
}

export function formatTextRows(rows: readonly TextRow[]): string {
  const ratio = (value: number | null): string => (value === null ? "-" : value.toFixed(2));
  return [
    "| | ns | set() ÷ ours | C memcpy ÷ ours | encodeInto ÷ ours | bytes allocated |",
    "|---|---|---|---|---|---|",
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.ns.toFixed(0)} | ${ratio(row.setNs / row.ns)} | ` +
        `${ratio(row.memcpyNs === null ? null : row.memcpyNs / row.ns)} | ` +
        `${ratio(row.encodeIntoNs / row.ns)} | ${row.allocated.toFixed(2)} |`,
    ),
  ].join("\n");
}
