/**
 * `smsgw demo`: gateway and simulated operator on loopback, everything embedded, nothing to
 * configure.
 *
 * Prints a token and a ready curl line, sends one message and shows its way to `delivered`, then
 * stays up. Its data lives in a temporary folder that goes when it ends.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseConfig } from "../config/parse.ts";
import { EXIT_CODES } from "../errors.ts";
import { startGateway } from "../main.ts";
import { startSmscThread } from "../workers/smsc-host.ts";
import { StopSignals } from "../workers/stop-signals.ts";
import type { CliIo } from "./output.ts";
import { signToken } from "./token.ts";

export const usage = `Usage: smsgw demo [options]

Runs a gateway and a simulated operator on loopback, follows one message to delivered, stays up.

Options:
  --port N        HTTP port (8080; another free one if it is taken and not asked for)
  --once          end after the message is delivered
`;

const TOKEN_TTL_S = 86_400;
const FOLLOW_INTERVAL_MS = 100;
const FOLLOW_DEADLINE_MS = 30_000;

interface MessageView {
  readonly status: string;
  readonly parts: readonly { readonly link: number | null; readonly smsc_id: string | null }[];
}

export async function run(args: string[], io: CliIo): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { port: { type: "string" }, once: { type: "boolean", default: false } },
  });
  const signals = new StopSignals();
  const folder = mkdtempSync(join(tmpdir(), "smsgw-demo-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const secret = randomBytes(32).toString("base64url");
  const smsc = await startSmscThread({ port: 0, receiptDelayMs: [1500, 2500] });
  const yaml = demoYaml(smsc.port, values.port ?? "8080");
  const env = { SMSGW_AUTH__JWT__SECRET: secret };
  const gateway = await startGateway(
    parseConfig(yaml, folder, env, io.readFile),
    { logLevel: "warn", anyPortIfTaken: values.port === undefined },
    signals,
  );
  const token = signToken(
    {
      appId: 1,
      audience: "smsgw",
      issuer: null,
      scopes: ["send"],
      issuedAtS: Math.floor(io.wallMs() / 1000),
      ttlS: TOKEN_TTL_S,
    },
    secret,
  );
  const base = `http://127.0.0.1:${gateway.httpPort}`;
  io.stdout(greeting(base, gateway.adminPort, smsc.port, token));
  const isDelivered = await follow(base, token, io).catch((error: unknown) => {
    // A gateway that was told to stop takes no more calls.
    if (!signals.isAsked) io.stderr(`the message cannot be followed: ${String(error)}\n`);
    return false;
  });
  if (values.once || !isDelivered) await gateway.drain();
  else if (!signals.isAsked) io.stdout("\nThe demo stays up; Ctrl-C ends it.\n");
  const code = await gateway.ended;
  // Threads and kept-alive connections would hold the event loop open.
  process.exit(isDelivered || signals.isAsked ? code : EXIT_CODES.failure.code);
}

function demoYaml(smscPort: number, httpPort: string): string {
  return `
node: { name: demo, data_dir: ./data }
http: { port: ${httpPort} }
admin: { port: 0 }
apps: [{ id: 1, name: demo, rate_tps: 1000, burst: 2000, scopes: [send] }]
links:
  - { id: 100, host: 127.0.0.1, port: ${smscPort}, system_id: demo-a, sessions: 2, rate_tps: 500 }
  - { id: 101, host: 127.0.0.1, port: ${smscPort}, system_id: demo-b, sessions: 1, rate_tps: 100 }
pools: [{ id: 1000, name: main, members: [{ link: 100, weight: 5 }, { link: 101, weight: 1 }] }]
routes: [{ prefix: "", to: 1000 }]
`;
}

function greeting(base: string, adminPort: number, smscPort: number, token: string): string {
  return `
sms-gateway-proxy demo
  HTTP      ${base}
  admin     http://127.0.0.1:${adminPort}  (/metrics, /status)
  operator  simulated, SMPP on 127.0.0.1:${smscPort}

Send a message yourself:

  curl -i ${base}/v1/messages \\
    -H 'Authorization: Bearer ${token}' \\
    -H 'X-App-ID: 1' -H 'Content-Type: application/json' \\
    -d '{"to": "+998901234567", "from": "MYBRAND", "text": "Hello"}'

One message on its way:

`;
}

/** Sends one message and prints each change of its status; true when it is delivered. */
async function follow(base: string, token: string, io: CliIo): Promise<boolean> {
  const headers = {
    Authorization: `Bearer ${token}`,
    "X-App-ID": "1",
    "Content-Type": "application/json",
  };
  const text = "Hello from the demo: this message is on disk before you read its id.";
  const startedAt = performance.now();
  const say = (line: string): void =>
    io.stdout(`  ${(performance.now() - startedAt).toFixed(0).padStart(6)} ms  ${line}\n`);
  const posted = await fetch(`${base}/v1/messages`, {
    method: "POST",
    headers,
    body: JSON.stringify({ to: "+998901234567", from: "MYBRAND", text, dlr: "all" }),
  });
  const answer = (await posted.json()) as { id: string; segments: number };
  if (posted.status !== 202) {
    io.stderr(`POST /v1/messages answered ${posted.status}: ${JSON.stringify(answer)}\n`);
    return false;
  }
  say(`202 ${answer.id} (${answer.segments} segment)`);
  let status = "";
  while (performance.now() - startedAt < FOLLOW_DEADLINE_MS) {
    const got = await fetch(`${base}/v1/messages/${answer.id}`, { headers });
    const message = (await got.json()) as MessageView;
    if (got.status === 200 && message.status !== status) {
      status = message.status;
      const part = message.parts[0];
      const smscId = part?.smsc_id ?? null;
      say(smscId === null ? status : `${status}  link ${part?.link}, SMSC id ${smscId}`);
      if (status === "delivered") return true;
    }
    await new Promise((done) => setTimeout(done, FOLLOW_INTERVAL_MS));
  }
  io.stderr(`the message is still ${status} after ${FOLLOW_DEADLINE_MS / 1000} s\n`);
  return false;
}
