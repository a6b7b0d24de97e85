/** The fast lines say, byte for byte, what the rows say: any message, any bytes in its texts. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import * as fc from "fast-check";
import { CdrItem, chunkRowCount, ITEM_HEADER_BYTES } from "../../../src/ledger/cdr/cdr-format.ts";
import { CHUNK_HEADER_BYTES, writeChunkHeader } from "../../../src/ledger/cdr/cdr-format.ts";
import { MessageState, MessageStatus } from "../../../src/ledger/messages/message-state.ts";
import { EVENTS_MAX, foldParts, NO_VERDICT } from "../../../src/ledger/messages/message-state.ts";
import { NO_RECEIPT, PartRecord, PartState } from "../../../src/ledger/messages/part-state.ts";
import {
  HEAD_TEXTS,
  headOffset,
  ROW_BYTES_MAX,
  ROW_TEXTS,
  Row,
} from "../../../src/ledger/messages/row-layout.ts";
import { rowOffset } from "../../../src/ledger/messages/row-layout.ts";
import { encodeRow } from "../../../src/ledger/messages/row.ts";
import { Accept, REPLAY_BYTES } from "../../../src/records/accept.ts";
import { NOT_WRITTEN } from "../../../src/records/attempt.ts";
import { Refused } from "../../../src/records/refused.ts";
import { CDR_COLUMNS, type CdrColumnName, CdrField } from "../../../src/sink/cdr-columns.ts";
import type { CdrValue } from "../../../src/sink/cdr-columns.ts";
import { CdrDecoder } from "../../../src/sink/cdr-decode.ts";
import { LineBytes } from "../../../src/sink/line-bytes.ts";
import { ndjsonLine } from "../../../src/sink/ndjson-line.ts";
import { NdjsonRows } from "../../../src/sink/ndjson-rows.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { recordMemory } from "../../../src/records/memory.ts";

const NODE = "gw-1";
const RUNS = 300;
const T0 = Date.UTC(2026, 10, 22, 3);
/** Behind it, with a delay, Date writes years of six digits. */
const TIME_MAX = Date.UTC(9999, 0);
const U32_MAX = 0xffffffff;

interface Item {
  readonly kind: number;
  readonly rowCount: number;
  readonly payload: Uint8Array;
}

const byte = fc.integer({ min: 0, max: 255 });
const u32 = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: U32_MAX }));
const time = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1_795_000_000_000, max: 1_795_000_100_000 }),
  fc.integer({ min: 1, max: TIME_MAX }),
);
/** Plain text, text of the whole of Unicode, quotes and escapes, and bytes that are no UTF-8. */
const text = fc.oneof(
  fc.string({ maxLength: 20 }).map((value) => Buffer.from(value)),
  fc.string({ unit: "binary", maxLength: 40 }).map((value) => Buffer.from(value)),
  fc
    .array(fc.constantFrom('"', "\\", "\n", "\u0000", "\u007f", "\u2028", "ż", "🙂"))
    .map((value) => Buffer.from(value.join(""))),
  fc.uint8Array({ maxLength: 255 }).map((value) => Buffer.from(value)),
  // As long as it can be, every byte to be escaped.
  fc.constant(Buffer.alloc(255, 1)),
);
const short = text.map((value) => value.subarray(0, 64).toString("latin1"));

/** States that parts of a final message have; now and then one that they cannot have. */
const state = fc.oneof(
  { weight: 40, arbitrary: fc.integer({ min: PartState.SENT_FINAL, max: PartState.CANCELED }) },
  { weight: 1, arbitrary: fc.integer({ min: PartState.WAITING, max: PartState.SENT }) },
);

const part = fc.record({
  state,
  attempt: fc.integer({ min: 0, max: 4 }),
  linkId: u32,
  session: byte,
  maybeDup: fc.boolean(),
  isExhausted: fc.boolean(),
  commandStatus: fc.oneof(fc.constantFrom(0, 0x0b, 0x58, NOT_WRITTEN), u32),
  sendingAt: time,
  answeredAt: time,
  finalAt: time,
  receiptState: fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constant(NO_RECEIPT), byte),
  receiptAt: time,
  receiptError: fc.oneof(fc.constantFrom("", "000"), short),
  ids: fc.option(fc.array(fc.record({ linkId: u32, id: short }), { maxLength: 2 })),
});

const head = fc.record({
  sequence: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  origin: u32,
  appId: u32,
  acceptedAt: time.map((wallMs) => wallMs + 0.25),
  poolId: u32,
  delayS: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 })),
  // Priority, class, receipts, encoding, data coding, segments: mostly ordinary.
  bytes: fc.oneof(
    fc.tuple(...Array(6).fill(fc.integer({ min: 0, max: 3 }))),
    fc.tuple(...Array(6).fill(byte)),
  ),
  texts: fc.tuple(text, text, text, text),
  replayed: fc.option(fc.uint8Array({ minLength: REPLAY_BYTES, maxLength: REPLAY_BYTES })),
});

function headBytes(fields: typeof head extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const bytes = Buffer.alloc(HEAD_TEXTS);
  bytes.writeDoubleLE(fields.sequence, headOffset(Accept.SEQUENCE));
  bytes.writeUInt32LE(fields.origin, headOffset(Accept.ORIGIN));
  bytes.writeUInt32LE(fields.appId, headOffset(Accept.APP_ID));
  bytes.writeDoubleLE(fields.acceptedAt, headOffset(Accept.ACCEPTED_AT));
  bytes.writeUInt32LE(fields.poolId, headOffset(Accept.POOL_ID));
  bytes.writeUInt32LE(fields.delayS, headOffset(Accept.SEND_DELAY_S));
  const offsets = [Accept.PRIORITY, Accept.CLASS, Accept.DLR, Accept.ENCODING, Accept.DATA_CODING];
  for (const [i, offset] of [...offsets, Accept.SEGMENTS].entries()) {
    bytes[headOffset(offset)] = fields.bytes[i] as number;
  }
  const texts = fields.texts.map((one) => one.subarray(0, 255));
  for (const [i, one] of texts.entries()) bytes[headOffset(Accept.TO_LENGTH) + i] = one.length;
  const key = Buffer.alloc(fields.replayed === null ? 0 : REPLAY_BYTES);
  if (fields.replayed !== null) {
    key.set(fields.replayed);
    key.writeDoubleLE(key.readUInt32LE(0) * 4097, 0);
  }
  return Buffer.concat([bytes, ...texts, key]);
}

const message: fc.Arbitrary<Item> = fc
  .record({
    head,
    parts: fc.array(part, { minLength: 1, maxLength: 10 }),
    verdict: fc.oneof(fc.constant(NO_VERDICT), fc.integer({ min: 0, max: 4 })),
    events: fc.integer({ min: 0, max: EVENTS_MAX }),
    // As folded; now and then another, which no part explains.
    status: fc.option(fc.integer({ min: 0, max: MessageStatus.CANCELED }), { freq: 20 }),
  })
  .map(({ head: fields, parts, verdict, events, status }) => {
    const made = new MessageState(ROW_BYTES_MAX);
    const bytes = headBytes(fields);
    made.begin(0, 0, 0, bytes.length, parts.length);
    made.bytes.set(bytes, Row.HEAD);
    for (const [i, fields] of parts.entries()) Object.assign(made.parts[i] as PartRecord, fields);
    made.verdict = verdict;
    const folded = foldParts(made);
    made.status = status ?? folded;
    if (events > 0) {
      const event = { kind: 1, part: 0, attempt: 1, at: 5, linkId: 3, commandStatus: 88 };
      made.events = Array.from({ length: events }, () => event);
    }
    const row = Buffer.alloc(2 * ROW_BYTES_MAX);
    const payload = row.subarray(0, encodeRow(made, recordMemory(row)));
    return { kind: CdrItem.MESSAGE, rowCount: parts.length + 1, payload };
  });

const duplicate: fc.Arbitrary<Item> = fc
  .uint8Array({ minLength: 27, maxLength: 27 })
  .map((payload) => {
    payload.set([0, 0, 1], 12);
    return { kind: CdrItem.DUPLICATE, rowCount: 1, payload };
  });

const refusal: fc.Arbitrary<Item> = fc
  .record({
    at: time,
    appId: u32,
    poolId: u32,
    texts: fc.tuple(text, text, text, text, text, text),
  })
  .map(({ at, appId, poolId, texts }) => {
    const fixed = Buffer.alloc(Refused.TEXTS);
    fixed.writeDoubleLE(at, Refused.AT);
    fixed.writeUInt32LE(appId, Refused.APP_ID);
    fixed.writeUInt16LE(403, Refused.HTTP_STATUS);
    fixed.writeUInt32LE(poolId, Refused.POOL_ID);
    for (const [i, one] of texts.entries()) fixed[Refused.CODE_LENGTH + i] = one.length;
    return { kind: CdrItem.REFUSAL, rowCount: 1, payload: Buffer.concat([fixed, ...texts]) };
  });

const items = fc.array(fc.oneof({ weight: 9, arbitrary: message }, duplicate, refusal), {
  minLength: 1,
  maxLength: 6,
});

function chunkOf(list: readonly Item[], recordedAt: number): Buffer {
  const header = Buffer.alloc(CHUNK_HEADER_BYTES);
  const rows = list.reduce((sum, { rowCount }) => sum + rowCount, 0);
  writeChunkHeader(header, recordedAt, rows);
  const bytes = list.flatMap(({ kind, rowCount, payload }) => {
    const start = Buffer.alloc(ITEM_HEADER_BYTES);
    start.writeUInt16BE(payload.length + 2);
    start[2] = kind;
    start[3] = rowCount;
    return [start, payload];
  });
  return Buffer.concat([header, ...bytes]);
}

/** What is given as deflate blocks, if it is given, is the lines. */
function assertDeflated(deflated: Uint8Array | null, lines: Buffer): void {
  if (deflated === null) return;
  const found = inflateRawSync(deflated, { finishFlush: constants.Z_SYNC_FLUSH });
  assert.equal(found.toString(), lines.toString());
}

/** The lines of a chunk by both ways, and the rows. */
function bothWays(chunk: Uint8Array, first: number): [string, string, CdrValue[][]] {
  const rows: CdrValue[][] = [];
  const slow = new CdrDecoder(NODE, (row) => rows.push([...row]));
  const lines: Buffer[] = [];
  const fast = new NdjsonRows(NODE, (some, deflated) => {
    lines.push(Buffer.from(some));
    assertDeflated(deflated, some);
  });
  const next = slow.decode(chunk, first);
  assert.equal(fast.add(chunk, first), next);
  assert.equal(next, first + chunkRowCount(chunk));
  fast.finish();
  const counted = Object.values(fast.records).reduce((sum, count) => sum + count, 0);
  assert.equal(counted, rows.length);
  const kinds = rows.map((row) => row[CdrField.record] as string);
  for (const kind of kinds) {
    assert.equal(fast.records[kind], kinds.filter((one) => one === kind).length);
  }
  return [Buffer.concat(lines).toString(), rows.map((row) => ndjsonLine(row)).join(""), rows];
}

/** What JSON.parse gives, as a row. */
function rowOf(line: string): CdrValue[] {
  const found = JSON.parse(line) as Partial<Record<CdrColumnName, CdrValue>>;
  return CDR_COLUMNS.map(({ name, type }) => {
    const value = found[name] ?? null;
    return type === "time" && value !== null ? Date.parse(value as string) : value;
  });
}

test("lines are the rows, whatever is in them", () => {
  fc.assert(
    fc.property(items, time, fc.maxSafeNat(), (list, recordedAt, number) => {
      const first = Math.floor(number / 2);
      const [fast, slow, rows] = bothWays(chunkOf(list, recordedAt), first);
      assert.equal(fast, slow);
      const lines = fast.split("\n");
      assert.equal(lines.pop(), "");
      assert.deepEqual(lines.map(rowOf), rows);
    }),
    { numRuns: RUNS },
  );
});

/** A message as most are, and one thing about it that may be otherwise. */
type Variation = (row: MessageState) => void;
const VARIATIONS: readonly Variation[] = [
  ({ parts: [part] }) => Object.assign(part as PartRecord, { linkId: 7 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { linkId: 12_345 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { session: 12 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { attempt: 0 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { attempt: 2, maybeDup: true }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { ids: null }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { ids: [{ linkId: 1, id: 'a"\\bc' }] }),
  ({ parts: [part] }) =>
    Object.assign(part as PartRecord, { ids: [{ linkId: 1, id: "\u0001234567" }] }),
  ({ parts: [part] }) =>
    Object.assign(part as PartRecord, { ids: [{ linkId: 1, id: "longer-one" }] }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { receiptError: "000" }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { receiptError: "001" }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { receiptState: 2, receiptAt: T0 + 9 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { commandStatus: NOT_WRITTEN }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { answeredAt: 0 }),
  ({ parts: [part] }) => Object.assign(part as PartRecord, { sendingAt: T0 - 5000 }),
  (message) => (message.finalAt += 1),
  (message) => (message.verdict = 2),
  ({ bytes }) => bytes.writeUInt32LE(77, rowOffset(Accept.APP_ID)),
  ({ bytes }) => bytes.writeUInt32LE(60, rowOffset(Accept.SEND_DELAY_S)),
  ({ bytes }) => (bytes[rowOffset(Accept.PRIORITY)] = 1),
  ({ bytes }) => (bytes[rowOffset(Accept.SEGMENTS)] = 3),
  ({ bytes }) => (bytes[rowOffset(Accept.DATA_CODING)] = 8),
  ({ bytes }) => bytes.writeUInt32LE(99, rowOffset(Accept.ORIGIN)),
  ({ bytes }) => (bytes[ROW_TEXTS + 3] = 0x22),
  ({ bytes }) => (bytes[ROW_TEXTS + 20] = 0x0a),
];

function alike(number: number, variation: Variation | null): Item {
  const made = new MessageState(ROW_BYTES_MAX);
  const to = `99890123${1000 + number}`;
  const reference = `order-${10 + (number % 90)}`;
  const fields = { sequence: 5e12 + 977 * number, origin: 256, appId: 7, poolId: 1000, delayS: 0 };
  const bytes = headBytes({
    ...fields,
    acceptedAt: T0 + 60 * number + 0.25,
    bytes: [2, 1, 0, 0, 0, 1],
    texts: [Buffer.from(to), Buffer.from("BRAND"), Buffer.from(reference), Buffer.from("")],
    replayed: null,
  });
  made.begin(0, 0, 0, bytes.length, 1);
  made.bytes.set(bytes, Row.HEAD);
  const at = T0 + 61 * number;
  const times = { sendingAt: at, answeredAt: at + 3, finalAt: at + 3 };
  const ids = [{ linkId: 100, id: (0x1000_0000 + 99_991 * number).toString(16) }];
  const link = { linkId: 100 + (number & 1), session: number & 3, attempt: 1 };
  const part = made.parts[0] as PartRecord;
  Object.assign(part, { state: PartState.SENT_FINAL, ...link, ...times, ids });
  made.status = foldParts(made);
  variation?.(made);
  const row = Buffer.alloc(ROW_BYTES_MAX);
  const payload = row.subarray(0, encodeRow(made, recordMemory(row)));
  return { kind: CdrItem.MESSAGE, rowCount: 2, payload };
}

test("messages like those before them give the lines of any others", () => {
  for (const [number, variation] of VARIATIONS.entries()) {
    // Two of the kind beside each other, each between ordinary ones.
    const kinds = [null, null, variation, variation, null, null];
    const list = kinds.map((kind, i) => alike(40 * number + i, kind));
    // Row numbers come to have more digits, within a message and between two.
    for (const first of [0, 4, 5, 94, 95, 96, 97, 999_990]) {
      const [fast, slow] = bothWays(chunkOf(list, T0 + 100), first);
      assert.equal(fast, slow, `variation ${number}, first row ${first}`);
    }
  }
});

test("lines made from those before them are deflated as they are", () => {
  // So many that a few others among them do not matter.
  for (const [number, variation] of VARIATIONS.entries()) {
    const list = Array.from({ length: 170 }, (_, i) =>
      alike(40 * number + i, i % 150 === 100 ? variation : null),
    );
    let blocks = 0;
    const rows = new NdjsonRows(NODE, (some, deflated) => {
      assert.ok(deflated !== null, `variation ${number}`);
      assertDeflated(deflated, some);
      blocks++;
    });
    // Chunks of two commits, a second apart.
    const next = rows.add(chunkOf(list, T0 + 100), 9_700);
    rows.add(chunkOf(list, T0 + 1_234), next);
    rows.finish();
    assert.ok(blocks > 0);
  }
});

test("lines of bulk traffic are deflated as well as by zlib, others by zlib", () => {
  const list = Array.from({ length: 2000 }, (_, i) => alike(i, null));
  const chunk = chunkOf(list, T0 + 100);
  let own = 0;
  let zlib = 0;
  const rows = new NdjsonRows(NODE, (some, deflated) => {
    assertDeflated(deflated, some);
    own += (deflated as Uint8Array).length;
    zlib += deflateRawSync(some, { level: 1 }).length;
  });
  rows.add(chunk, 100_000);
  rows.finish();
  assert.ok(own < 1.15 * zlib, `${own} bytes, ${zlib} by zlib`);
  const mixed = fc.sample(message, { seed: 11, numRuns: 60 });
  let others = 0;
  const unlike = new NdjsonRows(NODE, (_, deflated) => {
    assert.equal(deflated, null);
    others++;
  });
  unlike.add(chunkOf(mixed, T0), 0);
  unlike.finish();
  assert.ok(others > 0);
});

test("many items fill and empty the buffer of lines without a seam", () => {
  const list = fc.sample(message, { seed: 11, numRuns: 60 });
  const chunk = chunkOf(list, 1_795_000_000_000);
  const lines: Buffer[] = [];
  const rows = new NdjsonRows(NODE, (some, deflated) => {
    lines.push(Buffer.from(some));
    assertDeflated(deflated, some);
  });
  let next = 0;
  for (let i = 0; i < 12; i++) next = rows.add(chunk, next);
  rows.finish();
  assert.ok(lines.length > 1, "it was emptied several times");
  const numbers = Buffer.concat(lines)
    .toString()
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { row: number }).row);
  assert.equal(numbers.length, next);
  assert.ok(numbers.every((number, i) => number === i));
});

test("a chunk that contradicts itself is refused", () => {
  const [item] = fc.sample(message, { seed: 3, numRuns: 1 }) as [Item];
  const rows = (): NdjsonRows => new NdjsonRows(NODE, () => undefined);
  const wrong = chunkOf([{ ...item, rowCount: item.rowCount + 1 }], 1);
  assert.throws(() => rows().add(wrong, 0), /wrong row count/);
  const unknown = chunkOf([{ ...item, kind: 9 }], 1);
  assert.throws(() => rows().add(unknown, 0), /unknown kind 9/);
  const newer = Buffer.from(item.payload);
  newer[0] = 99;
  assert.throws(() => rows().add(chunkOf([{ ...item, payload: newer }], 1), 0), /version 99/);
  const short = chunkOf([item], 1);
  writeChunkHeader(short, 1, item.rowCount + 1);
  assert.throws(() => rows().add(short, 0), /wrong row count/);
});

test("numbers, times and digits are written as JavaScript writes them", () => {
  const random = seededRandom(7);
  const lines = new LineBytes(64);
  const written = (write: () => void): string => {
    lines.at = 0;
    write();
    return lines.out.toString("latin1", 0, lines.at);
  };
  const known = [0, 9, 10, 99, 100, 999_999_999, 1_000_000_000, 0x7fffffff, 2 ** 32, 2 ** 53 - 1];
  const drawn = Array.from({ length: 20_000 }, () => Math.floor(random() ** 4 * 2 ** 53));
  for (const value of [...known, ...drawn]) {
    assert.equal(
      written(() => lines.int(value)),
      String(value),
    );
    const wallMs = value % TIME_MAX;
    const iso = new Date(wallMs).toISOString();
    assert.equal(
      written(() => lines.time(wallMs)),
      `"${iso}"`,
    );
    const hex = (value >>> 0).toString(16).padStart(8, "0");
    assert.equal(
      written(() => lines.hex(value >>> 0, 8)),
      hex,
    );
  }
});
