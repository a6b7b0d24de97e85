/** Damaged files and variables: a configuration or a ConfigError comes out, never anything else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ConfigError } from "../../../src/config/problems.ts";
import { LEAST, parse } from "./fixtures.ts";

const WHOLE = `${LEAST}
http: { port: 1 }
log: { level: info }
policy: { policies: { a: {} } }
`;
const NAMES = ["SMSGW_HTTP", "SMSGW_APPS", "SMSGW_LINKS__100", "SMSGW_POLICY__POLICIES"];
const MARKS = ["{", "}", "[", "]", ",", ":", "&a ", "*a", "!", "!!binary ", "|", ">", "'", '"'];
const WORDS = ["\n", "- ", "#", "?", "<<: ", "~", "null", "1e999", ".nan", "0x1F", "__proto__"];

const piece = fc.oneof(fc.constantFrom(...MARKS, ...WORDS), fc.string());
const cut = fc.record({ at: fc.nat(WHOLE.length), drop: fc.nat(8), put: piece });

/** Some damage to the file, and a variable or none. */
const damage = fc.record({
  cuts: fc.array(cut, { maxLength: 4 }),
  variable: fc.option(fc.tuple(fc.constantFrom(...NAMES), piece)),
});

test("damage gives a configuration or a ConfigError, nothing else", () => {
  const outcomes = { accepted: 0, refused: 0 };
  const property = fc.property(damage, ({ cuts, variable }) => {
    let text = WHOLE;
    for (const { at, drop, put } of cuts) text = text.slice(0, at) + put + text.slice(at + drop);
    try {
      parse(text, { env: variable === null ? {} : { [variable[0]]: variable[1] } });
      outcomes.accepted++;
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.ok(error.problems.length > 0);
      outcomes.refused++;
    }
  });
  fc.assert(property, { numRuns: 2000 });
  assert.ok(outcomes.accepted > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
});
