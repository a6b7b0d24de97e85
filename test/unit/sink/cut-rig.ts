/** Cuts with real chunks, made by the ledger's own code, for tests of what comes after. */
import type { CdrCut, CdrFormat } from "../../../src/ledger/cdr/cdr-format.ts";
import { isChunkKey, keyRow } from "../../../src/ledger/cdr/cdr-format.ts";
import { CdrRows } from "../../../src/ledger/cdr/cdr-rows.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import type { CdrChunk } from "../../../src/sink/cdr-pack.ts";
import { allocateLogTable, LogTable } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { Harness } from "../ledger/harness.ts";
import { accept, answer, key, receipt, sending, T0 } from "../ledger/records.ts";

const ROLL_MS = 1000;

/** A ledger that has numbered and cut `counts[i]` two-part messages for cut i. */
export class CutRig {
  readonly cuts: CdrCut[] = [];
  readonly store = new MemoryStore();

  constructor(counts: readonly number[], format: CdrFormat = "ndjson", references = "order-17") {
    const observersOf = (): CdrRows[] => [
      new CdrRows({
        store: this.store,
        logTable: new LogTable(allocateLogTable(4)),
        epoch: 3,
        clock: { wallMs: () => T0, monotonicMs: () => 0 },
        random: () => 0.25,
        log: { write: () => undefined },
        format,
        rollIntervalMs: ROLL_MS,
        rollBytesMax: 1 << 24,
        diskBytesMax: 1 << 30,
        onCut: (cut) => this.cuts.push(cut),
      }),
    ];
    const harness = new Harness({ store: this.store, observersOf });
    harness.work();
    harness.pass(500);
    let number = 0;
    for (const count of counts) {
      for (let i = 0; i < count; i++) {
        const k = key(++number);
        const [a, b] = [`a${number}`, `b${number}`];
        harness.feed(accept(k, { parts: 2, reference: references }));
        harness.feed(sending(k), answer(k, { id: a }));
        harness.feed(sending(k, { part: 1 }), answer(k, { id: b, part: 1 }));
        harness.feed(receipt(a, 2), receipt(b, 2));
      }
      harness.pass(3 * ROLL_MS);
    }
  }

  *chunks({ from, until }: CdrCut): Generator<CdrChunk> {
    const found: CdrChunk[] = [];
    this.store.range(LedgerTable.CDR, new Uint8Array(0), (chunk, bytes) => {
      if (!isChunkKey(chunk)) return false;
      const row = keyRow(chunk);
      if (row >= from && row < until) found.push({ row, bytes: Uint8Array.from(bytes) });
      return true;
    });
    yield* found;
  }
}
