/**
 * A link's profile as bytes and tables: what its operator wants in every submit_sm, and what it
 * means by its answers.
 *
 *   source         by TON of the record (its kind): TON, NPI, and first digits to replace
 *   destination    rules by first digits, longest first; the last one takes every number
 *   service_type, TLVs: octets as they stand in the PDU
 *
 * Made once per link and configuration; read-only, one thread.
 */
import {
  createStatusClassTable,
  NPI,
  type StatusClass,
  TON,
  writeTlvBytes,
  writeTlvInteger,
} from "../codec/index.ts";
import type {
  AddressRewrite,
  AddressType,
  ProfileConfig,
  ProfileTlv,
  StatusVerdict,
} from "../config/profile-types.ts";
import { PROFILE_TLV_BYTES_MAX } from "../config/table-profiles.ts";

const CLASS_OF_VERDICT: Readonly<Record<StatusVerdict, StatusClass>> = {
  retry: "T",
  throttle: "B",
  reject: "P",
  unbind: "F",
};

/** One way to write an address. */
export class AddressRule {
  readonly ton: number;
  readonly npi: number;
  /** First digits that are replaced by `add`. */
  readonly strip: Uint8Array;
  readonly add: Uint8Array;
  /** Whether the digits change at all. */
  readonly rewrites: boolean;

  constructor(type: AddressType, strip = "", add = "") {
    this.ton = type.ton;
    this.npi = type.npi;
    this.strip = Buffer.from(strip, "latin1");
    this.add = Buffer.from(add, "latin1");
    this.rewrites = strip !== add;
  }

  /** Whether the address in bytes [start, end) begins with `strip`. */
  matches(bytes: Uint8Array, start: number, end: number): boolean {
    const { strip } = this;
    if (end - start < strip.length) return false;
    for (let i = 0; i < strip.length; i++) if (bytes[start + i] !== strip[i]) return false;
    return true;
  }

  /**
   * Writes the address in bytes [start, end), which matches, to the same array at `at`; returns
   * its end.
   */
  write(bytes: Uint8Array, start: number, end: number, at: number): number {
    const { add } = this;
    let p = at;
    for (let i = 0; i < add.length; i++) bytes[p++] = add[i] as number;
    for (let i = start + this.strip.length; i < end; i++) bytes[p++] = bytes[i] as number;
    return p;
  }
}

export class LinkProfile {
  /** Octets of service_type. */
  readonly serviceType: Uint8Array;
  /** TLVs of every submit_sm, back to back. */
  readonly tlvs: Uint8Array;
  /** command_status → class. */
  readonly statusClasses: Uint8Array;
  /** Attempt number at which what is refused for now is refused for good. */
  readonly attemptsMax: number;
  /** By TON of the record. */
  readonly #source: readonly AddressRule[];
  readonly #destination: readonly AddressRule[];

  constructor(profile: ProfileConfig) {
    this.serviceType = Buffer.from(profile.serviceType, "latin1");
    this.tlvs = encodeTlvs(profile.tlvs);
    this.statusClasses = createStatusClassTable(
      Object.fromEntries(
        profile.commandStatus.map(({ code, class: verdict }) => [code, CLASS_OF_VERDICT[verdict]]),
      ),
    );
    this.attemptsMax = profile.attemptsMax;
    const { source, destination } = profile;
    const byTon: AddressRule[] = [];
    byTon[TON.unknown] = new AddressRule(source.none);
    byTon[TON.international] = ruleOf(source.international);
    byTon[TON.national] = ruleOf(source.national);
    byTon[TON.network_specific] = new AddressRule(source.shortCode);
    byTon[TON.alphanumeric] = new AddressRule(source.alphanumeric);
    this.#source = byTon;
    const rules = destination.map((rule) => ruleOf(rule));
    rules.sort((a, b) => b.strip.length - a.strip.length);
    rules.push(new AddressRule({ ton: TON.international, npi: NPI.isdn }));
    this.#destination = rules;
  }

  /** How a source address of this TON, as admission gave it, is written. */
  sourceRule(ton: number): AddressRule {
    return this.#source[ton] ?? (this.#source[TON.unknown] as AddressRule);
  }

  /** How the destination in bytes [start, end) is written. */
  destinationRule(bytes: Uint8Array, start: number, end: number): AddressRule {
    const rules = this.#destination;
    let i = 0;
    while (i < rules.length - 1 && !(rules[i] as AddressRule).matches(bytes, start, end)) i++;
    return rules[i] as AddressRule;
  }
}

function ruleOf(rewrite: AddressRewrite): AddressRule {
  return new AddressRule(rewrite, rewrite.strip, rewrite.add);
}

function encodeTlvs(tlvs: readonly ProfileTlv[]): Uint8Array {
  const out = new Uint8Array(PROFILE_TLV_BYTES_MAX);
  let at = 0;
  for (const { tag, hex, string, nul, int, bytes } of tlvs) {
    if (int !== null) {
      at = writeTlvInteger(out, at, tag, int, bytes);
      continue;
    }
    const text = Buffer.from(`${string ?? ""}${nul ? "\0" : ""}`, "latin1");
    const value = hex === null ? text : Buffer.from(hex, "hex");
    at = writeTlvBytes(out, at, tag, value, 0, value.length);
  }
  return out.slice(0, at);
}
