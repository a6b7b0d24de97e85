/**
 * CDRs against a real S3 server behind a proxy that fails: each kind of failure by itself, then a
 * gateway under load through two kill -9 and an outage, and the bound on disk.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
} from "@aws-sdk/client-s3";
import { ConditionalWrites, RETRY_MS } from "../../src/sink/conditional-writes.ts";
import { ObjectConflictError } from "../../src/sink/object-store.ts";
import { S3ObjectStore } from "../../src/sink/s3-store.ts";
import { Client } from "../support/client.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";
import { type S3Server, startRadosgw } from "../support/radosgw.ts";
import { S3_FAULTS, type S3Fault, S3FaultProxy } from "../support/s3-fault-proxy.ts";
import { runCdrTrial, s3 } from "./cdr-trial.ts";

const SMSGW = fileURLToPath(new URL("../../src/cli/smsgw.js", import.meta.url));
const MIB = 1024 * 1024;
const TRIES_MAX = 8;
const LOOK_MS = 100;
const WAIT_MS = 60_000;

describe("CDRs and S3", () => {
  const workspace = new Workspace();
  let server: S3Server;
  let proxy: S3FaultProxy;

  before(async () => {
    server = await startRadosgw();
    proxy = new S3FaultProxy(server.port);
    await proxy.listen();
  });
  after(async () => {
    await proxy?.close();
    await server?.dispose();
    await workspace.dispose();
  });

  const log: string[] = [];
  let now = 0;
  let unconditional = 0;

  function storeFor(bucket: string, checksum: "when_supported" | "when_required"): S3ObjectStore {
    const conditions = new ConditionalWrites({
      clock: { wallMs: () => now, monotonicMs: () => now },
      log: { write: (_level, operation) => log.push(operation) },
      onUnconditional: () => {
        unconditional += 1;
      },
    });
    const keys = { accessKey: server.accessKey, secretKey: server.secretKey };
    const files = { accessKeyFile: null, secretKeyFile: null };
    const place = { endpoint: proxy.endpoint, region: "us-east-1", pathStyle: true };
    return new S3ObjectStore({ ...keys, ...files, ...place, checksum }, bucket, "p/", conditions);
  }

  function fileOf(bytes: Buffer): { path: string; sha256: string; rowsSha256: string } {
    const path = join(workspace.folder, "upload");
    writeFileSync(path, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { path, sha256, rowsSha256: sha256 };
  }

  async function content(bucket: string, key: string): Promise<Buffer> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: `p/${key}` });
    const { Body } = await s3(server).send(command);
    return Buffer.from((await Body?.transformToByteArray()) as Uint8Array);
  }

  for (const checksum of ["when_supported", "when_required"] as const) {
    test(`a small and a large file arrive whole through every failure, ${checksum}`, async () => {
      const bucket = `faults-${checksum.replace("_", "-")}`;
      await s3(server).send(new CreateBucketCommand({ Bucket: bucket }));
      const store = storeFor(bucket, checksum);
      for (const size of [100_000, 20 * MIB]) {
        for (const fault of S3_FAULTS) {
          const bytes = randomBytes(size);
          const { path, ...digest } = fileOf(bytes);
          const key = `${fault}-${size}`;
          await putThrough(store, key, path, digest, fault);
          assert.ok((await content(bucket, key)).equals(bytes), key);
        }
      }
      const { Uploads = [] } = await s3(server).send(
        new ListMultipartUploadsCommand({ Bucket: bucket }),
      );
      assert.deepEqual(Uploads, [], "no half upload is left behind");
      store.close();
    });
  }

  /** Puts until it is done; every third request passes, the others fail. */
  async function putThrough(
    store: S3ObjectStore,
    key: string,
    path: string,
    digest: { sha256: string; rowsSha256: string },
    fault: S3Fault,
  ): Promise<void> {
    let turn = 0;
    proxy.faultOf = () => (turn++ % 3 === 2 ? "pass" : fault);
    let failures = 0;
    for (; ; failures++) {
      // A large file is many requests: from the third try on the service is well.
      if (failures === 3) proxy.faultOf = () => "pass";
      try {
        await store.putFile(key, path, digest);
        break;
      } catch (error) {
        if (failures === TRIES_MAX) throw error;
      }
    }
    proxy.faultOf = () => "pass";
  }

  test("what is there already is left alone, and other rows are never replaced", async () => {
    const bucket = "twice";
    await s3(server).send(new CreateBucketCommand({ Bucket: bucket }));
    const store = storeFor(bucket, "when_supported");
    for (const size of [1000, 9 * MIB]) {
      const key = `k${size}`;
      const first = fileOf(randomBytes(size));
      await store.putFile(key, first.path, first);
      await store.putFile(key, first.path, first);
      const packedAnew = { ...fileOf(randomBytes(size)), rowsSha256: first.rowsSha256 };
      await store.putFile(key, packedAnew.path, packedAnew);
      const kept = await content(bucket, key);
      const other = fileOf(randomBytes(size));
      await assert.rejects(store.putFile(key, other.path, other), ObjectConflictError);
      assert.ok((await content(bucket, key)).equals(kept));
    }
    store.close();
  });

  test("a service without conditional writes is noticed, and asked again later", async () => {
    const bucket = "unconditional";
    await s3(server).send(new CreateBucketCommand({ Bucket: bucket }));
    const store = storeFor(bucket, "when_supported");
    const put = async (key: string): Promise<Buffer> => {
      const bytes = randomBytes(1000);
      const { path, ...digest } = fileOf(bytes);
      await store.putFile(key, path, digest);
      return bytes;
    };
    proxy.refusesConditions = true;
    const bytes = await put("a");
    assert.ok((await content(bucket, "a")).equals(bytes));
    await assert.rejects(put("a"), ObjectConflictError);
    assert.ok((await content(bucket, "a")).equals(bytes), "it is not replaced all the same");
    assert.match(log.join(), /^conditional writes are refused[^,]*$/);
    proxy.refusesConditions = false;
    await put("b");
    assert.equal(unconditional, 2, "it is not asked so soon");
    now += RETRY_MS;
    await put("c");
    assert.equal(unconditional, 2);
    assert.equal(log.at(-1), "conditional writes work again");
    store.close();
  });

  test("20,000 messages, two kill -9, an outage: exactly their rows", async (context) => {
    const own = new Workspace();
    try {
      const bucket = "trial";
      const options = { workspace: own, server, bucket, messages: 20_000, connections: 32 };
      const result = await runCdrTrial({ ...options, outageMs: 8000 });
      context.diagnostic(JSON.stringify(result));
      const { lost, doubled, strangers, row_gaps } = result;
      assert.deepEqual({ lost, doubled, strangers, row_gaps }, NOTHING_WRONG);
      assert.ok(result.promised > 10_000);
      assert.ok(result.faults.down + result.faults.slow_down + result.faults.cut > 0);
      // The trial's proxy is gone: the verifier asks the server itself.
      const env = { ...process.env, SMSGW_S3__ENDPOINT: server.endpoint };
      const yaml = join(own.folder, "smsgw.yaml");
      const said = execFileSync(process.execPath, [SMSGW, "cdr", "verify", "-c", yaml, "--json"], {
        env,
        encoding: "utf8",
      });
      const report = JSON.parse(said) as { ok: boolean; records: { message: number } };
      assert.equal(report.ok, true);
      assert.equal(report.records.message, result.message_rows);
    } finally {
      await own.dispose();
    }
  });

  test("files that find no bucket stay within their disk: alarm, 503, and back", async () => {
    const bucket = "bound";
    await s3(server).send(new CreateBucketCommand({ Bucket: bucket }));
    proxy.faultOf = () => "down";
    const smsc = await workspace.run(["smsc", "--port", "0"], (line) => line.includes("listening"));
    workspace.write("secrets/a", server.accessKey);
    workspace.write("secrets/s", server.secretKey);
    const gateway = await startGateway(
      workspace,
      gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)), {
        lines: [
          `s3: { endpoint: "${proxy.endpoint}", path_style: true, ` +
            "access_key_file: ./secrets/a, secret_key_file: ./secrets/s }",
          `cdr: { bucket: ${bucket}, roll_interval_s: 1, disk_bytes_max: 1048576 }`,
        ],
      }),
    );
    const client = new Client(gateway.httpPort);
    // What compresses badly fills the disk with few messages.
    const message = (): object => ({
      to: "998901234567",
      text: "x",
      dlr: "none",
      reference: randomBytes(60).toString("base64"),
    });
    let refused = false;
    for (const end = Date.now() + WAIT_MS; Date.now() < end && !refused; ) {
      const answers = await Promise.all(Array.from({ length: 50 }, () => client.post(message())));
      for (const { status, body } of answers) {
        if (status === 202) continue;
        assert.equal(status, 503);
        assert.match(JSON.stringify(body), /call records wait/);
        refused = true;
      }
    }
    assert.ok(refused, "it fills up");
    assert.ok(gateway.lines.some((line) => line.includes("70 % of their disk")));
    proxy.faultOf = () => "pass";
    let status = 503;
    for (const end = Date.now() + WAIT_MS; Date.now() < end && status !== 202; ) {
      await sleep(LOOK_MS);
      ({ status } = await client.post(message()));
    }
    assert.equal(status, 202);
  });
});

const NOTHING_WRONG = { lost: 0, doubled: 0, strangers: 0, row_gaps: 0 };
