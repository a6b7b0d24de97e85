/** Reads a TextPlan as SMSC and handset would: by its octets, headers and profile alone. */
import {
  CONCAT_METHOD,
  ConcatInfo,
  decodeGsm7,
  decodeText,
  ENCODING,
  ESM_CLASS,
  isSar,
  nationalAlphabet,
  packedFillBits,
  readConcatInfo,
  referenceBits,
  resetSmView,
  SmView,
  type TextPlan,
  type TextProfile,
  unpackSeptets,
  writeUdh,
} from "../../../../src/codec/index.ts";

const view = new SmView();
const info = new ConcatInfo();

/** The text that arrives: each part decoded on its own, so no character may span two of them. */
export function readBack(plan: TextPlan, profile: TextProfile, method: number): string {
  let text = "";
  let from = 0;
  for (let part = 0; part < plan.partCount; part++) {
    const end = plan.ends[part] as number;
    text += readPart(plan, profile, method, part, from, end);
    from = end;
  }
  return text;
}

function readPart(
  plan: TextPlan,
  profile: TextProfile,
  method: number,
  part: number,
  from: number,
  end: number,
): string {
  const udh = new Uint8Array(16);
  const hasConcat = !isSar(method) && method !== CONCAT_METHOD.payload;
  const total = hasConcat ? plan.partCount : 1;
  const extra = plan.udh.subarray(1);
  const extraLength = plan.udhLength === 0 ? 0 : plan.udhLength - 1;
  const is16 = referenceBits(method) === 16;
  const udhLength = writeUdh(udh, is16, 7, total, part + 1, extra, extraLength);
  const bytes = Buffer.concat([udh.subarray(0, udhLength), plan.bytes.subarray(from, end)]);
  resetSmView(view, bytes);
  view.shortMessageEnd = bytes.length;
  view.esmClass = udhLength > 0 ? ESM_CLASS.udhi : 0;
  readConcatInfo(view, info);
  if (total > 1 && (info.total !== total || info.sequence !== part + 1)) {
    throw new Error(`part ${info.sequence} of ${info.total}`);
  }
  const { textStart, textEnd } = info;
  if (plan.dataCoding !== 0) return decodeText(plan.encoding, bytes, textStart, textEnd);
  const alphabet = nationalAlphabet(info.lockingShift, info.singleShift);
  if (profile.defaultEncoding === ENCODING.gsm7_packed) {
    const septets = new Uint8Array(1 << 12);
    const fill = udhLength === 0 ? 0 : packedFillBits(udhLength);
    const count = unpackSeptets(bytes, textStart, textEnd, fill, septets, 0);
    return decodeGsm7(septets, 0, count, alphabet);
  }
  if (profile.defaultEncoding === ENCODING.gsm7) {
    return decodeGsm7(bytes, textStart, textEnd, alphabet);
  }
  return decodeText(profile.defaultEncoding, bytes, textStart, textEnd);
}
