/**
 * Agreement with decoders that nobody here wrote, field by field.
 *
 * DIFFERENTIAL_COUNT and DIFFERENTIAL_SEED override the size and the seed; run.ts does large runs.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseFixtures, readFixtureFile } from "../support/fixtures.ts";
import {
  compareWithLibsmpp34Batch,
  compareWithNpmBatch,
  compareWithTsharkBatch,
  createBatch,
} from "./compare.ts";
import { buildLister } from "./libsmpp34.ts";
import { hasTshark } from "./tshark.ts";

const count = Number(process.env["DIFFERENTIAL_COUNT"] ?? 5000);
const seed = Number(process.env["DIFFERENTIAL_SEED"] ?? 20_261_122);
const batch = createBatch(seed, count);

/** An account that may not install the tool skips; one that may has no excuse. */
const canInstall = process.getuid?.() === 0;
const skipWithout = (isThere: boolean, name: string): string | false =>
  isThere || canInstall ? false : `${name} is not installed (apt-get install ${name})`;

function expectNone(differences: readonly string[]): void {
  assert.deepEqual(differences.slice(0, 20), [], `seed ${seed}: ${differences.length} differences`);
}

const tshark = hasTshark();
const lister = buildLister();

describe(`differential: ${count} random PDUs, seed ${seed}`, () => {
  it("agrees with tshark", { skip: skipWithout(tshark, "tshark") }, () => {
    assert.ok(tshark, "tshark is missing: apt-get install tshark");
    expectNone(compareWithTsharkBatch(batch));
  });

  it("agrees with libsmpp34", { skip: skipWithout(lister !== null, "libsmpp34-dev") }, () => {
    assert.ok(lister !== null, "libsmpp34 or gcc is missing: apt-get install libsmpp34-dev gcc");
    expectNone(compareWithLibsmpp34Batch(batch, lister));
  });

  it("agrees with npm smpp", () => {
    expectNone(compareWithNpmBatch(batch));
  });

  it("agrees with tshark on the fixtures", { skip: skipWithout(tshark, "tshark") }, () => {
    const fixtures = ["pdus.md", "tlvs.md"].flatMap((file) => parseFixtures(readFixtureFile(file)));
    const sound = fixtures.filter((fixture) => fixture.pdu !== null);
    expectNone(
      compareWithTsharkBatch({
        octets: sound.map((fixture) => fixture.octets),
        pdus: sound.map((fixture) => fixture.pdu!),
      }),
    );
  });

  it("lists every disagreement that the comparison allows for", () => {
    let root = dirname(fileURLToPath(import.meta.url));
    while (!existsSync(join(root, "package.json"))) root = dirname(root);
    const folder = join(root, "test/conformance/differential");
    const list = readFileSync(join(folder, "DISAGREEMENTS.md"), "utf8");
    const code = ["tshark.ts", "libsmpp34.ts", "npm-smpp.ts"]
      .map((file) => readFileSync(join(folder, file), "utf8"))
      .join("\n");
    const listed = new Set([...list.matchAll(/^\| ([TLN]\d) +\|/gm)].map((match) => match[1]));
    const used = new Set([...code.matchAll(/\b([TLN]\d)\b/g)].map((match) => match[1]));
    assert.deepEqual(
      [...used].filter((id) => !listed.has(id)),
      [],
    );
    assert.deepEqual(
      [...listed].filter((id) => !used.has(id)),
      [],
    );
  });
});
