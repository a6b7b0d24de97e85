/**
 * Receipts by a grammar of what SMSCs send, and receipts of random octets. FUZZ_RECEIPTS and
 * FUZZ_SEED override.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReceipt, ReceiptView, stateOfStat } from "../../../src/codec/index.ts";
import { createRandom, pick, type Random } from "../../unit/codec/support/random-pdu.ts";

const count = Number(process.env["FUZZ_RECEIPTS"] ?? 100_000);
const seed = Number(process.env["FUZZ_SEED"] ?? 7);

const STATS: Readonly<Record<string, number>> = {
  DELIVRD: 2,
  EXPIRED: 3,
  DELETED: 4,
  UNDELIV: 5,
  ACCEPTD: 6,
  UNKNOWN: 7,
  REJECTD: 8,
  ENROUTE: 1,
  BUFFRED: 1,
  BUFFERD: 1,
  ACKED: 6,
  FAILED: 5,
  SKIPPED: 9,
  SCHEDLD: 0,
  WHATEVER: 7,
};

interface Generated {
  text: string;
  id: string;
  state: number;
  stat: string;
}

const digits = (random: Random, length: number): string =>
  Array.from({ length }, () => String(random(10))).join("");

function mixCase(random: Random, word: string): string {
  const style = random(3);
  if (style === 0) return word;
  return style === 1
    ? word.toUpperCase()
    : Array.from(word, (c) => (random(2) === 0 ? c.toUpperCase() : c)).join("");
}

/**
 * A receipt text with at least id and stat; everything else may be missing, and the order is free.
 */
function randomReceipt(random: Random): Generated {
  const alphabet = "0123456789abcdefABCDEF-_xyz";
  const id = Array.from({ length: 1 + random(64) }, () => pick(random, Array.from(alphabet))).join(
    "",
  );
  const stat = pick(random, Object.keys(STATS));
  const gap = (): string => pick(random, [" ", "  ", "\n", "\r\n", "\t"]);
  const colon = (): string => pick(random, [":", ":", ":", ": ", " :"]);
  const pair = (key: string, value: string): string => `${mixCase(random, key)}${colon()}${value}`;
  const optional = [
    pair("sub", digits(random, 3)),
    pair("dlvrd", digits(random, 3)),
    pair("submit date", digits(random, pick(random, [10, 12, 14]))),
    pair("done date", digits(random, pick(random, [10, 12, 14]))),
    pair("err", pick(random, ["000", "1", "4F2", "abc"])),
  ].filter(() => random(3) > 0);
  const parts = [pair("id", id), pair("stat", mixCase(random, stat)), ...optional];
  if (random(3) > 0) {
    for (let i = parts.length - 1; i > 0; i--) {
      const j = random(i + 1);
      [parts[i], parts[j]] = [parts[j]!, parts[i]!];
    }
  }
  const tail = random(2) === 0 ? "" : `${gap()}${pair("text", "id:666 stat:DELETED anything")}`;
  const lead = pick(random, ["", " ", "\n", "Receipt! "]);
  return { text: lead + parts.join(gap()) + tail, id, state: STATS[stat]!, stat };
}

describe(`receipts: ${count}, seed ${seed}`, () => {
  it("of every variation give their id and state", () => {
    const random = createRandom(seed);
    const view = new ReceiptView();
    for (let i = 0; i < count; i++) {
      const generated = randomReceipt(random);
      const isUcs2 = random(8) === 0;
      const bytes = isUcs2
        ? Buffer.from(generated.text, "utf16le").swap16()
        : Buffer.from(generated.text, "latin1");
      assert.equal(parseReceipt(bytes, 0, bytes.length, 0, 0, isUcs2, view), 0, generated.text);
      const id = Buffer.from(view.idBytes.subarray(view.idStart, view.idEnd)).toString("latin1");
      assert.equal(id, generated.id, JSON.stringify(generated.text));
      assert.equal(view.messageState, generated.state, JSON.stringify(generated.text));
    }
  });

  it("of random octets stay within their octets", () => {
    const random = createRandom(seed);
    const view = new ReceiptView();
    const bytes = new Uint8Array(300);
    const words = ["id:", "stat:", "text:", "submit date:", "err:", "DELIVRD"].map((w) =>
      Buffer.from(w),
    );
    for (let i = 0; i < count; i++) {
      const length = random(300);
      for (let at = 0; at < length; at++) bytes[at] = random(256);
      for (let n = random(5); n > 0; n--) {
        const word = pick(random, words);
        bytes.set(word.subarray(0, Math.max(0, length - 20)), random(Math.max(1, length - 13)));
      }
      parseReceipt(bytes, 0, length, random(length + 1), length, random(2) === 0, view);
      assert.ok(view.idEnd <= Math.max(length, 1024) && view.idStart <= view.idEnd);
      assert.ok(view.statStart <= view.statEnd && view.textStart <= view.textEnd);
      assert.ok(view.messageState >= -1 && view.messageState <= 9);
      assert.ok(stateOfStat(view.textBytes, view.statStart, view.statEnd) <= 9);
    }
  });

  it("cost time in proportion to their length", () => {
    const view = new ReceiptView();
    // Shapes that send backtracking parsers into quadratic time, in the largest payload there is.
    for (const piece of [
      "id:",
      "id: ",
      "i",
      "submit date",
      "submit  ",
      "stat :",
      " ",
      "err:\n",
      "id\0:",
    ]) {
      const bytes = Buffer.from(piece.repeat(Math.floor(65_535 / piece.length)));
      parseReceipt(bytes, 0, bytes.length, 0, 0, false, view);
      assert.ok(view.textEnd <= bytes.length);
    }
  });
});
