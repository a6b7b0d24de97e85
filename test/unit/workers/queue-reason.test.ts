/** Why a message waits, as the shared tables tell it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { derivePools } from "../../../src/config/derive.ts";
import { allocateContract, claimToken, layToRest } from "../../../src/limit/contract.ts";
import { allocateCreditTable, CreditTable } from "../../../src/tables/credit-table.ts";
import {
  allocateRows,
  LinkWord,
  rowWord,
  SessionState,
  SessionWord,
} from "../../../src/tables/link-table.ts";
import { queueReasonOf } from "../../../src/workers/queue-reason.ts";
import { parse } from "../config/fixtures.ts";

const NOW = 5_000;

test("link down, window, rate, throttled; one free link is enough", () => {
  const plan = derivePools(
    parse(`
apps: [{ id: 1, name: a }]
links:
  - { id: 100, host: h, system_id: x, sessions: 1, window_max: 10, rate_tps: 2 }
  - { id: 101, host: h, system_id: y, sessions: 1, window_max: 10 }
pools: [{ id: 1000, name: p, members: [{ link: 100 }, { link: 101 }] }]
routes: [{ prefix: "", to: 1000 }]
`),
  );
  const sizes = { ingressCount: 1, workerCount: 1, appCount: 1, sessionCount: 2 };
  const shared = { ...sizes, poolCount: 1, linkCount: 2 };
  const credits = new CreditTable(allocateCreditTable(shared), shared);
  const linkWords = new Int32Array(allocateRows(2));
  const sessionWords = new Int32Array(allocateRows(2));
  const contracts = [0, 1].map(() => new Int32Array(allocateContract(2)));
  const tables = { workerCount: 1, credits, linkWords, sessionWords, contracts };
  const reason = (): string | null => queueReasonOf(plan, tables, 0, NOW);
  assert.equal(reason(), "link_down");
  credits.setOpenSessions(0, 0, 1);
  sessionWords[rowWord(0, SessionWord.STATE)] = SessionState.BOUND;
  assert.equal(reason(), null);
  sessionWords[rowWord(0, SessionWord.WINDOW_USED)] = 10;
  assert.equal(reason(), "window");
  sessionWords[rowWord(0, SessionWord.WINDOW_USED)] = 3;
  const tokens = contracts[0] as Int32Array;
  for (let i = 0; i < 2; i++) layToRest(tokens, claimToken(tokens, 2, NOW), NOW);
  assert.equal(reason(), "rate");
  linkWords[rowWord(0, LinkWord.PACE_MILLI)] = 1000;
  linkWords[rowWord(0, LinkWord.PACE_DUE)] = ((NOW + 900) * 16_000) | 0;
  assert.equal(reason(), "throttled");
  credits.setOpenSessions(0, 1, 1);
  sessionWords[rowWord(1, SessionWord.STATE)] = SessionState.BOUND;
  assert.equal(reason(), null);
});
