import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseEncoding, ENCODING, transliterate } from "../../../../src/codec/index.ts";

describe("transliteration", () => {
  it("replaces typographic signs and accents, and says what it replaced", () => {
    const result = transliterate("“Olá” – it’s 5\u00a0000…");
    assert.equal(result.text, '"Ola" - it\'s 5 000...');
    assert.equal(result.replacedCount, 7);
    assert.equal(result.replaced, "“á”–’\u00a0…");
    assert.equal(chooseEncoding(result.text), ENCODING.gsm7);
    assert.equal(transliterate("Łódź œuvre ﬁn zero\u200bwidth").text, "Lodz oeuvre fin zerowidth");
    assert.equal(transliterate("e\u0301 a\u0328 `").text, "é a '");
  });

  it("never touches what the alphabet has, nor other scripts", () => {
    const own = "Ñandú àéèù ΔΦ € {}";
    assert.equal(transliterate("Ñandu àéèù ΔΦ € {}").replacedCount, 0);
    assert.equal(transliterate(own).text, "Ñandu àéèù ΔΦ € {}");
    for (const text of ["Привет “мир”", "你好…", "😀 – ok", "“Αθήνα”"]) {
      assert.deepEqual(transliterate(text), { text, replacedCount: 0, replaced: "" });
    }
  });
});
