/** Dense indices, pools for single links, worker counts and warnings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accountsOf,
  configWarnings,
  derivePools,
  workersCount,
} from "../../../src/config/derive.ts";
import { beyondSlots, slotCounts } from "../../../src/config/slots.ts";
import { LEAST, parse } from "./fixtures.ts";

const MIXED = `
apps: [{ id: 1, name: demo }]
links:
  - { id: 300, host: 127.0.0.1, system_id: c }
  - { id: 100, host: 127.0.0.1, system_id: a }
  - { id: 200, host: 127.0.0.1, system_id: b }
pools:
  - { id: 2000, name: two, members: [{ link: 200, weight: 3 }, { link: 100 }] }
  - { id: 1000, name: one, members: [{ link: 100, weight: 5 }] }
routes:
  - { prefix: "998", to: 1000 }
  - { prefix: "7", to: 200 }
  - { prefix: "71", to: 2000 }
  - { prefix: "72", to: 200 }
`;

test("links and pools are numbered in order of configuration, single links behind them", () => {
  const plan = derivePools(parse(MIXED));
  assert.deepEqual(
    plan.links.map((link) => [link.linkIndex, link.config.id]),
    [
      [0, 300],
      [1, 100],
      [2, 200],
    ],
  );
  assert.deepEqual(
    plan.pools.map(({ poolIndex, id, name, direct, members }) => ({
      poolIndex,
      id,
      name,
      direct,
      members,
    })),
    [
      {
        poolIndex: 0,
        id: 2000,
        name: "two",
        direct: false,
        members: [
          { linkIndex: 2, weight: 3 },
          { linkIndex: 1, weight: 1 },
        ],
      },
      {
        poolIndex: 1,
        id: 1000,
        name: "one",
        direct: false,
        members: [{ linkIndex: 1, weight: 5 }],
      },
      {
        poolIndex: 2,
        id: 200,
        name: "link-200",
        direct: true,
        members: [{ linkIndex: 2, weight: 1 }],
      },
    ],
  );
  assert.deepEqual(plan.routes, [
    { prefix: "998", poolIndex: 1 },
    { prefix: "7", poolIndex: 2 },
    { prefix: "71", poolIndex: 0 },
    { prefix: "72", poolIndex: 2 },
  ]);
  assert.equal(plan.poolIndexById.get(200), 2);
  assert.equal(plan.poolIndexById.get(100), undefined);
  assert.equal(plan.linkIndexById.get(300), 0);
});

test("where an app may pin routes every link has a pool", () => {
  const text = MIXED.replace("name: demo", "name: demo, scopes: [send, 'route:pin']");
  const { pools } = derivePools(parse(text));
  assert.deepEqual(
    pools.map((pool) => pool.id),
    [2000, 1000, 300, 100, 200],
  );
});

test("the plan is plain data that a thread can be given", () => {
  const plan = derivePools(parse(MIXED));
  assert.deepEqual(structuredClone(plan), plan);
});

test("auto leaves one processor, within 1 to 16", () => {
  assert.deepEqual(
    [1, 2, 3, 8, 64].map((cpus) => workersCount("auto", cpus)),
    [1, 1, 2, 7, 16],
  );
  assert.equal(workersCount(5, 1), 5);
});

test("warnings name what is legal and probably not meant", () => {
  const warnings = configWarnings(parse(LEAST)).join("\n");
  assert.match(warnings, /auth\.jwt has no key/);
  assert.match(warnings, /links\[100\] binds with an empty password/);
  const unused = configWarnings(parse(MIXED)).join("\n");
  assert.match(unused, /links\[300\] is in no pool and no route/);
  assert.doesNotMatch(unused, /links\[200\] is in no pool/);
  const fine = configWarnings(
    parse(LEAST, {
      env: { SMSGW_AUTH__JWT__SECRET: "s".repeat(32), SMSGW_LINKS__100__PASSWORD: "p" },
    }),
  );
  assert.deepEqual(fine, []);
});

test("links to the same host, port and system_id are one account", () => {
  const [link] = parse(MIXED).links;
  assert.ok(link);
  const links = [
    link,
    { ...link, id: 901, port: link.port + 1 },
    { ...link, id: 902 },
    { ...link, id: 903, systemId: "other" },
  ];
  assert.deepEqual(
    [...accountsOf(links)],
    [
      [link.id, link.id],
      [901, 901],
      [902, link.id],
      [903, 903],
    ],
  );
});

test("over reloads an id keeps its index, also while it is away, and new ids get the next", () => {
  const link = (id: number): string =>
    `  - { id: ${id}, host: h, system_id: x, sessions: ${id === 100 ? 1 : 2} }`;
  const text = (links: number[], pools: number[]): string => `
apps: [{ id: 1, name: demo }]
links:
${links.map(link).join("\n")}
pools:
${pools.map((id) => `  - { id: ${id}, name: p, members: [{ link: ${links[0]} }] }`).join("\n")}
routes: [{ prefix: "", to: ${pools[0]} }]
`;
  const first = derivePools(parse(text([100, 200], [1000, 2000])));
  const second = derivePools(parse(text([300, 200], [3000, 1000])), first);
  assert.deepEqual(
    [...second.linkIndexById],
    [
      [300, 2],
      [200, 1],
    ],
  );
  assert.deepEqual(
    [...second.poolIndexById],
    [
      [3000, 2],
      [1000, 0],
    ],
  );
  assert.deepEqual(
    second.links.map((link) => link.sessionRows),
    [
      [3, 4],
      [1, 2],
    ],
  );
  assert.equal(second.slots.sessionCount, 5);
  const third = derivePools(parse(text([100, 200], [2000])), second);
  assert.deepEqual(
    [...third.linkIndexById],
    [
      [100, 0],
      [200, 1],
    ],
  );
  assert.deepEqual([...third.poolIndexById], [[2000, 1]]);
  assert.deepEqual(third.links[0]?.sessionRows, [0]);
  assert.equal(third.slots.pools.size, 3);
});

test("a change of rate or burst takes the other word of a bucket, and nothing else does", () => {
  const text = (rate: string, burst: number, node: string): string => `
node: { rate_tps: ${node} }
apps: [{ id: 1, name: a, rate_tps: ${rate}, burst: ${burst} }, { id: 2, name: b }]
links: [{ id: 100, host: h, system_id: x }]
routes: [{ prefix: "", to: 100 }]
`;
  const halves = (plan: ReturnType<typeof derivePools>): number[] => [
    ...plan.apps.map((app) => app.bucketHalf),
    plan.nodeBucketHalf,
  ];
  const first = derivePools(parse(text("100", 50, "null")));
  assert.deepEqual(halves(first), [0, 0, 0]);
  const same = derivePools(parse(text("100", 50, "null")), first);
  assert.deepEqual(halves(same), [0, 0, 0]);
  const faster = derivePools(parse(text("200", 50, "1000")), same);
  assert.deepEqual(halves(faster), [1, 0, 1]);
  assert.deepEqual(halves(derivePools(parse(text("200", 60, "1000")), faster)), [0, 0, 1]);
});

test("loopback ranges decide nothing about a listener that only this machine reaches", () => {
  const plan = (http: string, ranges: string): (readonly string[] | null)[] => {
    const { apps, pools } = derivePools(
      parse(`
http: ${http}
apps: [{ id: 1, name: a, ip_allow: ${ranges} }, { id: 2, name: b, ip_allow: null }]
links: [{ id: 100, host: h, system_id: x, ip_allow: ${ranges} }]
routes: [{ prefix: "", to: 100 }]
`),
    );
    return [...apps, ...pools].map(({ ipAllow }) => ipAllow);
  };
  const loopback = ["127.0.0.0/8", "::1/128"];
  const both = JSON.stringify(loopback);
  for (const host of ["127.0.0.1", "localhost", '"::1"']) {
    assert.deepEqual(plan(`{ host: ${host} }`, both), [null, null, null]);
  }
  assert.deepEqual(plan("{ host: 0.0.0.0 }", both), [loopback, null, loopback]);
  assert.deepEqual(plan("{ host: 127.0.0.1 }", "[127.0.0.0/8]"), [
    ["127.0.0.0/8"],
    null,
    ["127.0.0.0/8"],
  ]);
  const proxied = "{ host: 127.0.0.1, proxy_protocol_from: [127.0.0.1/32] }";
  assert.deepEqual(plan(proxied, both), [loopback, null, loopback]);
});

test("there is room for as many again, and what is beyond it is named", () => {
  const config = parse(MIXED);
  const plan = derivePools(config);
  const slots = slotCounts(config, plan);
  assert.deepEqual(slots, { appCount: 17, linkCount: 19, poolCount: 21, sessionCount: 70 });
  assert.equal(beyondSlots(plan, slots), null);
  const few = { ...slots, linkCount: 2 };
  assert.match(beyondSlots(plan, few) ?? "", /^links: 3 .* room for 2$/);
});
