/** The README's codec example, run as it stands there against the package's own export. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../tidy/source-tree.ts";

test("the README's codec example decodes what it encoded", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  assert.match(example, /sms-gateway-proxy\/codec/);
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", example], {
    cwd: ROOT,
    encoding: "utf8",
  });
  assert.equal(output, "Hello [world]\n");
});
