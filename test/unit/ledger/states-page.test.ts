/** docs/STATES.md against the code: every part state is described, and its fold is ours. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { foldMask, MESSAGE_STATUS } from "../../../src/ledger/messages/message-state.ts";
import { isFinal, PART_STATUS, PartState } from "../../../src/ledger/messages/part-state.ts";

const PAGE = readFileSync(new URL("../../../../docs/STATES.md", import.meta.url), "utf8");
const STATES = new Map<string, number>(Object.entries(PartState));

function rowsUnder(heading: string): string[][] {
  const lines = PAGE.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${heading} |`)) + 2;
  const rows: string[][] = [];
  for (let i = start; lines[i]?.startsWith("|") === true; i++) {
    const cells = (lines[i] as string).split("|").slice(1, -1);
    rows.push(cells.map((cell) => cell.trim()));
  }
  return rows;
}

function maskOf(words: string): number {
  if (words === "anything") return 0xffffffff;
  let mask = 0;
  for (const [name, state] of STATES) {
    const isNamed = words.split(" ").includes(name) || (words === "final" && isFinal(state));
    if (isNamed) mask |= 1 << state;
  }
  assert.notEqual(mask, 0, words);
  return mask;
}

test("every part state has its row, with its word, and is final where the page says so", () => {
  const rows = rowsUnder("part");
  assert.deepEqual(new Set(rows.map(([name]) => name)), new Set(STATES.keys()));
  for (const [name, word, rank] of rows) {
    const state = STATES.get(name as string) as number;
    assert.equal(PART_STATUS[state as 0], word);
    assert.equal(isFinal(state), rank === "final", name);
  }
});

test("every set of part states folds as the page's first fitting row says", () => {
  const rows = rowsUnder("if some part is").map(([some, all, status]) => ({
    any: maskOf(some as string),
    all: maskOf(all as string),
    status,
  }));
  assert.equal(rows.length, MESSAGE_STATUS.length);
  for (let mask = 1; mask < 1 << STATES.size; mask++) {
    const row = rows.find(({ any, all }) => (mask & any) !== 0 && (mask & ~all) === 0);
    if (row === undefined) assert.equal(MESSAGE_STATUS[foldMask(mask) as 0], "submitted");
    else assert.equal(MESSAGE_STATUS[foldMask(mask) as 0], row.status);
  }
});
