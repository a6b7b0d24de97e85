import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

let root = dirname(fileURLToPath(import.meta.url));
while (!existsSync(join(root, "package.json"))) root = dirname(root);
const codec = join(root, "src/codec");
const files = readdirSync(codec, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => join(codec, file));

describe("the codec stands alone", () => {
  it("imports nothing but itself", () => {
    assert.ok(files.length > 25);
    for (const file of files) {
      for (const [, path] of readFileSync(file, "utf8").matchAll(/from "([^"]+)"/g)) {
        const target = relative(codec, resolve(dirname(file), path!));
        const isInside = path!.startsWith(".") && !target.startsWith("..");
        assert.ok(isInside, `${relative(root, file)} imports ${path}`);
      }
    }
  });

  it("uses no global of Node's own, no clock and no randomness", () => {
    const names = "Buffer|process|require|setTimeout|setInterval|performance";
    const foreign = new RegExp(`\\b(${names})\\b|\\.now\\(|\\.random|new Date\\(\\)`);
    for (const file of files) {
      const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      assert.equal(foreign.exec(code)?.[0], undefined, relative(root, file));
    }
  });

  it("exports every module from its index", () => {
    const index = readFileSync(join(codec, "index.ts"), "utf8");
    const inner = ["text/gsm7-ascii.ts", "text/grapheme.ts", "index.ts"];
    for (const file of files) {
      const name = relative(codec, file);
      if (inner.includes(name)) continue;
      assert.ok(index.includes(`"./${name}"`), `${name} is not exported`);
    }
  });
});
