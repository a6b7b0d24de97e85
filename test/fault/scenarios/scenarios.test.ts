/**
 * Every scenario of the simulator against our own gateway, all at once: a link to each, some
 * messages over it, a few seconds of it.
 *
 * What an operator accepted was sent; nothing goes twice without a sign; and check mode finds
 * nothing to say against the gateway.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SCENARIOS } from "../../../src/smsc/scenarios.ts";
import { type RunningSmsc, startSmsc } from "../../../src/smsc/server.ts";
import { testToken } from "../../support/client.ts";
import { startLoad } from "../../support/http-load.ts";
import { startGateway, Workspace } from "../../support/processes.ts";
import { acceptedByDestination } from "../../support/witnesses.ts";

const MESSAGES = 150;
const SECONDS = 20;
/** How much longer a busy machine may take. */
const REST_MS_MAX = 120_000;
const LOOK_MS = 500;
const SEED = 1;
const workspace = new Workspace();
after(() => workspace.dispose());

/** Scenarios in which some messages may take longer than the test does. */
const SLOW = new Set(["bind-errors", "slow-binds", "lost-answers", "late-answers", "half-open"]);

interface Operator {
  readonly name: string;
  readonly prefix: string;
  readonly log: string;
  readonly smsc: RunningSmsc;
}

async function startOperators(): Promise<Operator[]> {
  const operators: Operator[] = [];
  for (const [index, [name, { options }]] of Object.entries(SCENARIOS).entries()) {
    const log = join(workspace.folder, `${name}.ndjson`);
    const smsc = await startSmsc({ port: 0, seed: SEED, logFile: log, ...options });
    operators.push({ name, prefix: `9989${String(index).padStart(2, "0")}`, log, smsc });
  }
  return operators;
}

/**
 * Below the 100 of the scenario: the operator counts a submit when it reads it, so that its own
 * delays on a busy machine make one second's segments look like more.
 */
const STRICT_RATE_TPS = 80;

function yamlOf(operators: readonly Operator[]): string {
  return [
    "node: { name: gw-test, data_dir: ./data }",
    "http: { port: 0 }",
    "admin: { port: 0 }",
    "auth: { jwt: { secret_file: ./secrets/jwt } }",
    "apps:",
    "  - { id: 1, name: test, rate_tps: null, burst: 1000, scopes: [send] }",
    "links:",
    ...operators.map(
      ({ name, smsc }, i) =>
        `  - { id: ${100 + i}, host: 127.0.0.1, port: ${smsc.port}, system_id: gateway, ` +
        `sessions: 2, window_max: ${name === "strict-rate" ? 5 : 50}, ` +
        `rate_tps: ${name === "strict-rate" ? STRICT_RATE_TPS : 200}, ` +
        "enquire_link_interval_ms: 1000 }",
    ),
    "routes:",
    ...operators.map(({ prefix }, i) => `  - { prefix: "${prefix}", to: ${100 + i} }`),
    "",
  ].join("\n");
}

test("every scenario: messages get through, and check mode has no complaint", async (context) => {
  const operators = await startOperators();
  // Else a failure would leave them listening.
  context.after(() => Promise.all(operators.map(({ smsc }) => smsc.close())));
  const gateway = await startGateway(workspace, yamlOf(operators));
  const messages = operators.flatMap(({ prefix }) =>
    Array.from({ length: MESSAGES }, (_, i) => ({
      to: prefix + String(i).padStart(6, "0"),
      from: "TEST",
      text: i % 3 === 0 ? "long ".repeat(50) : "short",
    })),
  );
  let refused = 0;
  const load = startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections: 8,
    next: () => messages.shift() ?? null,
    onAnswer: (_message, status) => {
      if (status !== 202) refused++;
    },
  });
  await load.done;
  assert.equal(refused, 0);
  await sleep(SECONDS * 1000);
  const isWhole = ({ name, log }: Operator): boolean =>
    SLOW.has(name) || acceptedByDestination(log).size === MESSAGES;
  for (let waited = 0; waited < REST_MS_MAX && !operators.every(isWhole); waited += LOOK_MS) {
    await sleep(LOOK_MS);
  }
  gateway.child.kill("SIGTERM");
  await gateway.exited;
  for (const { name, log, smsc } of operators) {
    const { findings, submits, accepted, binds } = await smsc.close();
    const reached = acceptedByDestination(log).size;
    context.diagnostic(
      `${name}: ${reached} of ${MESSAGES} messages, ${submits} submits, ${accepted} accepted, ` +
        `${binds} binds, ${findings.map(({ error, count }) => `${count} ${error}`).join(", ")}`,
    );
    assert.deepEqual(
      findings.filter(({ error }) => !isExcused(name, error)),
      [],
      name,
    );
    assert.ok(submits > 0, `${name}: something was sent`);
    if (!SLOW.has(name)) assert.equal(reached, MESSAGES, name);
  }
});

/**
 * What an operator that cuts connections or takes a message without an answer brings upon itself:
 * the part is sent again, or the rest of its message is not.
 */
const CONSEQUENCES: ReadonlySet<string> = new Set(["duplicate_part", "incomplete_message"]);

/** A drain that meets a bind under way, where sessions come back late, closes it as it is. */
function isExcused(name: string, error: string): boolean {
  return CONSEQUENCES.has(error) || (SLOW.has(name) && error === "missing_unbind");
}
