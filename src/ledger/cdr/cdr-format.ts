/**
 * CDR rows in the store: chunks of items, cuts of chunks, and one row about both.
 *
 *   table cdr   key 0 u8 | first row u48   chunk: version u8 | 0 u8 | recorded at u48 (wall ms)
 *                                          | row count u32 | items
 *               key 1 u8 | first row u48   cut: version u8 | format u8 | epoch u32 | series u32
 *                                          | at u48 | row behind its last u48 | item bytes u48
 *   item        length u16 (of what follows) | kind u8 | row count u8 | payload
 *   table meta  key 3   version u8 | 0 u8 | series u32 | next row u48 | first row not cut u48
 *                       | item bytes not cut u48 | recorded at u48 of the first of them
 *                       | bytes of all chunks u48 | first row not filed u48
 *
 * A message's item is its row of the ledger as of finality: it stands for a CDR row of each part
 * and one of the message, in this order. Rows count from 0 and never repeat in a series; a series
 * begins with an empty store. Big-endian. Pure.
 */
import { Buffer } from "node:buffer";
import { readUint32, readUint48, writeUint32, writeUint48 } from "../messages/row-layout.ts";

export const CDR_META_KEY = Uint8Array.of(3);
const VERSION = 1;
const CHUNK_TAG = 0;
const CUT_TAG = 1;
export const CDR_KEY_BYTES = 7;
export const CHUNK_HEADER_BYTES = 12;
/** With LMDB's page header of 16 bytes, eight pages. */
export const CHUNK_BYTES_MAX = 32 * 1024 - 16;
export const ITEM_HEADER_BYTES = 4;
const CUT_BYTES = 28;
const META_BYTES = 42;

export const CdrItem = {
  /** Payload: the message's row (row.ts). */
  MESSAGE: 0,
  /** Payload: the REFUSED record without its header. */
  REFUSAL: 1,
  /**
   * A part was sent again after its row was written. Payload: key, part u8, at u48, app u32, link
   * u32.
   */
  DUPLICATE: 2,
} as const;

/** Formats of files; a cut keeps its own over a change of the configuration. */
export const CDR_FORMATS = ["ndjson", "parquet"] as const;
export type CdrFormat = (typeof CDR_FORMATS)[number];

/** Rows [from, until) that become one file. */
export interface CdrCut {
  readonly series: number;
  /** Of the run that made it. */
  readonly epoch: number;
  readonly format: CdrFormat;
  readonly from: number;
  readonly until: number;
  /** When its first row was recorded, wall ms. */
  readonly at: number;
  readonly itemBytes: number;
}

export interface CdrMeta {
  series: number;
  nextRow: number;
  cutFrom: number;
  openBytes: number;
  openSince: number;
  storedBytes: number;
  /** Rows below are in files: chunks with none of the others may go. */
  filedUntil: number;
}

export function chunkKey(row: number): Buffer {
  return key(CHUNK_TAG, row);
}

export function cutKey(row: number): Buffer {
  return key(CUT_TAG, row);
}

function key(tag: number, row: number): Buffer {
  const bytes = Buffer.allocUnsafe(CDR_KEY_BYTES);
  bytes[0] = tag;
  writeUint48(bytes, 1, row);
  return bytes;
}

export function isChunkKey(bytes: Uint8Array): boolean {
  return bytes[0] === CHUNK_TAG;
}

/** First row of a chunk or cut, by its key. */
export function keyRow(bytes: Uint8Array): number {
  return readUint48(bytes, 1);
}

/** Fills the header of a chunk. */
export function writeChunkHeader(chunk: Uint8Array, recordedAt: number, rowCount: number): void {
  chunk[0] = VERSION;
  chunk[1] = 0;
  writeUint48(chunk, 2, recordedAt);
  writeUint32(chunk, 8, rowCount);
}

export function chunkRowCount(chunk: Uint8Array): number {
  return readUint32(chunk, 8);
}

export function chunkRecordedAt(chunk: Uint8Array): number {
  return readUint48(chunk, 2);
}

/**
 * Calls `visit` with each item of a chunk and where in it the item's payload starts and ends.
 * Throws on a version that this program does not know.
 */
export function eachItem(
  chunk: Uint8Array,
  visit: (kind: number, rowCount: number, start: number, end: number) => void,
): void {
  if (chunk[0] !== VERSION) throw new Error(`CDR chunk of version ${chunk[0]}`);
  let at = CHUNK_HEADER_BYTES;
  while (at < chunk.length) {
    const length = ((chunk[at] as number) << 8) | (chunk[at + 1] as number);
    const end = at + 2 + length;
    visit(chunk[at + 2] as number, chunk[at + 3] as number, at + ITEM_HEADER_BYTES, end);
    at = end;
  }
}

export function encodeCut(cut: CdrCut): Buffer {
  const bytes = Buffer.alloc(CUT_BYTES);
  bytes[0] = VERSION;
  bytes[1] = CDR_FORMATS.indexOf(cut.format);
  writeUint32(bytes, 2, cut.epoch);
  writeUint32(bytes, 6, cut.series);
  writeUint48(bytes, 10, cut.at);
  writeUint48(bytes, 16, cut.until);
  writeUint48(bytes, 22, cut.itemBytes);
  return bytes;
}

export function decodeCut(cutKeyBytes: Uint8Array, bytes: Uint8Array): CdrCut {
  const format = CDR_FORMATS[bytes[1] as number];
  if (bytes[0] !== VERSION || format === undefined) {
    throw new Error(`CDR cut of version ${bytes[0]}, format ${bytes[1]}`);
  }
  return {
    format,
    epoch: readUint32(bytes, 2),
    series: readUint32(bytes, 6),
    at: readUint48(bytes, 10),
    from: keyRow(cutKeyBytes),
    until: readUint48(bytes, 16),
    itemBytes: readUint48(bytes, 22),
  };
}

export function encodeCdrMeta(meta: CdrMeta): Buffer {
  const bytes = Buffer.alloc(META_BYTES);
  bytes[0] = VERSION;
  writeUint32(bytes, 2, meta.series);
  writeUint48(bytes, 6, meta.nextRow);
  writeUint48(bytes, 12, meta.cutFrom);
  writeUint48(bytes, 18, meta.openBytes);
  writeUint48(bytes, 24, meta.openSince);
  writeUint48(bytes, 30, meta.storedBytes);
  writeUint48(bytes, 36, meta.filedUntil);
  return bytes;
}

/** Null for a store that never had a row. */
export function decodeCdrMeta(bytes: Uint8Array | undefined): CdrMeta | null {
  if (bytes === undefined) return null;
  if (bytes[0] !== VERSION) throw new Error(`CDR state of version ${bytes[0]}`);
  return {
    series: readUint32(bytes, 2),
    nextRow: readUint48(bytes, 6),
    cutFrom: readUint48(bytes, 12),
    openBytes: readUint48(bytes, 18),
    openSince: readUint48(bytes, 24),
    storedBytes: readUint48(bytes, 30),
    filedUntil: readUint48(bytes, 36),
  };
}
