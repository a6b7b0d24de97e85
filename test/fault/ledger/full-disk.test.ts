/**
 * The ledger's store on a disk that fills up under load and gets room again, in the built program.
 *
 *   a tmpfs of few MiB at data_dir/ledger ─► full ─► 503, nothing dies ─► remounted larger ─► 202
 *
 * What was answered with 202 reaches the operator once and is delivered. Needs root for the mount.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreRoom } from "../../../src/ledger/store/store-room.ts";
import { testToken, untilAllFinal } from "../../support/client.ts";
import { startLoad } from "../../support/http-load.ts";
import { gatewayYaml, startGateway, Workspace } from "../../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../../support/witnesses.ts";

const SMALL_BYTES = 4 << 20;
/** What LMDB's table of readers takes. */
const LOCK_BYTES = 16_384;
const LARGE = "256m";
const CONNECTIONS = 8;
/** Refusals in a row that show that the gateway stays up while its disk is full. */
const REFUSALS = 200;
const ACCEPTED_AGAIN = 500;
const PAUSE_MS = 10;
const DEADLINE_MS = 90_000;

const workspace = new Workspace();
const disk = join(workspace.folder, "data", "ledger");
let isMounted = false;
after(async () => {
  // The gateway has files open there.
  if (isMounted) execFileSync("umount", ["--lazy", disk]);
  await workspace.dispose();
});

/** Mounts a small disk there. Why that cannot be done here; null if it is done. */
function mountAt(folder: string): string | null {
  if (process.getuid?.() !== 0) return "mounting a disk to fill needs root";
  mkdirSync(folder, { recursive: true });
  try {
    const size = `size=${SMALL_BYTES}`;
    execFileSync("mount", ["-t", "tmpfs", "-o", size, "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    return `tmpfs cannot be mounted here: ${String(error)}`;
  }
  return null;
}

test("a full disk under the ledger's store refuses messages and loses none", async (context) => {
  const reason = mountAt(disk);
  isMounted = reason === null;
  if (reason !== null) {
    context.skip(reason);
    return;
  }
  const log = join(workspace.folder, "smsc.ndjson");
  const smscArguments = ["smsc", "--port", "0", "--receipt-delay-ms", "10:200", "--log", log];
  const smsc = await workspace.run(smscArguments, (line) => line.includes("listening on"));
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)));
  const gateway = await startGateway(workspace, yaml);
  const promised = new Set<string>();
  const others: string[] = [];
  let refused = 0;
  let acceptedAgain = 0;
  let index = 0;
  let isEnlarged = false;
  const load = startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections: CONNECTIONS,
    next: () => ({ to: destinationOf(index++), from: "TEST", text: "x" }),
    onAnswer: (message, status, body) => {
      if (status === 202) promised.add(message.to as string);
      else if (status === 503) refused++;
      else others.push(`${status} ${body}`);
      if (status === 202 && isEnlarged) acceptedAgain++;
    },
  });
  await until(() => refused >= REFUSALS, "the gateway refuses");
  assert.equal(await isFull(gateway.adminPort), true);
  assert.ok(promised.size > 100, `only ${promised.size} were accepted before`);
  execFileSync("mount", ["-o", `remount,size=${LARGE}`, disk]);
  isEnlarged = true;
  await until(() => acceptedAgain >= ACCEPTED_AGAIN, "the gateway accepts again");
  load.stop();
  await load.done;
  const books = await untilAllFinal(gateway.adminPort, DEADLINE_MS);
  assert.equal(await isFull(gateway.adminPort), false);
  assert.deepEqual(others, []);
  assert.equal(books.accepted, promised.size);
  assert.equal(books.final.delivered, promised.size);
  gateway.child.kill("SIGTERM");
  await gateway.exited;
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  const accepted = acceptedByDestination(log);
  const wrong = [...promised].filter((to) => accepted.get(to) !== 1);
  assert.deepEqual(wrong.slice(0, 5), [], "each arrived once");
  assert.equal(accepted.size, promised.size);
  context.diagnostic(`${promised.size} accepted, ${refused} refused`);
});

test("what finds no room leaves the disk's last bytes to others", async (context) => {
  const scene = new Workspace();
  const folder = join(scene.folder, "data", "ledger");
  const reason = mountAt(folder);
  if (reason !== null) {
    context.skip(reason);
    return;
  }
  try {
    const file = join(folder, "data.mdb");
    const used = 256 * 1024;
    writeFileSync(file, Buffer.alloc(used));
    const room = new StoreRoom(folder, () => used);
    assert.equal(room.reserve(0, SMALL_BYTES), false);
    assert.equal(statSync(file).size, used);
    // Enough for a commit, but not to go ahead of it.
    const ahead = 256 * 1024;
    const least = 512 * 1024;
    writeFileSync(join(folder, "other"), Buffer.alloc(SMALL_BYTES - used - least - ahead));
    assert.equal(room.reserve(0, 0), true);
    assert.equal(statSync(file).size, used + least);
    writeFileSync(join(folder, "log"), Buffer.alloc(ahead));
    room.close();
  } finally {
    execFileSync("umount", ["--lazy", folder]);
    await scene.dispose();
  }
});

test("a start without room for the ledger's store says so", async (context) => {
  const scene = new Workspace();
  context.after(() => scene.dispose());
  const folder = join(scene.folder, "data", "ledger");
  mkdirSync(folder, { recursive: true });
  const reason = mountAt(folder);
  if (reason !== null) {
    context.skip(reason);
    return;
  }
  try {
    // The two files of an empty store fit, and nothing else.
    const room = 8 * 4096 + LOCK_BYTES;
    writeFileSync(join(folder, "filler"), Buffer.alloc(SMALL_BYTES - room));
    await assert.rejects(
      startGateway(scene, gatewayYaml(1)),
      /ended with 1:[^]*no room on the disk/,
    );
    rmSync(join(folder, "filler"));
    const gateway = await startGateway(scene, gatewayYaml(1));
    gateway.child.kill("SIGTERM");
    assert.equal(await gateway.exited, 0);
  } finally {
    execFileSync("umount", ["--lazy", folder]);
  }
});

async function isFull(adminPort: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/metrics`);
  return /^smsgw_ledger_store_full 1$/m.test(await answer.text());
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!isSo()) {
    assert.ok(performance.now() < deadline, `${what} within ${DEADLINE_MS} ms`);
    await sleep(PAUSE_MS);
  }
}
