/**
 * Overload: links contracted to a share of saturation, offered five times that, with a journal that
 * fills within seconds. What the links allow must still go out, and refusals must be quick.
 *
 *   npm run bench:overload -- [--seconds 60] [--share 0.15] [--times 5] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startGateway, Workspace } from "../../test/support/processes.ts";
import type { LoadSettings } from "./contenders/contender.ts";
import { acceptedSegments, benchToken, benchYaml, GATEWAY } from "./contenders/gateway.ts";
import { startOperator } from "./contenders/operator.ts";
import { describeOrigin, origin } from "./machine.ts";
import { type OpenLoopResult, runOpenLoop } from "./open-loop.ts";
import { takeTurn } from "./turn.ts";

const CONNECTIONS = 256;
const SATURATION_S = 15;
const LINKS = 2;
/** Full after some thousand waiting messages, so that most of the run is refusals. */
const JOURNAL_BYTES_MAX = 64 * 2 ** 20;
const SEGMENT_BYTES = 8 * 2 ** 20;

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    share: { type: "string", default: "0.15" },
    times: { type: "string", default: "5" },
    json: { type: "string" },
  },
});

await main();

async function main(): Promise<void> {
  const from = origin();
  console.log(describeOrigin(from));
  const settings: LoadSettings = {
    seconds: SATURATION_S,
    connections: CONNECTIONS,
    durability: "disk",
    receipts: "none",
    batch: 1,
    links: LINKS,
    workers: 1,
    apps: 1,
  };
  const saturation = await takeTurn(GATEWAY, settings);
  const boundPerS = Math.floor((saturation.messagesPerS * Number(flags.share)) / LINKS) * LINKS;
  const offeredPerS = boundPerS * Number(flags.times);
  const workspace = new Workspace();
  try {
    const operator = await startOperator(workspace, "none");
    const yaml = benchYaml(operator.port, settings)
      .replaceAll(
        "window_max: 1000, rate_tps: null",
        `window_max: 1000, rate_tps: ${boundPerS / LINKS}`,
      )
      .replace(
        "journal: { durability: disk }",
        `journal: { durability: disk, segment_bytes: ${SEGMENT_BYTES}, ` +
          `bytes_max: ${JOURNAL_BYTES_MAX} }`,
      );
    const gateway = await startGateway(workspace, yaml);
    const seconds = Number(flags.seconds);
    const startedAt = performance.now();
    const load = runOpenLoop({
      port: gateway.httpPort,
      token: benchToken(),
      rate: offeredPerS,
      seconds,
      connections: CONNECTIONS,
      extra: ',"dlr":"none"',
    });
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const goodputPerS =
      (await acceptedSegments(gateway)) / ((performance.now() - startedAt) / 1000);
    const openLoop = await load;
    const figures = {
      saturationPerS: saturation.messagesPerS,
      boundPerS,
      offeredPerS,
      goodputPerS,
    };
    print(figures, openLoop);
    if (flags.json !== undefined) {
      const result = { kind: "overload", origin: from, settings, figures, openLoop };
      writeFileSync(flags.json, `${JSON.stringify(result, null, 2)}\n`);
    }
  } finally {
    await workspace.dispose();
  }
}

function print(
  figures: { boundPerS: number; offeredPerS: number; goodputPerS: number },
  { accepted, refused, withoutRetryAfter, unanswered }: OpenLoopResult,
): void {
  const { boundPerS, offeredPerS, goodputPerS } = figures;
  console.log(
    `bound ${boundPerS}/s, offered ${offeredPerS}/s: goodput ${goodputPerS.toFixed(0)}/s ` +
      `(${(goodputPerS / boundPerS).toFixed(3)} of the bound); accepted ${accepted.count} ` +
      `p99 ${(accepted.p99 / 1000).toFixed(1)} ms; refused ${refused.count} ` +
      `p99 ${(refused.p99 / 1000).toFixed(1)} ms, ${withoutRetryAfter} of them without ` +
      `Retry-After; ${unanswered} unanswered`,
  );
}
