/**
 * Idempotency keys in the real program, on two ingress threads: one message per key, whatever comes
 * at the same time and whatever dies.
 *
 * Judged from what the clients were told and from the operator's log. The messages are promotional:
 * those are never sent again after a crash, so the operator may have each at most once.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { booksOf, Client, testToken } from "../support/client.ts";
import { gatewayYaml, type GatewayProcess, startGateway, Workspace } from "../support/processes.ts";
import type { Running } from "../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const KILLS = Number(process.env.E2E_KEY_KILLS ?? "2");
const CLIENTS = 16;
/** Keys that are new in each life of the gateway before it is killed, at least. */
const KEYS_A_LIFE = 150;
const SAME_TIME = 50;
const RETRY_MS = 20;
/** Two minutes: a start on a busy machine takes its time. */
const TRIES_MAX = 6000;
const REST_LOOKS_MAX = 240;
const workspace = new Workspace();
after(() => workspace.dispose());

interface Answer {
  readonly status: number;
  readonly id: string;
  readonly isReplay: boolean;
  readonly retryAfter: string | null;
}

async function post(port: number, to: string, key: string, text = "once"): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/messages`, {
    method: "POST",
    headers: {
      Authorization: `Bearer ${testToken()}`,
      "X-App-ID": "1",
      "Content-Type": "application/json",
      "Idempotency-Key": key,
    },
    body: JSON.stringify({ to, from: "TEST", text, class: "promotional" }),
  });
  const body = (await response.json()) as { id?: string };
  return {
    status: response.status,
    id: body.id ?? "",
    isReplay: response.headers.get("idempotency-replayed") === "true",
    retryAfter: response.headers.get("retry-after"),
  };
}

async function startOperator(log: string): Promise<{ smsc: Running; port: number }> {
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", "1:10", "--receipt-delay-ms", "5:20", "--log", log],
    (line) => line.includes("listening on"),
  );
  return { smsc, port: Number(smsc.lines[0]?.split(":").at(-1)) };
}

function yamlOf(smscPort: number, folder: string): string {
  return gatewayYaml(smscPort)
    .replace("http: { port: 0 }", "http: { port: 0, threads: 2 }")
    .replace("./data", `./${folder}`);
}

async function untilAtRest(adminPort: number): Promise<number> {
  for (let looks = 0; looks < REST_LOOKS_MAX; looks++) {
    const { open, accepted } = await booksOf(adminPort);
    if (open === 0) return accepted;
    await sleep(250);
  }
  throw new Error("messages are still open");
}

async function end(running: Running): Promise<void> {
  running.child.kill("SIGTERM");
  await running.exited;
}

test(`${SAME_TIME} calls at the same time with one key send one message`, async () => {
  const log = join(workspace.folder, "same-time.ndjson");
  const { smsc, port } = await startOperator(log);
  const gateway = await startGateway(workspace, yamlOf(port, "same-time"));
  const keys = 4;
  for (let key = 0; key < keys; key++) {
    const calls = Array.from({ length: SAME_TIME }, () =>
      post(gateway.httpPort, destinationOf(key), `key-${key}`),
    );
    const answers = await Promise.all(calls);
    const accepted = answers.filter(({ status }) => status === 202);
    const running = answers.filter(({ status }) => status === 409);
    assert.equal(accepted.length + running.length, SAME_TIME);
    assert.equal(accepted.filter(({ isReplay }) => !isReplay).length, 1, "one was the first");
    assert.equal(new Set(accepted.map(({ id }) => id)).size, 1);
    assert.ok(running.every(({ retryAfter }) => retryAfter === "1"));
    const { id } = accepted[0] as Answer;
    for (let i = 0; i < 5; i++) {
      const again = await post(gateway.httpPort, destinationOf(key), `key-${key}`);
      assert.deepEqual([again.status, again.id, again.isReplay], [202, id, true]);
    }
    const other = await post(gateway.httpPort, destinationOf(key), `key-${key}`, "other");
    assert.equal(other.status, 422);
  }
  assert.equal(await untilAtRest(gateway.adminPort), keys);
  await end(gateway);
  await end(smsc);
  const received = acceptedByDestination(log);
  assert.deepEqual([...received.values()], [1, 1, 1, 1]);
});

/** Clients that call with a new key each, again and again until it is answered with 202. */
class Callers {
  /** Ids by key number. */
  readonly ids = new Map<number, string>();
  readonly faults: string[] = [];
  /** Calls without an answer, and 202s that were those of an earlier call. */
  unanswered = 0;
  replays = 0;
  gateway: GatewayProcess | null = null;
  isEnding = false;
  #next = 0;

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CLIENTS }, () => this.#call()));
  }

  async #call(): Promise<void> {
    while (!this.isEnding) await this.#untilAnswered(this.#next++);
  }

  async #untilAnswered(number: number): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { gateway } = this;
      const answer =
        gateway === null
          ? null
          : await post(gateway.httpPort, destinationOf(number), `key-${number}`).catch(() => null);
      if (answer === null) {
        if (gateway !== null) this.unanswered++;
        await sleep(RETRY_MS);
      } else if (answer.status === 202) {
        if (answer.isReplay) this.replays++;
        this.ids.set(number, answer.id);
        return;
      } else if (answer.status === 409 || answer.status === 503) await sleep(RETRY_MS);
      else {
        this.faults.push(`key ${number}: ${answer.status}`);
        return;
      }
    }
    this.faults.push(`key ${number}: no answer`);
  }
}

test(`calls repeated by key over ${KILLS} kills send every message once`, async (context) => {
  const log = join(workspace.folder, "kills.ndjson");
  const { smsc, port } = await startOperator(log);
  const yaml = yamlOf(port, "kills");
  const callers = new Callers();
  const done = callers.run();
  // Else a failure would leave them calling.
  context.after(() => {
    callers.isEnding = true;
  });
  for (let kill = 0; kill < KILLS; kill++) {
    const gateway = await startGateway(workspace, yaml);
    const wanted = callers.ids.size + KEYS_A_LIFE;
    callers.gateway = gateway;
    while (callers.ids.size < wanted) await sleep(5);
    gateway.child.kill("SIGKILL");
    await gateway.exited;
    callers.gateway = null;
  }
  const gateway = await startGateway(workspace, yaml);
  callers.gateway = gateway;
  callers.isEnding = true;
  await done;
  assert.deepEqual(callers.faults, []);
  for (const [number, id] of callers.ids) {
    const again = await post(gateway.httpPort, destinationOf(number), `key-${number}`);
    assert.deepEqual([again.status, again.id, again.isReplay], [202, id, true], `key ${number}`);
  }
  assert.equal(await untilAtRest(gateway.adminPort), callers.ids.size, "one message per key");
  const received = acceptedByDestination(log);
  const twice = [...received.values()].filter((times) => times > 1).length;
  const client = new Client(gateway.httpPort);
  let inDoubt = 0;
  for (const [number, id] of callers.ids) {
    if (received.has(destinationOf(number))) continue;
    // Written when the process died, and not sent again: the ledger says so.
    assert.equal((await client.get(id)).body.status, "failed", `${id} is lost`);
    inDoubt++;
  }
  await end(gateway);
  await end(smsc);
  context.diagnostic(
    `${callers.ids.size} keys over ${KILLS} kills, ${callers.unanswered} calls unanswered, ` +
      `${callers.replays} answered again; ${twice} sent twice, ${inDoubt} in doubt, none lost`,
  );
  assert.equal(twice, 0);
});
