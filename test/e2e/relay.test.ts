/**
 * Clients by a balancer with the PROXY protocol, judged by which address an app is let in from:
 * trusted and untrusted peers, headers forged wherever a client could put one, drain.
 *
 * 127.0.0.2 is the balancer, 127.0.0.1 a client without one.
 */
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { addressBytes, encodeProxyHeader } from "../../src/ingress/http/proxy-header.ts";
import { testToken } from "../support/client.ts";
import { startLoad } from "../support/http-load.ts";
import { gatewayYaml, type GatewayProcess, startGateway, Workspace } from "../support/processes.ts";
import { dialFrom, RawConnection } from "../support/raw-connection.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const BALANCER = "127.0.0.2";
const STRANGER = "127.0.0.1";
const ALLOWED = "203.0.113.7";
const DENIED = "198.51.100.9";
const CONNECTIONS_MAX = 64;
const workspace = new Workspace();
after(() => workspace.dispose());

let gateway: GatewayProcess;
let smscPort = 0;
const smscLog = join(workspace.folder, "smsc.ndjson");

function yaml(http: string, ipAllow: string): string {
  return gatewayYaml(smscPort)
    .replace("http: { port: 0 }", `http: { port: 0, ${http} }`)
    .replace("scopes: [send, ops] }", `scopes: [send, ops], ip_allow: [${ipAllow}] }`);
}

before(async () => {
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", "5:20", "--log", smscLog],
    (line) => line.includes("listening on"),
  );
  smscPort = Number(smsc.lines[0]?.split(":").at(-1));
  const bound = `connections_max: ${CONNECTIONS_MAX}`;
  const http = `threads: 2, proxy_protocol_from: [127.0.0.2/32], ${bound}`;
  gateway = await startGateway(workspace, yaml(http, `${ALLOWED}/32, "2001:db8::/32"`));
});

function header(address: string): Buffer {
  return encodeProxyHeader(addressBytes(address) as Uint8Array);
}

function request(method = "GET", path = "/v1/links", extra = "", body = ""): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "Host: gateway",
    `Authorization: Bearer ${testToken(["send", "ops"])}`,
    "X-App-ID: 1",
  ];
  return `${lines.join("\r\n")}\r\n${extra}\r\n${body}`;
}

function dial(from: string): RawConnection {
  return new RawConnection(dialFrom(from, gateway.httpPort));
}

test("the address that a trusted balancer names decides, in both versions", async () => {
  const cases: readonly (readonly [string | Buffer, number])[] = [
    [`PROXY TCP4 ${ALLOWED} 10.0.0.1 1 2\r\n`, 200],
    [`PROXY TCP4 ${DENIED} 10.0.0.1 1 2\r\n`, 403],
    ["PROXY TCP6 2001:db8::1 ::1 1 2\r\n", 200],
    ["PROXY TCP6 2001:db9::1 ::1 1 2\r\n", 403],
    [`PROXY TCP6 ::ffff:${ALLOWED} ::1 1 2\r\n`, 200],
    ["PROXY UNKNOWN\r\n", 403],
    [header(ALLOWED), 200],
    [header(DENIED), 403],
    [header("2001:db8::1"), 200],
    [Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex"), 403],
  ];
  // One token: uWS closes at a further request while a new one is verified.
  const get = request();
  for (const [first, status] of cases) {
    const whole = dial(BALANCER).write(Buffer.concat([Buffer.from(first), Buffer.from(get)]));
    assert.deepEqual(await whole.answers(1), [status], first.toString("latin1"));
    // Any request of the connection is the same client's.
    assert.deepEqual(await whole.write(get, get).answers(3), Array(3).fill(status));
    whole.end();
    const slow = dial(BALANCER);
    for (const octet of Buffer.from(first)) {
      slow.write(Buffer.of(octet));
      await sleep(1);
    }
    assert.deepEqual(await slow.write(request()).answers(1), [status]);
    slow.end();
  }
});

test("a trusted peer without a good header is closed without an answer", async () => {
  for (const first of [
    request(),
    "PROXY TCP4 localhost 10.0.0.1 1 2\r\n",
    `PROXY TCP4 ${ALLOWED}`.padEnd(200),
    Buffer.from("0d0a0d0a000d0a515549540a31110000", "hex"),
    Buffer.from("0d0a0d0a000d0a515549540a2111000401020304", "hex"),
    "",
  ]) {
    assert.deepEqual(await dial(BALANCER).write(first, request()).closed(), []);
  }
  assert.ok(gateway.lines.some((line) => line.includes('"refuse connections"')));
});

test("an untrusted peer is itself, whatever it says", async () => {
  assert.deepEqual(await dial(STRANGER).write(request()).answers(1), [403]);
  const cut = Buffer.concat([header(ALLOWED), Buffer.from(request())]);
  assert.deepEqual(await dial(STRANGER).write(cut).closed(), []);
  const line = `PROXY TCP4 ${ALLOWED} 10.0.0.1 1 2\r\n${request()}`;
  const asHttp = dial(STRANGER).write(line);
  await sleep(300);
  assert.deepEqual(asHttp.statuses, [], "uWS waits for a request line that it knows");
  asHttp.end();
});

test("a header amid the bytes closes the connection before it counts", async () => {
  const forged = Buffer.concat([header(ALLOWED), Buffer.from(request())]);
  const type = "Content-Type: application/json\r\n";
  const length = `${type}Content-Length: 2\r\n`;
  const chunked = `${type}Transfer-Encoding: chunked\r\n`;
  const surroundings: readonly (readonly [string, number])[] = [
    [request(), 1],
    [request("POST", "/v1/messages:preview", length, "{}"), 1],
    [request("POST", "/v1/messages:preview", chunked, "2\r\n{}\r\n0\r\n\r\n"), 1],
    [request("POST", "/v1/messages:preview", `${type}Content-Length: 4000\r\n`, "{"), 0],
    [request("POST", "/v1/messages:preview", chunked, "fff\r\n{"), 0],
    [request().slice(0, -2), 0],
    ["", 0],
  ];
  for (const from of [BALANCER, STRANGER]) {
    for (const [first, answers] of surroundings) {
      for (const cutAt of [0, 1, 5, 11, 12, forged.length]) {
        const connection = dial(from);
        if (from === BALANCER) connection.write(header(DENIED));
        if (first !== "") connection.write(first);
        if (answers > 0) await connection.answers(answers);
        connection.write(forged.subarray(0, cutAt));
        await sleep(2);
        const statuses = await connection.write(forged.subarray(cutAt)).closed();
        assert.ok(!statuses.includes(200), `${from}: ${first} ${statuses.join()}`);
        assert.ok(statuses.length <= Math.max(1, answers), `${from}: ${first} ${statuses.join()}`);
      }
      const connection = dial(from);
      if (from === BALANCER) connection.write(header(DENIED));
      const joined = await connection.write(Buffer.concat([Buffer.from(first), forged])).closed();
      assert.ok(!joined.includes(200), `${from}: ${first} ${joined.join()}`);
    }
  }
});

test("large bodies and answers pass whole, also to a client that reads late", async () => {
  const messages = Array.from({ length: 1000 }, (_, i) => ({
    to: destinationOf(i),
    from: "TEST",
    text: "large ".repeat(250),
  }));
  const body = JSON.stringify({ messages });
  const extra = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  const connection = dial(BALANCER).write(header(ALLOWED));
  for (let asked = 1; asked <= 20; asked++) {
    const specs = connection.write(request("GET", "/openapi.json")).answers(asked);
    assert.deepEqual(await specs, Array(asked).fill(200));
  }
  connection.stream.pause();
  connection.write(request("POST", "/v1/messages:batch", extra, body));
  await sleep(500);
  connection.stream.resume();
  assert.equal((await connection.answers(21)).at(-1), 202);
  connection.end();
});

test("the sockets behind the relay are the gateway's user's only", () => {
  const folder = join(workspace.folder, "data", "relay");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const names = readdirSync(folder);
  assert.deepEqual(names.toSorted(), ["ingress-0.sock", "ingress-1.sock"]);
  for (const name of names) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
});

test("connections are bounded, and their descriptors come back", async () => {
  const descriptors = (): number => readdirSync(`/proc/${gateway.pid}/fd`).length;
  const ready = async (): Promise<number> => {
    return (await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`)).status;
  };
  const until = async (isThere: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isThere())) await sleep(20);
  };
  await until(async () => (await ready()) === 200);
  const atRest = descriptors();
  const health = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  const open = Array.from({ length: CONNECTIONS_MAX + 8 }, () => dial(BALANCER));
  for (const one of open) one.write(header(ALLOWED), health);
  await Promise.all(open.map((one) => one.answers(1)));
  await until(async () => (await ready()) === 503);
  assert.deepEqual(await dial(BALANCER).write(header(ALLOWED), health).closed(), []);
  for (const one of open) one.end();
  await until(async () => (await ready()) === 200);
  await until(() => descriptors() <= atRest);
  assert.deepEqual(await dial(BALANCER).write(header(ALLOWED), health).answers(1), [200]);
});

test("SIGTERM under load: what was promised is kept, what is answered arrives", async () => {
  gateway.child.kill("SIGTERM");
  assert.equal(await gateway.exited, 0, gateway.lines.slice(-5).join("\n"));
  const http = "threads: 2, proxy_protocol_from: [127.0.0.2/32]";
  const text = yaml(http, "127.0.0.1/32");
  const first = await startGateway(workspace, text);
  const promised = new Set<string>();
  const other: number[] = [];
  let index = 10_000;
  const load = startLoad({
    host: "127.0.0.1",
    port: first.httpPort,
    token: testToken(),
    appId: 1,
    connections: 16,
    next: () => ({ to: destinationOf(index++), from: "TEST", text: "drain me" }),
    onAnswer: (message, status) => {
      if (status === 202) promised.add(message.to as string);
      else other.push(status);
    },
  });
  while (promised.size <= 100) await sleep(10);
  first.child.kill("SIGTERM");
  assert.equal(await first.exited, 0, first.lines.slice(-5).join("\n"));
  await load.done;
  assert.ok(
    other.every((status) => status === 503),
    `only 503 while it drains: ${other.join(" ")}`,
  );
  const second = await startGateway(workspace, text);
  const isDone = (): boolean => {
    const accepted = acceptedByDestination(smscLog);
    return [...promised].every((to) => accepted.get(to) === 1);
  };
  for (let waited = 0; waited < 600 && !isDone(); waited++) await sleep(100);
  assert.ok(isDone(), "a message was lost or doubled");
  second.child.kill("SIGTERM");
  assert.equal(await second.exited, 0);
});
