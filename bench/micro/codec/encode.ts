/**
 * Bench: encode submit_sm from a gateway record; each PDU's length and two of its octets are
 * folded.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMAND_ID, decodeSm, encodeSm, SmView } from "../../../src/codec/index.ts";
import { createSmCorpus, offsetsOf } from "./corpus.ts";
import { foldInt } from "./fold.ts";
import { runNative } from "./native.ts";
import { decodeNpm, encodeNpm } from "./npm-smpp.ts";
import { CORPUS_COUNT, type Comparison, compare } from "./report.ts";

/** Folds what identifies a PDU: its length, the octet at 20 and its last octet. */
function foldPdu(hash: number, bytes: Uint8Array, at: number, length: number): number {
  return foldInt(foldInt(foldInt(hash, length), bytes[at + 20]!), bytes[at + length - 1]!);
}

function encodeRound(views: readonly SmView[], out: Uint8Array): number {
  let hash = 0;
  for (let i = 0; i < views.length; i++) {
    const length = encodeSm(COMMAND_ID.submit_sm, out, 0, i + 1, views[i]!, null, 0);
    hash = foldPdu(hash, out, 0, length);
  }
  return hash;
}

export async function runEncodeBench(
  scratch: string,
  minimal: string | null,
  libsmpp34: string | null,
): Promise<Comparison> {
  const corpus = createSmCorpus(COMMAND_ID.submit_sm, CORPUS_COUNT, 11);
  const offsets = offsetsOf(corpus);
  const file = join(scratch, "encode.bin");
  writeFileSync(file, corpus);
  const out = new Uint8Array(1024);
  const views: SmView[] = [];
  const options: Record<string, unknown>[] = [];
  for (let i = 0; i < CORPUS_COUNT; i++) {
    const view = new SmView();
    decodeSm(corpus, offsets[i]!, offsets[i + 1]!, view);
    views.push(view);
    const pdu = decodeNpm(Buffer.from(corpus.subarray(offsets[i], offsets[i + 1])));
    options.push({ ...pdu, short_message: pdu.short_message.message });
  }
  return compare("encode submit_sm", CORPUS_COUNT, corpus.length / CORPUS_COUNT, {
    ours: () => encodeRound(views, out),
    npm: () => {
      let hash = 0;
      for (let i = 0; i < options.length; i++) {
        const bytes = encodeNpm("submit_sm", options[i]!);
        hash = foldPdu(hash, bytes, 0, bytes.length);
      }
      return hash;
    },
    libsmpp34: () => runNative(libsmpp34, "encode", file),
    minimal: () => runNative(minimal, "encode", file),
  });
}
