/**
 * Bench: decode submit_sm, deliver_sm and submit_sm_resp, every field folded.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  COMMAND_ID,
  decodeSm,
  messageIdEnd,
  readCommandStatus,
  readFrame,
  readSequenceNumber,
  SmView,
} from "../../../src/codec/index.ts";
import { createRespCorpus, createSmCorpus, offsetsOf } from "./corpus.ts";
import { foldInt, foldNpm, foldRange, foldSm, foldString } from "./fold.ts";
import { runNative } from "./native.ts";
import { decodeNpm } from "./npm-smpp.ts";
import { CORPUS_COUNT, type Comparison, compare } from "./report.ts";

function decodeSmRound(corpus: Uint8Array, data: DataView, view: SmView): number {
  let hash = 0;
  for (let at = 0; at < corpus.length; ) {
    const length = readFrame(corpus, at, corpus.length);
    if (decodeSm(corpus, at, at + length, view) !== 0) return -1;
    hash = foldSm(hash, data, at, view);
    at += length;
  }
  return hash;
}

function decodeRespRound(corpus: Uint8Array, data: DataView): number {
  let hash = 0;
  for (let at = 0; at < corpus.length; ) {
    const length = readFrame(corpus, at, corpus.length);
    const idEnd = messageIdEnd(corpus, at, at + length);
    hash = foldInt(hash, readCommandStatus(corpus, at) | 0);
    hash = foldInt(hash, readSequenceNumber(corpus, at) | 0);
    hash = foldRange(hash, data, at + 16, idEnd);
    at += length;
  }
  return hash;
}

function npmRound(pdus: readonly Buffer[], fold: typeof foldNpm): number {
  let hash = 0;
  for (const pdu of pdus) hash = fold(hash, decodeNpm(pdu));
  return hash;
}

const foldNpmResp: typeof foldNpm = (hash, pdu) =>
  foldString(foldInt(foldInt(hash, pdu.command_status), pdu.sequence_number), pdu.message_id ?? "");

function split(corpus: Uint8Array): Buffer[] {
  const offsets = offsetsOf(corpus);
  return offsets.slice(0, -1).map((at, i) => Buffer.from(corpus.subarray(at, offsets[i + 1])));
}

/** Runs the three comparisons; the C programs may be null. */
export async function runDecodeBench(
  scratch: string,
  minimal: string | null,
  libsmpp34: string | null,
): Promise<Comparison[]> {
  const view = new SmView();
  const results: Comparison[] = [];
  for (const name of ["submit_sm", "deliver_sm"] as const) {
    const corpus = createSmCorpus(COMMAND_ID[name], CORPUS_COUNT, 7);
    const data = new DataView(corpus.buffer);
    const pdus = split(corpus);
    const file = join(scratch, `${name}.bin`);
    writeFileSync(file, corpus);
    results.push(
      await compare(`decode ${name}`, CORPUS_COUNT, corpus.length / CORPUS_COUNT, {
        ours: () => decodeSmRound(corpus, data, view),
        npm: () => npmRound(pdus, foldNpm),
        libsmpp34: () => runNative(libsmpp34, name === "submit_sm" ? "submit" : "deliver", file),
        minimal: () => runNative(minimal, "sm", file),
      }),
    );
  }
  const corpus = createRespCorpus(CORPUS_COUNT, 7);
  const data = new DataView(corpus.buffer);
  const pdus = split(corpus);
  const file = join(scratch, "resp.bin");
  writeFileSync(file, corpus);
  results.push(
    await compare("decode submit_sm_resp", CORPUS_COUNT, corpus.length / CORPUS_COUNT, {
      ours: () => decodeRespRound(corpus, data),
      npm: () => npmRound(pdus, foldNpmResp),
      libsmpp34: () => runNative(libsmpp34, "resp", file),
      minimal: () => runNative(minimal, "resp", file),
    }),
  );
  return results;
}
