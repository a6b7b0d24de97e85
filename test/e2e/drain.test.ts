/**
 * SIGTERM under load: pending requests are answered, windows finish, exit 0, nothing lost or
 * doubled.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { testToken, untilAllFinal } from "../support/client.ts";
import { startLoad } from "../support/http-load.ts";
import { dialFrom, RawConnection } from "../support/raw-connection.ts";
import { gatewayYaml, startGateway, Workspace } from "../support/processes.ts";
import { acceptedByDestination, destinationOf } from "../support/witnesses.ts";

const FIRST_HALF = '{"to":"+99890';
const SECOND_HALF = '1234567","text":"whole at last"}';

const workspace = new Workspace();
after(() => workspace.dispose());

test("SIGTERM drains and exits 0", async () => {
  const log = join(workspace.folder, "smsc.ndjson");
  const smsc = await workspace.run(
    ["smsc", "--port", "0", "--latency-ms", "5:50", "--receipt-delay-ms", "50", "--log", log],
    (line) => line.includes("listening on"),
  );
  const yaml = gatewayYaml(Number(smsc.lines[0]?.split(":").at(-1)), { window: 50 });
  const first = await startGateway(workspace, yaml);
  const promised = new Set<string>();
  const other: number[] = [];
  let index = 0;
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
  const half = halfCall(first.httpPort);
  const seen = promised.size;
  while (promised.size <= seen + 100) await sleep(10);
  first.child.kill("SIGTERM");
  while (!first.lines.some((line) => line.includes('"drain"'))) await sleep(1);
  // A gateway that does not wait for it is gone by then.
  await sleep(500);
  half.write(SECOND_HALF);
  assert.deepEqual(await half.answers(1), [503], "a call whose body comes later is not cut off");
  assert.equal(await first.exited, 0, first.lines.slice(-5).join("\n"));
  await load.done;
  assert.ok(
    other.every((status) => status === 503),
    `only 503 while it drains: ${other.join(" ")}`,
  );

  const second = await startGateway(workspace, yaml);
  await untilAllFinal(second.adminPort);
  second.child.kill("SIGTERM");
  assert.equal(await second.exited, 0, second.lines.slice(-5).join("\n"));
  smsc.child.kill("SIGTERM");
  await smsc.exited;
  const accepted = acceptedByDestination(log);
  const wrong = [...promised].filter((to) => accepted.get(to) !== 1);
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${promised.size} lost or doubled`);
});

/** A call of which the gateway has the headers and half of the body. */
function halfCall(port: number): RawConnection {
  const head = [
    "POST /v1/messages HTTP/1.1",
    "Host: gateway",
    `Authorization: Bearer ${testToken()}`,
    "X-App-ID: 1",
    "Content-Type: application/json",
    `Content-Length: ${FIRST_HALF.length + SECOND_HALF.length}`,
  ];
  const connection = new RawConnection(dialFrom("127.0.0.1", port));
  return connection.write(`${head.join("\r\n")}\r\n\r\n${FIRST_HALF}`);
}
