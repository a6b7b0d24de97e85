/**
 * What must hold within one link profile. Pure.
 */
import { TLV_SHAPES, TLV_TAG, tlvNameOf } from "../codec/index.ts";
import { showValue } from "./problems.ts";
import type { ProfileConfig, ProfileTlv, SharedProfile } from "./profile-types.ts";
import { SenderFilter } from "./sender-pattern.ts";
import { PROFILE_TLV_BYTES_MAX } from "./table-profiles.ts";
import type { GatewayConfig } from "./types.ts";
import type { Refuse } from "./relations.ts";
import type { RawPath } from "./yaml-source.ts";

/** Keys in which the profiles of a pool's members agree. */
export const SHARED_PROFILE_KEYS = [
  "defaultAlphabet",
  "concatenation",
  "referenceOverflow",
  "languages",
  "senders",
] as const satisfies readonly (keyof SharedProfile)[];

/** Tags that the gateway writes itself. */
const OWN_TAGS: ReadonlySet<number> = new Set([
  TLV_TAG.sar_msg_ref_num,
  TLV_TAG.sar_total_segments,
  TLV_TAG.sar_segment_seqnum,
  TLV_TAG.message_payload,
]);

/** Octets of a TLV's value; -1 if not exactly one of its forms is given. */
export function tlvValueLength(tlv: ProfileTlv): number {
  const { hex, string, int } = tlv;
  if ([hex, string, int].filter((value) => value !== null).length !== 1) return -1;
  if (hex !== null) return hex.length / 2;
  return string === null ? tlv.bytes : string.length + (tlv.nul ? 1 : 0);
}

function checkTlv(tlv: ProfileTlv, shown: string, raw: RawPath, refuse: Refuse): void {
  const { tag, int, bytes } = tlv;
  const name = tlvNameOf(tag);
  if (OWN_TAGS.has(tag)) {
    refuse(
      `${shown}.tag`,
      [...raw, "tag"],
      `${name}`,
      "a tag that the gateway does not set itself",
    );
    return;
  }
  const length = tlvValueLength(tlv);
  if (length < 0) {
    const given = (["hex", "string", "int"] as const).filter((key) => tlv[key] !== null);
    refuse(shown, raw, given.join(" and ") || "no value", "one of hex, string and int");
    return;
  }
  if (int !== null && (bytes === 3 || int >= 256 ** bytes)) {
    const found = `${bytes}, for the value ${int}`;
    refuse(`${shown}.bytes`, [...raw, "bytes"], found, "1, 2 or 4, and room for the value");
    return;
  }
  if (name === undefined) return;
  const { lengthMin, lengthMax } = TLV_SHAPES[name];
  if (length >= lengthMin && length <= lengthMax) return;
  const allowed = lengthMin === lengthMax ? `${lengthMin}` : `${lengthMin} to ${lengthMax}`;
  refuse(shown, raw, `a value of ${length} octets`, `${allowed}: ${name} (spec 5.3.2)`);
}

function checkTlvs(profile: ProfileConfig, shown: string, raw: RawPath, refuse: Refuse): void {
  let total = 0;
  profile.tlvs.forEach((tlv, index) => {
    checkTlv(tlv, `${shown}.tlvs[${tlv.tag}]`, [...raw, "tlvs", index], refuse);
    total += 4 + Math.max(0, tlvValueLength(tlv));
  });
  if (total <= PROFILE_TLV_BYTES_MAX) return;
  const allowed = `at most ${PROFILE_TLV_BYTES_MAX} octets, 4 for each tag and length`;
  refuse(`${shown}.tlvs`, [...raw, "tlvs"], `${total} octets`, allowed);
}

/** A national table needs septets, and a header of its own beside the concatenation's. */
function checkLanguages(profile: ProfileConfig, shown: string, raw: RawPath, refuse: Refuse): void {
  if (profile.languages.length === 0) return;
  const { defaultAlphabet, concatenation } = profile;
  const at: RawPath = [...raw, "languages"];
  const found = profile.languages.join(", ");
  if (defaultAlphabet !== "gsm7" && defaultAlphabet !== "gsm7_packed") {
    const beside = `${found}, beside default_alphabet ${defaultAlphabet}`;
    refuse(`${shown}.languages`, at, beside, "none, or default_alphabet gsm7 or gsm7_packed");
  }
  if (concatenation !== "udh8" && concatenation !== "udh16") {
    const allowed = "none, or concatenation udh8 or udh16: a table is named in a user data header";
    refuse(`${shown}.languages`, at, `${found}, beside concatenation ${concatenation}`, allowed);
  }
}

function checkSenders(profile: ProfileConfig, shown: string, raw: RawPath, refuse: Refuse): void {
  const { senders } = profile;
  if (senders.default === null) return;
  const address = senders.default.replace(/^\+/u, "");
  if (new SenderFilter(senders).passes(address)) return;
  const at: RawPath = [...raw, "senders", "default"];
  const allowed = "a sender that allow and deny let through";
  refuse(`${shown}.senders.default`, at, showValue(senders.default), allowed);
}

/** Reports what contradicts itself within a profile. */
export function checkProfiles({ profiles }: GatewayConfig, refuse: Refuse): void {
  for (const [name, profile] of Object.entries(profiles)) {
    const shown = `profiles.${name}`;
    const raw: RawPath = ["profiles", name];
    checkTlvs(profile, shown, raw, refuse);
    checkLanguages(profile, shown, raw, refuse);
    checkSenders(profile, shown, raw, refuse);
  }
}
