/**
 * One trial of CDRs: messages under load, two kill -9 and an outage of the bucket on the way, then
 * a count of what is in the bucket.
 *
 *   client (numbers its messages, keeps every 202) ─► gateway ─► operator
 *                                                        └─► fault proxy ─► radosgw
 *
 * The judge reads the bucket by itself: list, get, gunzip, count by the client's own numbers.
 */
import { gunzipSync } from "node:zlib";
import { setTimeout as sleep } from "node:timers/promises";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import { testToken, untilAllFinal } from "../support/client.ts";
import { startLoad } from "../support/http-load.ts";
import {
  type GatewayProcess,
  gatewayYaml,
  startGateway,
  type Workspace,
} from "../support/processes.ts";
import type { S3Server } from "../support/radosgw.ts";
import { S3_FAULTS, type S3Fault, S3FaultProxy } from "../support/s3-fault-proxy.ts";

const LOOK_MS = 25;
const FIRST_FILE_MS_MAX = 60_000;

export interface CdrTrialOptions {
  readonly workspace: Workspace;
  readonly server: S3Server;
  readonly bucket: string;
  readonly messages: number;
  readonly connections: number;
  /** How long the bucket fails: for half of it it is down, then it fails in all four ways. */
  readonly outageMs: number;
  readonly say?: (line: string) => void;
}

export interface CdrTrialResult {
  readonly promised: number;
  /** Messages whose answer a kill took: they may be there or not. */
  readonly unknown: number;
  readonly refused: number;
  readonly message_rows: number;
  readonly part_rows: number;
  readonly lost: number;
  readonly doubled: number;
  /** Rows of messages that were neither promised nor unknown. */
  readonly strangers: number;
  readonly row_gaps: number;
  readonly objects: number;
  readonly kills: number;
  readonly outage_s: number;
  readonly files_waiting_max: number;
  readonly faults: Readonly<Record<S3Fault, number>>;
  readonly seconds: number;
}

const State = { UNSENT: 0, UNKNOWN: 1, PROMISED: 2, REFUSED: 3 } as const;

/** Runs the trial; the bucket is made by it. */
export async function runCdrTrial(options: CdrTrialOptions): Promise<CdrTrialResult> {
  const { server, bucket } = options;
  await s3(server).send(new CreateBucketCommand({ Bucket: bucket }));
  const proxy = new S3FaultProxy(server.port);
  await proxy.listen();
  try {
    return await new Trial(options, proxy).run();
  } finally {
    await proxy.close();
  }
}

class Trial {
  readonly #options: CdrTrialOptions;
  readonly #proxy: S3FaultProxy;
  readonly #states: Uint8Array;
  readonly #startedAt = Date.now();
  #sent = 0;
  #answered = 0;
  #kills = 0;
  #filesWaitingMax = 0;
  #load: ReturnType<typeof startLoad> | null = null;

  constructor(options: CdrTrialOptions, proxy: S3FaultProxy) {
    this.#options = options;
    this.#proxy = proxy;
    this.#states = new Uint8Array(options.messages);
  }

  async run(): Promise<CdrTrialResult> {
    const { workspace, messages, outageMs } = this.#options;
    const smsc = await workspace.run(
      ["smsc", "--port", "0", "--receipt-delay-ms", "20:100"],
      (line) => line.includes("listening on"),
    );
    const yaml = this.#yaml(Number(smsc.lines[0]?.split(":").at(-1)));
    let gateway = await startGateway(workspace, yaml);
    await this.#loadUntil(gateway, 0.3 * messages);
    gateway = await this.#killAndStart(gateway, yaml);
    await this.#loadUntil(gateway, 0.5 * messages);
    const outage = this.#failFor(outageMs);
    await this.#loadUntil(gateway, 0.6 * messages);
    gateway = await this.#killAndStart(gateway, yaml);
    await this.#loadUntil(gateway, messages, outage);
    await outage;
    this.#say("the bucket works again");
    await untilAllFinal(gateway.adminPort, 600_000);
    await this.#untilUploaded(gateway);
    gateway.child.kill("SIGTERM");
    const code = await gateway.exited;
    if (code !== 0) throw new Error(`the gateway ended with ${code}`);
    smsc.child.kill("SIGTERM");
    return await this.#judge();
  }

  #yaml(smscPort: number): string {
    const { server, workspace, bucket } = this.#options;
    workspace.write("secrets/s3-access", server.accessKey);
    workspace.write("secrets/s3-secret", server.secretKey);
    return gatewayYaml(smscPort, {
      lines: [
        `s3: { endpoint: "${this.#proxy.endpoint}", path_style: true, ` +
          "access_key_file: ./secrets/s3-access, secret_key_file: ./secrets/s3-secret }",
        `cdr: { bucket: ${bucket}, roll_interval_s: 1 }`,
      ],
    });
  }

  /** Posts until so many were sent, or longer while `during` is not over and messages are left. */
  async #loadUntil(
    gateway: GatewayProcess,
    until: number,
    during: Promise<void> | null = null,
  ): Promise<void> {
    const phase = { isOver: during === null, isGone: false };
    void during?.then(() => {
      phase.isOver = true;
    });
    const load = startLoad({
      host: "127.0.0.1",
      port: gateway.httpPort,
      token: testToken(),
      appId: 1,
      connections: this.#options.connections,
      next: () => {
        if (this.#sent >= this.#options.messages) return null;
        const number = this.#sent++;
        this.#states[number] = State.UNKNOWN;
        const to = `99890${String(number).padStart(7, "0")}`;
        // What is in doubt after a kill fails at once, so that everything ends.
        return { to, from: "TEST", text: "one", reference: `${number}`, class: "promotional" };
      },
      onAnswer: (message, status) => {
        this.#states[Number(message["reference"])] =
          status === 202 ? State.PROMISED : State.REFUSED;
        this.#answered += 1;
      },
    });
    void load.done.then(() => {
      phase.isOver = true;
      phase.isGone = this.#sent < this.#options.messages;
    });
    while (this.#sent < until || !phase.isOver) {
      if (phase.isGone) throw new Error(`the gateway is gone: ${gateway.lines.at(-1)}`);
      await this.#look(gateway);
      await sleep(LOOK_MS);
    }
    this.#load = load;
    if (this.#sent >= this.#options.messages) await load.done;
  }

  async #killAndStart(gateway: GatewayProcess, yaml: string): Promise<GatewayProcess> {
    gateway.child.kill("SIGKILL");
    await gateway.exited;
    await this.#load?.done;
    this.#kills += 1;
    this.#say(`kill -9 after ${this.#answered} answers`);
    return await startGateway(this.#options.workspace, yaml);
  }

  async #failFor(ms: number): Promise<void> {
    const { counts } = this.#proxy;
    this.#say("the bucket is down");
    this.#proxy.faultOf = () => "down";
    await sleep(ms / 2);
    // Files are made when the CPU is free: on a busy machine the first one may come late.
    for (const end = Date.now() + FIRST_FILE_MS_MAX; counts.down === 0 && Date.now() < end; ) {
      await sleep(LOOK_MS);
    }
    this.#say("the bucket throttles, breaks off and loses replies");
    let turn = 0;
    this.#proxy.faultOf = () => S3_FAULTS[turn++ % S3_FAULTS.length] as S3Fault;
    await sleep(ms / 2);
    this.#proxy.faultOf = () => "pass";
  }

  async #look(gateway: GatewayProcess): Promise<{ files: number; store_bytes: number } | null> {
    try {
      const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/status`);
      const { cdr } = (await response.json()) as { cdr: { files: number; store_bytes: number } };
      this.#filesWaitingMax = Math.max(this.#filesWaitingMax, cdr.files);
      return cdr;
    } catch {
      // It may be the moment of a kill.
      return null;
    }
  }

  async #untilUploaded(gateway: GatewayProcess): Promise<void> {
    for (;;) {
      const cdr = await this.#look(gateway);
      if (cdr !== null && cdr.files === 0 && cdr.store_bytes === 0) return;
      await sleep(LOOK_MS);
    }
  }

  /** Counts what is in the bucket, from the bucket alone. */
  async #judge(): Promise<CdrTrialResult> {
    const states = this.#states;
    const rows = new Uint8Array(states.length);
    const seen = { message: 0, part: 0, objects: 0 };
    const numbers: [number, number][] = [];
    for await (const text of objects(this.#options)) {
      seen.objects += 1;
      const lines = text.split("\n").slice(0, -1);
      for (const line of lines) {
        const row = JSON.parse(line) as { record: "message" | "part"; reference: string };
        seen[row.record] += 1;
        if (row.record === "message") (rows[Number(row.reference)] as number)++;
      }
      numbers.push([rowNumber(lines[0]), rowNumber(lines.at(-1))]);
    }
    numbers.sort(([a], [b]) => a - b);
    const gaps = numbers.filter(([first], i) => first !== (numbers[i - 1]?.[1] ?? -1) + 1).length;
    const count = (is: (state: number, rows: number) => boolean): number =>
      states.reduce((sum, state, i) => sum + (is(state, rows[i] as number) ? 1 : 0), 0);
    return {
      promised: count((state) => state === State.PROMISED),
      unknown: count((state) => state === State.UNKNOWN),
      refused: count((state) => state === State.REFUSED),
      message_rows: seen.message,
      part_rows: seen.part,
      lost: count((state, n) => state === State.PROMISED && n === 0),
      doubled: count((_state, n) => n > 1),
      strangers: count((state, n) => n > 0 && (state === State.UNSENT || state === State.REFUSED)),
      row_gaps: gaps,
      objects: seen.objects,
      kills: this.#kills,
      outage_s: this.#options.outageMs / 1000,
      files_waiting_max: this.#filesWaitingMax,
      faults: this.#proxy.counts,
      seconds: Math.round((Date.now() - this.#startedAt) / 1000),
    };
  }

  #say(line: string): void {
    this.#options.say?.(`${((Date.now() - this.#startedAt) / 1000).toFixed(1)} s: ${line}`);
  }
}

function rowNumber(line: string | undefined): number {
  return (JSON.parse(line ?? "{}") as { row: number }).row;
}

export function s3(server: S3Server): S3Client {
  return new S3Client({
    endpoint: server.endpoint,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKey, secretAccessKey: server.secretKey },
  });
}

/** The text of every data object of the bucket. */
async function* objects({ server, bucket }: CdrTrialOptions): AsyncGenerator<string> {
  const client = s3(server);
  let token: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: "cdr/data/", ContinuationToken: token }),
    );
    for (const { Key } of page.Contents ?? []) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key }));
      yield gunzipSync((await Body?.transformToByteArray()) as Uint8Array).toString();
    }
    token = page.NextContinuationToken;
  } while (token !== undefined);
}
