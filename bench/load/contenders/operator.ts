/**
 * The simulated operator that every gateway sends to, and the witness of what it sent: its own
 * count of answers, printed every second.
 */
import type { Running, Workspace } from "../../../test/support/processes.ts";

const LOOK_MS = 250;
/** No further answer for this long: the gateway has sent everything. */
const QUIET_MS = 3000;

export interface Operator {
  readonly port: number;
  /** Answers with success so far; up to a second old. */
  answered(): number;
}

/** Starts `smsgw smsc` on a free port. */
export async function startOperator(
  workspace: Workspace,
  receipts: "none" | "final",
): Promise<Operator> {
  const running = await workspace.run(
    ["smsc", "--port", "0", "--receipts", receipts, "--stats-interval", "1"],
    (line) => line.includes("listening on"),
  );
  const line = running.lines.find((text) => text.includes("listening on")) as string;
  return { port: Number(line.split(":").at(-1)), answered: () => lastCount(running) };
}

function lastCount(running: Running): number {
  const line = running.lines.findLast((text) => text.startsWith("{"));
  return line === undefined ? 0 : (JSON.parse(line) as { accepted: number }).accepted;
}

/** Watches until the operator's count stops growing. */
export function watchOperator(operator: Operator) {
  const startedAt = performance.now();
  let answered = 0;
  let lastAtMs = startedAt;
  const timer = setInterval(() => {
    const count = operator.answered();
    if (count > answered) lastAtMs = performance.now();
    answered = count;
  }, LOOK_MS);
  return async () => {
    while (performance.now() - lastAtMs < QUIET_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    clearInterval(timer);
    const toLastAnswerS = (lastAtMs - startedAt) / 1000;
    return { messages: answered, toLastAnswerS, toLastFinalS: null, cpuByThread: {} };
  };
}
