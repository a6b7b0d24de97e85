import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReceipt, RECEIPT_SOURCE, ReceiptView } from "../../src/codec/index.ts";
import { parseBlocks, readFixtureFile } from "./support/fixtures.ts";

const sections = parseBlocks(readFixtureFile("receipts.md"));
const sources = Object.keys(RECEIPT_SOURCE);

/** Everything that a view says, in the words of the fixtures. */
function describeView(view: ReceiptView): Record<string, string> {
  const text = (from: number, to: number): string =>
    Buffer.from(view.textBytes.subarray(from, to)).toString("latin1");
  return {
    id: Buffer.from(view.idBytes.subarray(view.idStart, view.idEnd)).toString("latin1"),
    state: String(view.messageState),
    id_source: sources[view.idSource]!,
    state_source: sources[view.stateSource]!,
    text_id: text(view.textIdStart, view.textIdEnd),
    sub: text(view.subStart, view.subEnd),
    dlvrd: text(view.dlvrdStart, view.dlvrdEnd),
    submit_date: text(view.submitDateStart, view.submitDateEnd),
    done_date: text(view.doneDateStart, view.doneDateEnd),
    stat: text(view.statStart, view.statEnd),
    err: text(view.errStart, view.errEnd),
    text: text(view.textStart, view.textEnd),
    network_error: `${view.networkErrorType} ${view.networkErrorCode}`,
    flags: String(view.flags),
  };
}

function check(blocks: Map<string, string>): void {
  const text = Buffer.from(JSON.parse(blocks.get("json")!) as string, "latin1");
  const tlvs = Buffer.from((blocks.get("hex") ?? "").replaceAll(/\s/g, ""), "hex");
  const bytes = Buffer.concat([text, tlvs]);
  const view = new ReceiptView();
  assert.equal(parseReceipt(bytes, 0, text.length, text.length, bytes.length, false, view), 0);
  const seen = describeView(view);
  assert.equal(seen["flags"], /^flags: (\d+)$/m.exec(blocks.get("fields")!)?.[1] ?? "0");
  for (const line of blocks.get("fields")!.trim().split("\n")) {
    const colon = line.indexOf(":");
    assert.equal(seen[line.slice(0, colon)], line.slice(colon + 1).trim(), line);
  }
}

describe("conformance: receipts.md", () => {
  for (const { title, blocks } of sections) it(title, () => check(blocks));

  it("holds receipts", () => assert.ok(sections.length >= 25));
});
