/**
 * Completes package-lock.json after `npm install`: adds the optional platform binaries that the
 * registry at hand could not resolve, so that `npm ci` accepts the lock on every machine.
 *
 *   npm install … && node .ci/complete-lock.mjs
 */
import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("../package-lock.json", import.meta.url);
const SYSTEMS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const CPUS = ["arm", "arm64", "ia32", "ppc64", "riscv64", "s390x", "x64"];

const lock = JSON.parse(readFileSync(FILE, "utf8"));
const { packages } = lock;
for (const [path, entry] of Object.entries(packages)) {
  if (path === "") continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] !== undefined) continue;
    const words = name.split("/").at(-1).split("-");
    const os = words.find((word) => SYSTEMS.includes(word));
    const cpu = words.find((word) => CPUS.includes(word));
    if (os === undefined || cpu === undefined) throw new Error(`${name}: for which platform?`);
    packages[`node_modules/${name}`] = {
      version: version.replace(/^[=^~]/, ""),
      cpu: [cpu],
      ...(entry.dev === true ? { dev: true } : {}),
      ...(words.some((word) => word.startsWith("musl")) ? { libc: ["musl"] } : {}),
      optional: true,
      os: [os],
    };
    console.log(`added ${name} ${version}`);
  }
}
lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
