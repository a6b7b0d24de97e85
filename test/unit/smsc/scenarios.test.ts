/**
 * Every named scenario: an ESME that does everything right meets what its summary says, and check
 * mode holds nothing against it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { usage } from "../../../src/cli/smsc.ts";
import { COMMAND_ID } from "../../../src/codec/index.ts";
import type { SmscStats } from "../../../src/smsc/counters.ts";
import { resolveSmscOptions } from "../../../src/smsc/options.ts";
import { SCENARIOS, scenarioOptions } from "../../../src/smsc/scenarios.ts";
import { type Peer, type Seen, World } from "./peer.ts";

const { submit_sm_resp, deliver_sm, enquire_link, unbind } = COMMAND_ID;
const SUBMITS = 2000;
const PACE_MS = 5;
/** After so many submits without an answer the ESME gives its connection up. */
const UNANSWERED_MAX = 60;

/** What an ESME has seen of an operator that it sent 200 messages a second. */
interface Run {
  readonly stats: SmscStats;
  /** Milliseconds from submit to answer, in the order of answers. */
  readonly delays: readonly number[];
  /** sequence_numbers in the order of answers. */
  readonly order: readonly number[];
  readonly ids: ReadonlySet<string>;
  /** Milliseconds after the first submit at which it got ESME_RTHROTTLED. */
  readonly throttledAt: readonly number[];
  readonly longestWrite: number;
  readonly log: readonly Record<string, unknown>[];
  readonly wasPaused: boolean;
}

class Esme {
  readonly delays: number[] = [];
  readonly order: number[] = [];
  readonly ids = new Set<string>();
  readonly throttledAt: number[] = [];
  longestWrite = 0;
  wasPaused = false;
  readonly #world: World;
  readonly #sentAt = new Map<number, number>();
  readonly #startMs: number;
  #peer: Peer;

  constructor(world: World) {
    this.#world = world;
    this.#startMs = world.clock.nowMs;
    this.#peer = world.bound();
  }

  submit(): void {
    this.#sentAt.set(this.#peer.sequence, this.#world.clock.nowMs);
    this.#peer.submit();
    this.wasPaused ||= this.#peer.isPaused;
  }

  /** Reads what came, answers it, and binds anew where that is needed. */
  read(): void {
    const peer = this.#peer;
    for (const pdu of peer.takeWhole()) this.#take(peer, pdu);
    const isStuck = this.#sentAt.size > UNANSWERED_MAX;
    if (peer.destroyedFor === null && !peer.isEnded && !isStuck) return;
    this.#giveUp(peer);
    this.#peer = this.#world.bound();
  }

  leave(): void {
    this.#peer.header(unbind);
    this.#giveUp(this.#peer);
  }

  #giveUp(peer: Peer): void {
    for (const length of peer.lengthsWritten) {
      this.longestWrite = Math.max(this.longestWrite, length);
    }
    peer.close();
    this.#sentAt.clear();
  }

  #take(peer: Peer, { commandId, status, sequence, id }: Seen): void {
    const { nowMs } = this.#world.clock;
    if (commandId === deliver_sm) peer.answerReceipt(sequence);
    else if (commandId === enquire_link) peer.header(COMMAND_ID.enquire_link_resp, 0, sequence);
    else if (commandId === unbind) peer.header(COMMAND_ID.unbind_resp, 0, sequence);
    if (commandId !== submit_sm_resp || !this.#sentAt.has(sequence)) return;
    this.delays.push(nowMs - (this.#sentAt.get(sequence) as number));
    this.#sentAt.delete(sequence);
    this.order.push(sequence);
    if (status === 0) this.ids.add(id);
    if (status === 0x58) this.throttledAt.push(nowMs - this.#startMs);
  }
}

function run(name: string, afterMs = 1000): Run {
  const world = new World(scenarioOptions([name]));
  const esme = new Esme(world);
  for (let i = 0; i < SUBMITS; i++) {
    esme.submit();
    world.pass(PACE_MS);
    esme.read();
  }
  for (let ms = 0; ms < afterMs; ms += PACE_MS) {
    world.pass(PACE_MS);
    esme.read();
  }
  esme.leave();
  const { delays, order, ids, throttledAt, longestWrite, wasPaused } = esme;
  const seen = { delays, order, ids, throttledAt, longestWrite, wasPaused };
  return { ...seen, stats: world.engine.stats(), log: world.log() };
}

function between(value: number, least: number, most: number): void {
  assert.ok(value >= least && value <= most, `${value} is not between ${least} and ${most}`);
}

function share(values: readonly number[], of: (value: number) => boolean): number {
  return values.filter(of).length / values.length;
}

const idsOfReceipts = ({ log }: Run): unknown[] =>
  log.filter(({ event }) => event === "receipt").map(({ id }) => id);

/** What the ESME sees of each scenario that is about messages. */
const SEEN: Readonly<Record<string, (run: Run) => void>> = {
  clean: ({ stats, delays }) => {
    assert.equal(stats.receiptsAnswered, SUBMITS);
    assert.equal(Math.max(...delays) <= PACE_MS, true);
  },
  "fixed-latency": ({ delays }) => assert.deepEqual(new Set(delays), new Set([200])),
  "long-tail": ({ delays, order }) => {
    between(
      share(delays, (ms) => ms <= 20),
      0.4,
      0.6,
    );
    between(
      share(delays, (ms) => ms > 200),
      0.005,
      0.05,
    );
    assert.notDeepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  },
  "reordered-answers": ({ delays, order }) => {
    between(Math.max(...delays), 95, 105);
    assert.notDeepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  },
  "lost-answers": ({ stats }) => {
    between(stats.answersWithheld, 20, 60);
    assert.equal(stats.receiptsSent, SUBMITS);
  },
  "late-answers": ({ delays }) =>
    between(
      share(delays, (ms) => ms >= 45_000),
      0.01,
      0.03,
    ),
  "throttle-storm": ({ throttledAt }) => {
    between(throttledAt.length, 990, 1010);
    between(Math.min(...throttledAt), 5000, 5010);
  },
  "sparse-throttling": ({ stats }) => {
    between(stats.throttled, 1, 20);
    assert.equal(stats.throttled, stats.refused);
  },
  flaky: ({ stats, delays }) => {
    between(stats.statuses["0x00000008"] ?? 0, 60, 140);
    between(stats.statuses["0x00000058"] ?? 0, 60, 140);
    between(Math.max(...delays), 45, 55);
  },
  "early-receipts": ({ stats }) => between(stats.receiptsBeforeAnswer, 900, 1100),
  "hex-ids": (seen) => {
    assert.ok(seen.ids.has("3b9aca01"));
    assert.ok(idsOfReceipts(seen).includes("1000000001"));
  },
  "padded-ids": (seen) => {
    assert.ok(seen.ids.has("001000000001"));
    assert.ok(idsOfReceipts(seen).includes("1000000001"));
  },
  "unruly-receipts": ({ stats }) => {
    between(stats.receiptsDuplicated, 150, 250);
    between(stats.receiptsContradicted, 60, 140);
    between(stats.receiptsStray, 60, 140);
  },
  "one-byte-writes": ({ longestWrite }) => assert.equal(longestWrite, 1),
  "slow-reader": ({ wasPaused }) => assert.equal(wasPaused, true),
  "never-reads": ({ stats }) => between(stats.deafened, 10, 20),
  "half-open": ({ stats }) => between(stats.silenced, 10, 20),
  "cut-mid-pdu": ({ stats }) => assert.equal(stats.disconnectsForced, SUBMITS / 100),
  "dropped-connections": ({ stats }) => {
    assert.equal(stats.disconnectsForced, SUBMITS / 100);
    assert.equal(stats.accepted, SUBMITS);
  },
  "operator-unbinds": ({ stats }) => assert.equal(stats.unbindsSent, SUBMITS / 100),
  malformed: ({ stats }) => {
    assert.equal(stats.malformedSent, SUBMITS / 20);
    assert.equal(stats.sessionsOpened, 1, "it went on");
  },
  "bad-framing": ({ stats }) => {
    between(stats.malformedSent, 10, 20);
    assert.ok(stats.sessionsOpened >= stats.malformedSent);
  },
};

/** How many of 200 binds get which command_status; -1: no answer in time. */
function binds(name: string): Map<number, number> {
  const counts = new Map<number, number>();
  const world = new World(scenarioOptions([name]));
  for (let i = 0; i < 200; i++) {
    const peer = world.connect();
    peer.bind("esme1", COMMAND_ID.bind_transceiver);
    world.pass(3001);
    const status = peer.take()[0]?.status ?? -1;
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  return counts;
}

/** The scenarios that are about sessions. */
const SEEN_BY_BINDS: Readonly<Record<string, () => void>> = {
  "bind-cap": () =>
    assert.deepEqual(
      binds("bind-cap"),
      new Map([
        [0, 1],
        [5, 199],
      ]),
    ),
  "bind-errors": () => {
    const counts = binds("bind-errors");
    between(counts.get(0x0d) ?? 0, 15, 45);
    between(counts.get(0x08) ?? 0, 15, 45);
    between(counts.get(0x0e) ?? 0, 1, 15);
  },
  "slow-binds": () => between(binds("slow-binds").get(-1) ?? 0, 10, 35),
  "no-transceiver": () => assert.deepEqual(binds("no-transceiver"), new Map([[3, 200]])),
  "silent-enquiries": () => {
    const world = new World(scenarioOptions(["silent-enquiries"]));
    const peer = world.bound();
    peer.header(enquire_link);
    assert.deepEqual(peer.take(), []);
  },
  "strict-rate": () => {
    const { stats } = run("strict-rate");
    // 200 a second are twice too many: what the check is for.
    between(stats.throttled, 900, 1100);
    assert.deepEqual(Object.keys(stats.protocolErrors), ["rate_exceeded"]);
  },
};

for (const [name, check] of Object.entries(SEEN)) {
  test(`scenario ${name}`, () => {
    const seen = run(name, name === "late-answers" ? 46_000 : 1000);
    check(seen);
    assert.deepEqual(seen.stats.findings, []);
  });
}

for (const [name, check] of Object.entries(SEEN_BY_BINDS)) test(`scenario ${name}`, check);

test("there is a test of every scenario", () => {
  const tested = [...Object.keys(SEEN), ...Object.keys(SEEN_BY_BINDS)];
  assert.deepEqual(tested.toSorted(), Object.keys(SCENARIOS).toSorted());
});

test("a run of every scenario is the same again for the same seed", () => {
  for (const name of Object.keys(SCENARIOS)) {
    const [first, second] = [0, 1].map(() => {
      const world = new World(scenarioOptions([name]), 7);
      const esme = new Esme(world);
      for (let i = 0; i < 150; i++) {
        esme.submit();
        world.pass(PACE_MS);
        esme.read();
      }
      return world.log();
    });
    assert.deepEqual(first, second, name);
  }
});

test("scenarios combine, and a later one takes the place of an earlier one's options", () => {
  const options = scenarioOptions(["long-tail", "hex-ids", "reordered-answers"]);
  assert.deepEqual(
    [options.latencyMs, options.idFormat, options.receiptDelayMs],
    [[0, 100], "hex-resp-decimal-receipt", [0, 200, "exponential"]],
  );
  assert.throws(() => scenarioOptions(["clean", "toString"]), /"toString" is unknown, allowed: /);
  for (const name of Object.keys(SCENARIOS)) resolveSmscOptions(scenarioOptions([name]));
});

test("docs/SIMULATOR.md names every scenario, and no option that there is not", () => {
  const url = new URL("../../../../docs/SIMULATOR.md", import.meta.url);
  const page = readFileSync(url, "utf8");
  for (const name of Object.keys(SCENARIOS)) assert.ok(page.includes(`\`${name}\``), name);
  const options = new Set(usage.match(/--[a-z][a-z0-9-]+/g)).add("--help");
  for (const named of new Set(page.match(/--[a-z][a-z0-9-]+/g))) {
    assert.ok(options.has(named), `${named} is no option`);
  }
  for (const option of options) assert.ok(page.includes(option), `${option} is not on the page`);
});
