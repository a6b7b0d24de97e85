/**
 * The simulated operator that every gateway sends to, and the witness of what it sent: its own
 * counts, asked for over its control port.
 */
import type { Workspace } from "../../../test/support/processes.ts";
import type { SmscStats } from "../../../src/smsc/counters.ts";
import type { Settled } from "./contender.ts";

const LOOK_MS = 100;
/** No further answer for this long: the gateway has sent everything. */
const QUIET_MS = 3000;

export interface Operator {
  readonly port: number;
  counts(): Promise<SmscStats>;
}

/** Starts `smsgw smsc` on a free port; with a delay its receipts take so long. */
export async function startOperator(
  workspace: Workspace,
  receipts: "none" | "final",
  receiptDelayMs: number | null = null,
): Promise<Operator> {
  const delay = receiptDelayMs === null ? [] : ["--receipt-delay-ms", String(receiptDelayMs)];
  const running = await workspace.run(
    ["smsc", "--port", "0", "--receipts", receipts, "--control-port", "0", ...delay],
    (line) => line.includes("control on"),
  );
  const portOf = (words: string): number => {
    const line = running.lines.find((text) => text.includes(words)) as string;
    return Number(line.split(":").at(-1));
  };
  const url = `http://127.0.0.1:${portOf("control on")}/counts`;
  return {
    port: portOf("listening on"),
    counts: async () => (await (await fetch(url)).json()) as SmscStats,
  };
}

/** Watches until the operator's count of answers stops growing; counts from now on. */
export function watchOperator(operator: Operator): () => Promise<Settled> {
  const startedAt = performance.now();
  const before = operator.counts();
  let answered = 0;
  let lastAtMs = startedAt;
  const look = async (): Promise<void> => {
    const accepted = (await operator.counts()).accepted - (await before).accepted;
    if (accepted > answered) lastAtMs = performance.now();
    answered = accepted;
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  return async () => {
    while (performance.now() - lastAtMs < QUIET_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    clearInterval(timer);
    return { messages: answered, seconds: (lastAtMs - startedAt) / 1000, cpuByThread: {} };
  };
}
