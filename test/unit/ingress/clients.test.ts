/** Who may call from where: apps and addresses of links, balancers and their PROXY headers. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { PoolAccess } from "../../../src/ingress/admission/pool-access.ts";
import { derivePools, type DerivedPool } from "../../../src/config/derive.ts";
import { HttpRig } from "./http-rig.ts";
import { CONFIG, configOf } from "./rig.ts";

const LINKS = CONFIG.replace(
  "system_id: b, rate_tps: 500 }",
  'system_id: b, rate_tps: 500, apps: [2], ip_allow: ["10.1.0.0/16", "2001:db8::/32"] }',
).replace(
  "  - { id: 1000, name: main, members: [{ link: 100, weight: 1 }, { link: 101, weight: 1 }] }",
  "  - { id: 1000, name: main, members: [{ link: 100, weight: 1 }] }",
);

function bytes(...octets: number[]): ArrayBuffer {
  return Uint8Array.from(octets).buffer;
}

test("a pool is open to the apps and addresses of its links only", () => {
  const pool = (poolIndex: number, more: Partial<DerivedPool>): DerivedPool =>
    ({ poolIndex, apps: null, ipAllow: null, ...more }) as DerivedPool;
  const access = new PoolAccess([
    pool(0, {}),
    pool(1, { apps: [7] }),
    pool(2, { ipAllow: ["10.0.0.0/8", "2001:db8::/32"] }),
    pool(3, { apps: [], ipAllow: null }),
  ]);
  const v4 = bytes(10, 1, 2, 3);
  const mapped = bytes(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3);
  const v6 = bytes(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  const unknown = bytes();
  assert.ok(access.allows(0, 1, unknown));
  assert.ok(access.allows(1, 7, unknown));
  assert.ok(!access.allows(1, 8, v4));
  for (const from of [v4, mapped, v6]) assert.ok(access.allows(2, 1, from));
  for (const from of [bytes(11, 1, 2, 3), unknown]) assert.ok(!access.allows(2, 1, from));
  assert.ok(!access.allows(3, 7, v4));
});

test("links of a pool must share apps and ip_allow", () => {
  const split = LINKS.replace(
    "members: [{ link: 100, weight: 1 }]",
    "members: [{ link: 100, weight: 1 }, { link: 101, weight: 1 }]",
  );
  assert.throws(() => configOf(split), /a pool's members share it/);
});

const http = new HttpRig({ config: LINKS });
after(async () => await http.close());

test("a link is closed to other apps and addresses: 403", async () => {
  const post = async (to: string, appId: number): Promise<number> =>
    (await http.post({ to, text: "x" }, http.headers(appId))).status;
  assert.equal(await post("+79001234567", 1), 403, "its apps");
  assert.equal(await post("+79001234567", 2), 403, "its ip_allow");
  assert.equal(await post("+998901234567", 1), 202);
});

test("a reload closes an app to addresses, and opens it again", async () => {
  const own = new HttpRig();
  const reload = (text: string): void => {
    const config = configOf(text);
    own.server.reload(config, derivePools(config, own.rig.pools));
  };
  const status = async (): Promise<number> =>
    (await own.post({ to: "+998901234567", text: "x" })).status;
  assert.equal(await status(), 202);
  const app = "name: demo, rate_tps: null,";
  reload(CONFIG.replace(app, `${app} ip_allow: ["10.0.0.0/8"],`));
  assert.equal(await status(), 403);
  reload(CONFIG.replace(app, `${app} ip_allow: ["127.0.0.1/32"],`));
  assert.equal(await status(), 202);
  reload(CONFIG);
  assert.equal(await status(), 202);
  await own.close();
});
