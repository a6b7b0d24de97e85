/** The demo as a new user meets it. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Workspace } from "../support/processes.ts";

const workspace = new Workspace();
after(() => workspace.dispose());

test("demo follows a message to delivered and prints a curl line that works", async () => {
  const demo = await workspace.run(["demo"], (line) => line.includes("The demo stays up"));
  const text = demo.lines.join("\n");
  assert.match(text, /202 demo-/);
  assert.match(text, /delivered/);
  const url = /curl -i (\S+)/.exec(text)?.[1] as string;
  const headers = Object.fromEntries(
    [...text.matchAll(/-H '([^:]+): ([^']+)'/g)].map((match) => [match[1], match[2]]),
  ) as Record<string, string>;
  const body = /-d '(.+)'/.exec(text)?.[1] as string;
  const response = await fetch(url, { method: "POST", headers, body });
  assert.equal(response.status, 202);
  demo.child.kill("SIGINT");
  assert.equal(await demo.exited, 0);
});

test("a demo that is stopped while it follows its message drains and ends with 0", async () => {
  const demo = await workspace.run(["demo"], (line) => line.includes("202 demo-"));
  demo.child.kill("SIGTERM");
  assert.equal(await demo.exited, 0);
  assert.doesNotMatch(demo.lines.join("\n"), /fetch failed|stays up/);
});
