import assert from "node:assert/strict";
import { SessionNotes } from "../../../src/tables/session-notes.ts";
import { test } from "node:test";
import { AdminServer } from "../../../src/admin/server.ts";
import type { AdminSources, LedgerStatusAnswer } from "../../../src/admin/sources.ts";
import { loadUws } from "../../../src/ingress/http/uws.ts";
import { MetricBlock } from "../../../src/metrics/block.ts";
import { LinkWord, rowWord, SessionState, SessionWord } from "../../../src/tables/link-table.ts";
import { LogWord } from "../../../src/tables/log-table.ts";
import { IngressRig } from "../ingress/rig.ts";

const TOKEN = "an admin token of the tests";

interface Set {
  readonly rig: IngressRig;
  readonly base: string;
  readonly missing: string[];
  ledger: LedgerStatusAnswer;
  readonly close: () => void;
}

function setUp(token: string | null = null): Set {
  const rig = new IngressRig();
  const { memory } = rig;
  const missing: string[] = [];
  const set = { ledger: { books: { accepted: 5, open: 2 }, applied: 40 } as LedgerStatusAnswer };
  const sources: AdminSources = {
    reload: () => ({ generation: 1, last: null }),
    config: { ...rig.config, admin: { ...rig.config.admin, token } },
    plan: rig.plan,
    pools: rig.pools,
    sessions: [
      { sessionIndex: 0, linkIndex: 0, ordinal: 0, worker: 0 },
      { sessionIndex: 1, linkIndex: 0, ordinal: 1, worker: 1 },
      { sessionIndex: 2, linkIndex: 1, ordinal: 0, worker: 0 },
    ],
    clock: rig.clock,
    blocks: [new MetricBlock(memory.metrics, 0)],
    logTable: rig.logTable,
    idempotency: rig.keys,
    linkWords: new Int32Array(memory.links),
    sessionWords: new Int32Array(memory.sessions),
    sessionNotes: new SessionNotes(new Int32Array(memory.sessions)),
    creditTable: rig.credits,
    queueTable: rig.queues,
    rings: [{ name: "submit-0-0", buffer: memory.submit[0]?.[0] as SharedArrayBuffer }],
    waitingMessages: () => rig.ingress.dispatcher.waitingCount,
    pendingCalls: () => rig.ingress.pendingCount,
    credits: (pool, priority) =>
      rig.ingress.dispatcher.creditsLeft(0, pool, priority) +
      rig.ingress.dispatcher.creditsLeft(1, pool, priority),
    usage: () => ({
      residentBytes: 1,
      heapUsedBytes: 2,
      externalBytes: 3,
      cpuSeconds: 4.5,
      threads: [{ thread: "main", seconds: 2.5 }],
      loops: [{ thread: "main", seconds: 3.5 }],
    }),
    unreadiness: () => missing,
    ledgerStatus: (done) => done(set.ledger),
    recordings: (_link, done) => done([]),
  };
  const server = new AdminServer(loadUws(), sources);
  const port = server.listen();
  return Object.assign(set, {
    rig,
    missing,
    base: `http://127.0.0.1:${port}`,
    close: () => server.close(),
  });
}

test("status tells durability, log, links and books", async () => {
  const set = setUp();
  const { rig } = set;
  const links = new Int32Array(rig.memory.links);
  const sessions = new Int32Array(rig.memory.sessions);
  links[rowWord(0, LinkWord.PACE_MILLI)] = 12_500;
  links[rowWord(0, LinkWord.PREPARED)] = 3;
  sessions[rowWord(0, SessionWord.STATE)] = SessionState.BOUND;
  sessions[rowWord(0, SessionWord.WINDOW_USED)] = 17;
  sessions[rowWord(1, SessionWord.STATE)] = SessionState.BACKOFF;
  sessions[rowWord(0, SessionWord.ACCEPTED)] = 40;
  const notes = new SessionNotes(sessions);
  notes.setBoundSince(0, Date.UTC(2026, 10, 22));
  notes.setError(1, "no answer to the bind", Date.UTC(2026, 10, 22, 0, 0, 1));
  rig.credits.showWaiting(0, 0, 5);
  rig.credits.showQueued(0, 0, 7);
  rig.credits.showQueued(0, rig.credits.poolCount, 4);
  rig.queues.show(0, 0, 3, 5, rig.clock.wallMs() - 61_000);
  rig.grant(0, 0, 9);
  rig.logTable.store(LogWord.COMMITTED, 4096);
  rig.logTable.store(LogWord.OLDEST, 1024);
  const response = await fetch(`${set.base}/status`);
  assert.equal(response.status, 200);
  const status = (await response.json()) as Record<string, unknown>;
  assert.equal(status["durability"], "disk");
  assert.equal(status["ready"], true);
  assert.deepEqual(status["books"], { accepted: 5, open: 2 });
  assert.deepEqual(status["ledger"], { applied: 40 });
  assert.equal((status["log"] as Record<string, unknown>)["on_disk_bytes"], 3072);
  const [first, second] = status["links"] as Record<string, unknown>[];
  assert.equal(first?.["id"], 100);
  assert.deepEqual([first?.["up"], second?.["up"]], [true, false]);
  assert.deepEqual([first?.["contract_rate"], first?.["effective_rate"]], [500, 12.5]);
  assert.equal(second?.["effective_rate"], 500);
  const idle = {
    receiver_state: "closed",
    bound_since: null,
    last_error: null,
    binds: 0,
    lost: 0,
    sent: 0,
    accepted: 0,
    refused: 0,
    throttled: 0,
    ambiguous: 0,
    receipts: 0,
  };
  assert.deepEqual(first?.["sessions"], [
    {
      ...idle,
      session: 0,
      worker: 0,
      state: "bound",
      window_used: 17,
      accepted: 40,
      bound_since: "2026-11-22T00:00:00.000Z",
    },
    {
      ...idle,
      session: 1,
      worker: 1,
      state: "backoff",
      window_used: 0,
      last_error: { cause: "no answer to the bind", at: "2026-11-22T00:00:01.000Z" },
    },
  ]);
  assert.deepEqual([first?.["queued"], first?.["window_used"]], [4, 17]);
  const [pool] = status["pools"] as Record<string, unknown>[];
  assert.deepEqual(pool, {
    id: 1000,
    name: "main",
    weight: 1,
    rate_tps: 500,
    queued: 12,
    queues: [{ priority: 3, queued: 5, oldest_age_s: 61 }],
    members: [
      { link: 100, up: true },
      { link: 101, up: false },
    ],
  });
  set.ledger = "late";
  const late = (await (await fetch(`${set.base}/status`)).json()) as Record<string, unknown>;
  assert.deepEqual([late["books"], late["ledger"]], [null, { late: true }]);
  set.close();
});

test("metrics are readable by Prometheus, with every gauge of the node", async () => {
  const set = setUp();
  set.rig.grant(1, 0, 5);
  const response = await fetch(`${set.base}/metrics`);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  for (const line of text.split("\n")) {
    assert.match(line, /^$|^# (HELP|TYPE) smsgw_[a-z_]+ |^smsgw_[a-z_]+(\{[^}]*\})? -?[0-9.e+]+$/);
  }
  for (const line of [
    "smsgw_ready 1",
    'smsgw_credits{pool="1000",priority="2"} 5',
    'smsgw_session_state{link="100",session="0",state="closed"} 1',
    'smsgw_link_rate_segments_per_second{link="101"} 500',
    'smsgw_ring_size_bytes{ring="submit-0-0"} 1048576',
    "smsgw_process_cpu_seconds_total 4.5",
    'smsgw_thread_cpu_seconds_total{thread="main"} 2.5',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), line);
  }
  set.close();
});

test("readiness follows what is missing", async () => {
  const set = setUp();
  assert.equal((await fetch(`${set.base}/readyz`)).status, 200);
  set.missing.push("draining");
  const response = await fetch(`${set.base}/readyz`);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /not ready: draining/);
  assert.equal((await fetch(`${set.base}/healthz`)).status, 200);
  assert.ok((await (await fetch(`${set.base}/metrics`)).text()).includes("\nsmsgw_ready 0\n"));
  set.close();
});

test("with a token configured, metrics and status need it, health does not", async () => {
  const set = setUp(TOKEN);
  for (const path of ["/metrics", "/status"]) {
    for (const authorization of ["", "Bearer", `Bearer ${TOKEN}x`, TOKEN, `bearer ${TOKEN}`]) {
      const refused = await fetch(set.base + path, { headers: { authorization } });
      assert.equal(refused.status, 401);
      assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    }
    const headers = { authorization: `Bearer ${TOKEN}` };
    assert.equal((await fetch(set.base + path, { headers })).status, 200);
  }
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal((await fetch(set.base + path)).status, 200);
  }
  set.close();
});

test("other methods and paths are refused", async () => {
  const set = setUp();
  const post = await fetch(`${set.base}/status`, { method: "POST" });
  assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET"]);
  assert.equal((await fetch(`${set.base}/v1/messages`)).status, 404);
  set.close();
});
