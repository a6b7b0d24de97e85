/**
 * Whether a record that was in hand at a crash is worked on no more, so that its strikes may be
 * forgotten.
 *
 *   log   │ applied: done, but for ACCEPTs of open messages │ to be read (again): not done │
 *
 * At start, before anything is applied. The ledger's thread only.
 */
import type { RecordLoader } from "../../journal/log-reading.ts";
import { Accept } from "../../records/accept.ts";
import { MESSAGE_KEY_BYTES } from "../../records/message-key.ts";
import { isFinalStatus, writeMessageKey } from "../messages/message-state.ts";
import { rowStatus } from "../messages/row-layout.ts";
import { type LedgerStore, LedgerTable } from "../store/store.ts";

/** `replayFrom`: the store has all before this log offset. `loader`: what was durable at start. */
export function isRecordDone(
  logOffset: number,
  replayFrom: number,
  loader: RecordLoader,
  store: LedgerStore,
): boolean {
  if (logOffset >= replayFrom) return false;
  let at: number;
  try {
    at = loader.load(logOffset);
  } catch {
    // A disk that cannot be read says nothing of the record: the next start asks again.
    return false;
  }
  if (at < 0) return true;
  const { view } = loader.memory;
  const key = new Uint8Array(MESSAGE_KEY_BYTES);
  writeMessageKey(
    new DataView(key.buffer),
    0,
    view.getFloat64(at + Accept.SEQUENCE, true),
    view.getUint32(at + Accept.ORIGIN, true),
  );
  const row = store.get(LedgerTable.ROWS, key);
  return row === undefined || isFinalStatus(rowStatus(row));
}
