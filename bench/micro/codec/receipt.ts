/**
 * Bench: what else the receiving side does with each PDU, with its allocations.
 */
import {
  ConcatInfo,
  decodeSm,
  findTlv,
  parseReceiptOf,
  readConcatInfo,
  readFrame,
  ReceiptView,
  SmView,
  TLV_TAG,
} from "../../../src/codec/index.ts";
import { ALLOCATION_CALLS, allocatedBytes, medianNs } from "./report.ts";

export interface InboundRow {
  name: string;
  ns: number;
  allocated: number;
}

/** A deliver_sm with a receipt text of appendix B and three TLVs, 180 octets. */
const RECEIPT =
  "000000b400000005000000000000000700010134343737303039303031323300050041434d4500040000000" +
  "0000000006a69643a353534363037303035207375623a30303120646c7672643a303031207375626d697420" +
  "646174653a3236313132313232323120646f6e6520646174653a3236313132313232323120737461743a444" +
  "54c49565244206572723a30303020746578743a48656c6c6f001e0009323130656131396400042700010204" +
  "230003030000";

const CALLS = 1000;

export async function runInboundBench(): Promise<InboundRow[]> {
  const bytes = new Uint8Array(Buffer.from(RECEIPT, "hex"));
  const end = readFrame(bytes, 0, bytes.length);
  const view = new SmView();
  const receipt = new ReceiptView();
  const info = new ConcatInfo();
  decodeSm(bytes, 0, end, view);
  const runs: [string, () => number][] = [
    ["decode deliver_sm with three TLVs", () => decodeSm(bytes, 0, end, view)],
    [
      "find a TLV, the last of three",
      () => findTlv(bytes, view.tlvStart, view.tlvEnd, TLV_TAG.network_error_code),
    ],
    ["parse a receipt, text and TLVs", () => parseReceiptOf(view, receipt)],
    [
      "read concatenation, none there",
      () => {
        readConcatInfo(view, info);
        return info.total;
      },
    ],
  ];
  const rows: InboundRow[] = [];
  for (const [name, run] of runs) {
    const batch = (): number => {
      let sum = 0;
      for (let i = 0; i < CALLS; i++) sum += run();
      return sum;
    };
    rows.push({
      name,
      ns: (await medianNs(batch)) / CALLS,
      allocated: allocatedBytes(run, ALLOCATION_CALLS),
    });
  }
  return rows;
}

export function formatInboundRows(rows: readonly InboundRow[]): string {
  return [
    "| | ns | bytes allocated |",
    "|---|---|---|",
    ...rows.map((row) => `| ${row.name} | ${row.ns.toFixed(0)} | ${row.allocated.toFixed(2)} |`),
  ].join("\n");
}
