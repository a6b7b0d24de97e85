/**
 * A real S3 server for tests: Debian's radosgw on one monitor and one in-memory object store, on
 * ephemeral loopback ports, in a folder of its own.
 *
 *   ceph-mon ◄─ ceph-osd (memstore) ◄─ radosgw ◄─ S3
 *
 * Nothing of it survives `dispose`. All daemons run in the foreground as children and are ended by
 * pid.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);
const PROGRAMS = ["ceph-mon", "ceph-osd", "radosgw", "ceph", "ceph-authtool", "monmaptool"];
const FSID = "6f1d3b52-5f0a-4c1e-9a55-0d1c4ddc3a10";
const OSD_UUID = "8a3f5c0e-0d40-4f4e-8f3f-6f5b1f4f0b11";
const STORE_BYTES = 4 * 1024 ** 3;
const START_DEADLINE_MS = 90_000;
const LOOK_MS = 100;

export interface S3Server {
  readonly endpoint: string;
  readonly port: number;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Ends radosgw alone, at once: the store goes on. */
  stop(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** Ends everything and removes its files. */
  dispose(): Promise<void>;
}

/** Starts the server; throws, naming the packages, where it is not installed. */
export async function startRadosgw(): Promise<S3Server> {
  requirePrograms();
  const folder = mkdtempSync(join(tmpdir(), "smsgw-s3-"));
  const cluster = new Cluster(folder);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
}

function requirePrograms(): void {
  const folders = (process.env["PATH"] ?? "").split(":");
  const missing = PROGRAMS.filter((name) => !folders.some((one) => existsSync(join(one, name))));
  if (missing.length === 0) return;
  throw new Error(
    `${missing.join(", ")} not found: apt-get install --no-install-recommends ` +
      "radosgw ceph-mon ceph-osd ceph-common",
  );
}

class Cluster implements S3Server {
  accessKey = "";
  secretKey = "";
  port = 0;
  readonly #folder: string;
  readonly #children = new Map<string, ChildProcess>();

  readonly #endNow = (): void => {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    process.exit(1);
  };

  constructor(folder: string) {
    this.#folder = folder;
    // A test that runs out of time is ended from outside: the daemons must not outlive it.
    process.once("SIGTERM", this.#endNow).once("SIGINT", this.#endNow);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    if (this.port === 0) await this.#makeCluster();
    this.#spawn("radosgw", ["-n", "client.rgw.a"]);
    await this.#untilListening(this.port);
    if (this.accessKey === "") await this.#makeUser();
  }

  async stop(): Promise<void> {
    await this.#end("radosgw");
  }

  async dispose(): Promise<void> {
    for (const name of ["radosgw", "ceph-osd", "ceph-mon"]) await this.#end(name);
    process.off("SIGTERM", this.#endNow).off("SIGINT", this.#endNow);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #makeCluster(): Promise<void> {
    const monPort = await freePort();
    this.port = await freePort();
    const at = (name: string): string => join(this.#folder, name);
    for (const name of ["mon", "osd", "rgw"]) mkdirSync(at(name));
    writeFileSync(at("ceph.conf"), configuration(this.#folder, monPort, this.port));
    const keyring = at("keyring");
    const key = (name: string, ...caps: string[]): Promise<unknown> =>
      run("ceph-authtool", [keyring, "--gen-key", "-n", name, ...caps]);
    await run("ceph-authtool", ["--create-keyring", keyring]);
    await key("mon.", "--cap", "mon", "allow *");
    const all = ["mon", "osd", "mgr"].flatMap((kind) => ["--cap", kind, "allow *"]);
    await key("client.admin", ...all);
    await key("osd.0", "--cap", "mon", "allow profile osd", "--cap", "osd", "allow *");
    await key("client.rgw.a", "--cap", "mon", "allow rwx", "--cap", "osd", "allow rwx");
    const address = `[v2:127.0.0.1:${monPort}]`;
    const map = at("monmap");
    await run("monmaptool", ["--create", "--addv", "a", address, "--fsid", FSID, map]);
    const mkfs = ["-i", "a", "--mkfs", "--monmap", map, "--keyring", keyring];
    await run("ceph-mon", [...this.#conf, ...mkfs]);
    this.#spawn("ceph-mon", ["-i", "a"]);
    await this.#untilListening(monPort);
    await run("ceph", [...this.#conf, "--connect-timeout", "20", "osd", "new", OSD_UUID]);
    await run("ceph-osd", [...this.#conf, "-i", "0", "--mkfs", "--osd-uuid", OSD_UUID]);
    this.#spawn("ceph-osd", ["-i", "0"]);
  }

  async #makeUser(): Promise<void> {
    const args = ["-n", "client.rgw.a", "user", "create", "--uid", "cdr", "--display-name", "CDR"];
    const { stdout } = await run("radosgw-admin", [...this.#conf, ...args]);
    const user = JSON.parse(stdout) as { keys: { access_key: string; secret_key: string }[] };
    this.accessKey = user.keys[0]?.access_key ?? "";
    this.secretKey = user.keys[0]?.secret_key ?? "";
  }

  get #conf(): string[] {
    return ["-c", join(this.#folder, "ceph.conf")];
  }

  #spawn(name: string, args: readonly string[]): void {
    const child = spawn(name, [...this.#conf, "-f", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = createWriteStream(join(this.#folder, `${name}.out`), { flags: "a" });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    this.#children.set(name, child);
  }

  async #end(name: string): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.on("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  /** Waits until a port answers; a daemon that ends before is an error with its last words. */
  async #untilListening(port: number): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    while (Date.now() < deadline) {
      for (const [name, child] of this.#children) {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${this.#lastWords(name)}`);
      }
      if (await answers(port)) return;
      await sleep(LOOK_MS);
    }
    const names = [...this.#children.keys()];
    const words = names.map((name) => `${name}: ${this.#lastWords(name)}`);
    throw new Error(`port ${port} does not answer; ${words.join("; ")}`);
  }

  #lastWords(name: string): string {
    return readFileSync(join(this.#folder, `${name}.out`), "utf8").slice(-2000);
  }
}

function configuration(folder: string, monPort: number, rgwPort: number): string {
  return [
    "[global]",
    `fsid = ${FSID}`,
    `mon host = v2:127.0.0.1:${monPort}`,
    "public addr = 127.0.0.1",
    "cluster addr = 127.0.0.1",
    // With `none` radosgw waits five minutes at start.
    ...["cluster", "service", "client"].map((who) => `auth ${who} required = cephx`),
    "osd pool default size = 1",
    "osd pool default min size = 1",
    "osd pool default pg num = 1",
    "osd pool default pgp num = 1",
    "osd pool default pg autoscale mode = off",
    "osd crush chooseleaf type = 0",
    "mon allow pool size one = true",
    `keyring = ${folder}/keyring`,
    `run dir = ${folder}`,
    `admin socket = ${folder}/$name.asok`,
    `log file = ${folder}/$name.log`,
    `mon cluster log file = ${folder}/cluster.log`,
    `pid file = ${folder}/$name.pid`,
    `crash dir = ${folder}`,
    "setuser match path =",
    "[mon.a]",
    `mon data = ${folder}/mon`,
    // The folder's file system is the machine's: how full it is says nothing about this store.
    "mon data avail crit = 0",
    "mon data avail warn = 0",
    "[osd.0]",
    `osd data = ${folder}/osd`,
    "osd objectstore = memstore",
    `memstore device bytes = ${STORE_BYTES}`,
    "osd class dir = /usr/lib/x86_64-linux-gnu/rados-classes",
    "[client.rgw.a]",
    `rgw data = ${folder}/rgw`,
    `rgw frontends = beast endpoint=127.0.0.1:${rgwPort}`,
    "rgw thread pool size = 32",
    "",
  ].join("\n");
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
