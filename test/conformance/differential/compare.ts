/**
 * One differential run: seeded random PDUs through every decoder, and a list of what differs.
 */
import { commandNameOf, decodePdu, encodePdu, type Pdu } from "../../../src/codec/index.ts";
import { createRandom, randomPdu } from "../../unit/codec/support/random-pdu.ts";
import { decodeWithLibsmpp34, expectLines, refusalOf } from "./libsmpp34.ts";
import { compareWithNpm } from "./npm-smpp.ts";
import { compareColumns, decodeWithTshark, expectColumns } from "./tshark.ts";

export interface Batch {
  readonly octets: readonly Uint8Array[];
  readonly pdus: readonly Pdu[];
}

/** `count` random PDUs of all commands, encoded and decoded by us; throws if that fails. */
export function createBatch(seed: number, count: number): Batch {
  const random = createRandom(seed);
  const out = new Uint8Array(70_000);
  const octets: Uint8Array[] = [];
  const pdus: Pdu[] = [];
  for (let i = 0; i < count; i++) {
    const length = encodePdu(out, 0, randomPdu(random));
    if (length < 0) throw new Error(`seed ${seed}, PDU ${i}: encoding gave ${length}`);
    const bytes = out.slice(0, length);
    const pdu = decodePdu(bytes, 0, length);
    if (typeof pdu === "number") throw new Error(`seed ${seed}, PDU ${i}: decoding gave ${pdu}`);
    octets.push(bytes);
    pdus.push(pdu);
  }
  return { octets, pdus };
}

function report(batch: Batch, differencesOf: (index: number) => string[]): string[] {
  return batch.pdus.flatMap((pdu, i) =>
    differencesOf(i).map((difference) => `PDU ${i} ${commandNameOf(pdu.commandId)} ${difference}`),
  );
}

/** Differences from tshark that DISAGREEMENTS.md does not list. */
export function compareWithTsharkBatch(batch: Batch): string[] {
  const seen = decodeWithTshark(batch.octets);
  if (seen.length !== batch.pdus.length) return [`tshark saw ${seen.length} PDUs`];
  return report(batch, (i) => compareColumns(expectColumns(batch.pdus[i]!), seen[i]!));
}

/** Differences from libsmpp34 that DISAGREEMENTS.md does not list. */
export function compareWithLibsmpp34Batch(batch: Batch, lister: string): string[] {
  const seen = decodeWithLibsmpp34(lister, batch.octets);
  if (seen.length !== batch.pdus.length) return [`libsmpp34 saw ${seen.length} PDUs`];
  return report(batch, (i) => {
    const pdu = batch.pdus[i]!;
    const theirs = seen[i]!;
    const reason = refusalOf(pdu);
    if (theirs === null) return reason === null ? ["refused"] : [];
    if (reason !== null) return [`accepted in spite of ${reason}`];
    const ours = expectLines(pdu);
    const length = Math.max(ours.length, theirs.length);
    return Array.from({ length }, (_, line) => line)
      .filter((line) => ours[line] !== theirs[line])
      .map((line) => `ours ${ours[line]} theirs ${theirs[line]}`);
  });
}

/** Differences from npm `smpp` that DISAGREEMENTS.md does not list. */
export function compareWithNpmBatch(batch: Batch): string[] {
  return report(batch, (i) => compareWithNpm(batch.pdus[i]!, batch.octets[i]!));
}
