/** The example operators: accepted as they stand, and what each of them comes to on the wire. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { derivePools } from "../../../src/config/derive.ts";
import type { GatewayConfig } from "../../../src/config/types.ts";
import { AddressRule, LinkProfile } from "../../../src/smpp/link-profile.ts";
import { ROOT } from "../../tidy/source-tree.ts";
import { parse } from "./fixtures.ts";

const FOLDER = join(ROOT, "examples/link-profiles");

function example(name: string): GatewayConfig {
  return parse(readFileSync(join(FOLDER, `${name}.yaml`), "utf8"));
}

function profileOf(config: GatewayConfig, linkId: number): LinkProfile {
  const link = derivePools(config).links.find(({ config: { id } }) => id === linkId);
  assert.ok(link);
  return new LinkProfile(link.profile);
}

function written(rule: AddressRule, address: string): [string, number, number] {
  const bytes = new Uint8Array(64);
  bytes.set(Buffer.from(address), 32);
  const end = 32 + address.length;
  const text = rule.matches(bytes, 32, end)
    ? Buffer.from(bytes.subarray(0, rule.write(bytes, 32, end, 0))).toString()
    : address;
  return [text, rule.ton, rule.npi];
}

function destination(profile: LinkProfile, number: string): [string, number, number] {
  const bytes = Buffer.from(number);
  return written(profile.destinationRule(bytes, 0, bytes.length), number);
}

test("docs/LINK-PROFILES.md names every example, and every example is tried here", () => {
  const text = readFileSync(join(ROOT, "docs/LINK-PROFILES.md"), "utf8");
  const files = readdirSync(FOLDER).sort();
  assert.deepEqual(files, [
    "latin1-national.yaml",
    "packed-turkish.yaml",
    "registered-senders.yaml",
  ]);
  for (const file of files) assert.ok(text.includes(`examples/link-profiles/${file}`), file);
});

test("latin1-national: numbers as they are dialled there, and codes of its own", () => {
  const config = example("latin1-national");
  const { defaultAlphabet, concatenation } = config.profiles["rhine"] ?? {};
  assert.deepEqual([defaultAlphabet, concatenation], ["latin1", "sar"]);
  const profile = profileOf(config, 100);
  assert.deepEqual(destination(profile, "491711234567"), ["01711234567", 2, 1]);
  assert.deepEqual(destination(profile, "431234567890"), ["00431234567890", 0, 1]);
  assert.deepEqual(written(profile.sourceRule(1), "491711234567"), ["01711234567", 2, 1]);
  assert.deepEqual(written(profile.sourceRule(5), "SHOP"), ["SHOP", 5, 1]);
  const [throttled, rejected] = [0x58, 0x0b].map((code) => profile.statusClasses[code]);
  assert.deepEqual(
    [0x45, 0x400, 0x401].map((code) => profile.statusClasses[code]),
    [throttled, throttled, rejected],
  );
});

test("registered-senders: who may write, and the registration in every PDU", () => {
  const config = example("registered-senders");
  assert.equal(config.profiles["registered"]?.senders.default, "BANKIN");
  const { serviceType, tlvs } = profileOf(config, 200);
  assert.equal(Buffer.from(serviceType).toString(), "TX");
  const registered = "14000014" + Buffer.from("1101410390000012345\0").toString("hex");
  assert.ok(Buffer.from(tlvs).toString("hex").startsWith(registered));
  assert.ok(Buffer.from(tlvs).toString("hex").endsWith("020400020001"));
});

test("packed-turkish: one pool, two ways to write an address", () => {
  const config = example("packed-turkish");
  assert.deepEqual(derivePools(config).pools[0]?.profile.languages, ["turkish"]);
  assert.deepEqual(destination(profileOf(config, 300), "905321234567"), ["905321234567", 1, 1]);
  assert.deepEqual(destination(profileOf(config, 301), "905321234567"), ["5321234567", 2, 1]);
});
