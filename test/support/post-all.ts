/** Messages posted to a gateway as fast as it answers, all of which it has to accept. */
import { startLoad } from "./http-load.ts";
import { testToken } from "./client.ts";
import type { GatewayProcess } from "./processes.ts";

/** Posts `count` messages; returns the destinations that were promised. */
export async function postAll(
  gateway: GatewayProcess,
  count: number,
  connections: number,
  messageOf: (index: number) => { readonly to: string; readonly text: string },
): Promise<string[]> {
  const promised: string[] = [];
  let index = 0;
  let refused = "";
  const load = startLoad({
    host: "127.0.0.1",
    port: gateway.httpPort,
    token: testToken(),
    appId: 1,
    connections,
    next: () => (index < count ? { ...messageOf(index++), from: "TEST", dlr: "none" } : null),
    onAnswer: ({ to }, status, body) => {
      if (status === 202) promised.push(to as string);
      else refused = `${status} ${body}`;
    },
  });
  await load.done;
  if (refused !== "" || promised.length !== count) {
    throw new Error(`${promised.length} of ${count} accepted: ${refused}`);
  }
  return promised;
}
