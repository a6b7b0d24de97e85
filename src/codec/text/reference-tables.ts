/**
 * The words behind the concatenation references of all links, shared by threads.
 *
 *   0        2^20 words for references of 8 bits     4 MiB
 *   4 MiB    2^16 words for references of 16 bits    256 KiB
 *
 * Within a run, a reference does not repeat towards one handset from one source within an hour,
 * whatever links its messages take: the hash of both picks a word, and a word gives half its range
 * an hour, 128 or 32,768.
 * Spread over the words that is 37,000 long messages a second with 8 bits, at two thirds of which
 * hardly a word runs out by chance; one source and destination alone have 127 at once, and as many
 * in every hour after. Any thread; see ConcatReferences.
 */
import { ConcatReferences } from "./concat-references.ts";

/** How long a handset may still be joining parts. */
export const REASSEMBLY_MS = 3_600_000;

const NARROW_WORDS = 1 << 20;
const WIDE_WORDS = 1 << 16;

export function allocateReferences(): SharedArrayBuffer {
  return new SharedArrayBuffer((NARROW_WORDS + WIDE_WORDS) * Int32Array.BYTES_PER_ELEMENT);
}

/** Starts all words beyond what an earlier run has likely given; once, before they are shared. */
export function resetReferences(memory: SharedArrayBuffer, wallMs: number): void {
  const tables = new ReferenceTables(memory);
  tables.narrow.reset(wallMs);
  tables.wide.reset(wallMs);
}

export class ReferenceTables {
  /** References of 8 bits. */
  readonly narrow: ConcatReferences;
  /** References of 16 bits. */
  readonly wide: ConcatReferences;

  constructor(memory: SharedArrayBuffer) {
    const narrow = new Int32Array(memory, 0, NARROW_WORDS);
    const wide = new Int32Array(memory, narrow.byteLength, WIDE_WORDS);
    this.narrow = new ConcatReferences(8, narrow, REASSEMBLY_MS);
    this.wide = new ConcatReferences(16, wide, REASSEMBLY_MS);
  }
}
