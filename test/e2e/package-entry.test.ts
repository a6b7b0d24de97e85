/**
 * The codec as others get it: the package as npm packs it, installed in an empty folder, and run
 * where nothing of Node's own exists.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ROOT } from "../tidy/source-tree.ts";

const folder = mkdtempSync(join(tmpdir(), "smsgw-pack-"));
const installed = join(folder, "node_modules/sms-gateway-proxy");
after(() => rmSync(folder, { recursive: true, force: true }));

function run(program: string, args: readonly string[], cwd = folder): string {
  return execFileSync(program, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** The README's examples that use the codec. */
function examples(): string[] {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  return [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code as string);
}

/** Loads the codec's entry with nothing but ECMAScript and TextEncoder around it. */
const BARE_RUNTIME = `
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createContext, SourceTextModule } from "node:vm";

const context = createContext({ TextEncoder, TextDecoder });
const modules = new Map();
function load(path) {
  const known = modules.get(path);
  if (known !== undefined) return known;
  const made = new SourceTextModule(readFileSync(path, "utf8"), { context, identifier: path });
  modules.set(path, made);
  return made;
}
const entry = load(process.argv[1]);
await entry.link((specifier, from) => load(resolve(dirname(from.identifier), specifier)));
await entry.evaluate();
const codec = entry.namespace;
const plan = new codec.TextPlan(1600);
const profile = { defaultEncoding: codec.ENCODING.gsm7, languages: [] };
const parts = codec.planText(plan, "x".repeat(161), codec.ENCODING_AUTO, profile, 0, 10);
console.log(JSON.stringify({ parts, modules: modules.size }));
`;

test("the packed package is the codec with its types, and nothing that is not its own", () => {
  const packed = run(
    "npm",
    ["pack", "--ignore-scripts", "--json", "--pack-destination", folder],
    ROOT,
  );
  const [{ filename, files }] = JSON.parse(packed) as [
    { filename: string; files: { path: string }[] },
  ];
  const paths = files.map(({ path }) => path);
  for (const path of ["package.json", "README.md", "LICENSE", "dist/src/codec/index.js"]) {
    assert.ok(paths.includes(path), path);
  }
  assert.ok(!paths.some((path) => path.startsWith("dist/test/") || path.startsWith("src/")));
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    exports: { "./codec": { types: string; default: string } };
  };
  for (const path of Object.values(exports["./codec"])) {
    assert.ok(existsSync(join(installed, path)), path);
  }
});

test("the README's examples run against the installed package", () => {
  const outputs = ["Hello [world]\n", "2 ucs2 8\n"];
  const found = examples();
  assert.equal(found.length, outputs.length);
  found.forEach((code, index) => {
    assert.match(code, /sms-gateway-proxy\/codec/);
    assert.equal(run(process.execPath, ["--input-type=module", "-e", code]), outputs[index]);
  });
});

test("the codec's types stand on their own", () => {
  const source = `
import { type SmView, TextPlan, decodeSm } from "sms-gateway-proxy/codec";
export function lengthOf(pdu: Uint8Array, view: SmView): number {
  if (decodeSm(pdu, 0, pdu.length, view) !== 0) return -1;
  return view.shortMessageEnd - view.shortMessageStart;
}
export const plan: TextPlan = new TextPlan(160);
`;
  writeFileSync(join(folder, "use.ts"), source);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const options = ["--strict", "--noEmit", "--module", "nodenext", "--types", "", "use.ts"];
  run(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), ...options]);
});

test("the codec needs nothing of Node's", () => {
  const entry = join(installed, "dist/src/codec/index.js");
  const args = ["--experimental-vm-modules", "--no-warnings", "--input-type=module", "-e"];
  const output = run(process.execPath, [...args, BARE_RUNTIME, entry]);
  const { parts, modules } = JSON.parse(output) as { parts: number; modules: number };
  assert.equal(parts, 2);
  assert.ok(modules > 25);
});
