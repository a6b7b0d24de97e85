/**
 * Chunks of CDR rows as a gateway under load leaves them, made by the ledger's own code.
 *
 * One-part messages with their receipts, 25 µs apart, to random numbers, with a reference of the
 * client's each; from a seed. An SMSC's ids are random hexadecimal, which compress worst.
 */
import { Buffer } from "node:buffer";
import type { CdrFormat } from "../../../src/ledger/cdr/cdr-format.ts";
import { chunkRowCount, isChunkKey, keyRow } from "../../../src/ledger/cdr/cdr-format.ts";
import { CdrRows } from "../../../src/ledger/cdr/cdr-rows.ts";
import { MessageState, MessageStatus } from "../../../src/ledger/messages/message-state.ts";
import { type PartRecord, PartState } from "../../../src/ledger/messages/part-state.ts";
import { HEAD_TEXTS, headOffset, Row } from "../../../src/ledger/messages/row-layout.ts";
import { LedgerTable } from "../../../src/ledger/store/store.ts";
import { Accept } from "../../../src/records/accept.ts";
import { originOf } from "../../../src/records/message-key.ts";
import { DlrMode, MessageClass } from "../../../src/records/types.ts";
import type { CdrChunk } from "../../../src/sink/cdr-pack.ts";
import { allocateLogTable, LogTable } from "../../../src/tables/log-table.ts";
import { MemoryStore } from "../../../test/support/memory-store.ts";
import { seededRandom } from "../../../test/support/seeded-random.ts";

const T0 = Date.UTC(2026, 10, 22, 3);
const SEQUENCE_0 = (T0 - Date.UTC(2025, 0, 1)) * 4096;
const GAP_MS = 0.025;
const ANSWER_MS = 3;
const RECEIPT_MS = 120;
const DELIVERED = 2;
const COMMIT_MESSAGES = 400;

/** Messages of such traffic, final. */
export function finalMessages(count: number, seed = 1): MessageState[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => finalMessage(i, random));
}

function finalMessage(number: number, random: () => number): MessageState {
  const at = T0 + number * GAP_MS;
  const to = `99890${String(Math.floor(random() * 1e7)).padStart(7, "0")}`;
  const texts = [to, "BRAND", `order-${1_000_000 + number}`, "spring"];
  const sequence = SEQUENCE_0 + Math.floor(number * GAP_MS) * 4096 + (number % 40);
  const origin = originOf(1, 0);
  const head = headOf(sequence, origin, at, texts);
  const message = new MessageState();
  message.begin(sequence, origin, number * 300, head.length, 1);
  message.bytes.set(head, Row.HEAD);
  const part = message.parts[0] as PartRecord;
  part.state = PartState.DELIVERED;
  part.attempt = 1;
  part.linkId = 100 + (number & 1);
  part.session = number & 3;
  part.sendingAt = Math.floor(at + 1);
  part.answeredAt = Math.floor(at + ANSWER_MS * random());
  part.receiptAt = Math.floor(at + RECEIPT_MS * random());
  part.finalAt = part.receiptAt;
  part.receiptState = DELIVERED;
  part.receiptError = "000";
  const id = Math.floor(random() * 0x1_0000_0000).toString(16);
  part.ids = [{ linkId: part.linkId, id: id.padStart(8, "0") }];
  message.status = MessageStatus.DELIVERED;
  message.finalAt = part.finalAt;
  return message;
}

function headOf(sequence: number, origin: number, at: number, texts: readonly string[]): Buffer {
  const bytes = Buffer.alloc(HEAD_TEXTS);
  bytes.writeDoubleLE(sequence, headOffset(Accept.SEQUENCE));
  bytes.writeUInt32LE(origin, headOffset(Accept.ORIGIN));
  bytes.writeUInt32LE(7, headOffset(Accept.APP_ID));
  bytes.writeDoubleLE(at, headOffset(Accept.ACCEPTED_AT));
  bytes.writeUInt32LE(1000, headOffset(Accept.POOL_ID));
  bytes[headOffset(Accept.PRIORITY)] = 2;
  bytes[headOffset(Accept.CLASS)] = MessageClass.TRANSACTIONAL;
  bytes[headOffset(Accept.DLR)] = DlrMode.FINAL;
  bytes[headOffset(Accept.PART_COUNT)] = 1;
  for (const [i, text] of texts.entries()) {
    bytes[headOffset(Accept.TO_LENGTH) + i] = Buffer.byteLength(text);
  }
  return Buffer.concat([bytes, Buffer.from(texts.join(""))]);
}

/** The rows of these messages, as they stand in the ledger's store. */
export function chunksOf(messages: readonly MessageState[], format: CdrFormat): CdrChunk[] {
  const store = new MemoryStore();
  const rows = newRows(store, format);
  for (const [i, message] of messages.entries()) {
    rows.onStatus(message);
    if ((i + 1) % COMMIT_MESSAGES === 0) rows.beforeCommit();
  }
  rows.beforeCommit();
  store.commit();
  const found: CdrChunk[] = [];
  store.range(LedgerTable.CDR, new Uint8Array(0), (key, bytes) => {
    if (isChunkKey(key)) found.push({ row: keyRow(key), bytes: Uint8Array.from(bytes) });
    return true;
  });
  return found;
}

/** A ledger's rows in this store. */
export function newRows(store: MemoryStore, format: CdrFormat): CdrRows {
  return new CdrRows({
    store,
    logTable: new LogTable(allocateLogTable(4)),
    epoch: 1,
    clock: { wallMs: () => T0, monotonicMs: () => 0 },
    random: () => 0.5,
    log: { write: () => undefined },
    format,
    rollIntervalMs: 60_000,
    rollBytesMax: 1 << 30,
    diskBytesMax: 1 << 40,
    onCut: () => undefined,
  });
}

/** Rows in these chunks. */
export function rowCount(chunks: readonly CdrChunk[]): number {
  return chunks.reduce((sum, { bytes }) => sum + chunkRowCount(bytes), 0);
}
